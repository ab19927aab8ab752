"""EditBench: its two CSV files, its folders of pictures and masks, and its three prompts."""

from __future__ import annotations

from pathlib import Path

import pytest
from factories import encode, make_image, make_mask
from inpaint_benchmark.datasets import LoadedDataset, read_dataset
from inpaint_core.errors import EmptyMask, InputNotFound, InvalidRequest, MaskSizeMismatch
from PIL import Image, ImageChops

COLUMNS = "aos,prompt_full,prompt_mask-simple,prompt_mask-rich,obj,attr\n"


def editbench(folder: Path, *names: str, ends: str = "\n") -> Path:
    """EditBench as published, with the pictures `names` ("natural/a"); its masks are black where there is a hole."""
    rows: dict[str, list[str]] = {}
    for name in names or ("natural/attr-color_obj-common_1", "generated/attr-color_obj-common_1"):
        half, aos = name.split("/")
        rows.setdefault(half, []).append(f'{aos},"a cat, in {half}",a cat,a red cat with a hat,common,color\n')
        for kind, image in (("references", make_image()), ("masks", ImageChops.invert(make_mask()).convert("RGB"))):
            file = folder / f"{kind}_{half}" / f"{aos}.png"
            file.parent.mkdir(exist_ok=True)
            file.write_bytes(encode(image))
    for half, lines in rows.items():
        text = (COLUMNS + "".join(lines)).replace("\n", ends)
        (folder / f"annotations_{half}.csv").write_bytes(text.encode())
    return folder


def read(path: Path, **options: object) -> LoadedDataset:
    """The same, read with the black part as the hole."""
    return read_dataset(path, "editbench", **{"polarity": "black", **options})


def test_both_halves_are_read_with_the_unmasked_picture_as_source_and_truth(tmp_path: Path) -> None:
    dataset = read(editbench(tmp_path))
    assert dataset.name == "editbench"
    assert dataset.ids == ("natural-attr-color_obj-common_1", "generated-attr-color_obj-common_1")
    sample = dataset.samples[1]
    assert (sample.prompt, sample.tags, sample.coverage) == ("a cat, in generated", {"half": "generated"}, 0.25)
    picture = (tmp_path / "references_generated/attr-color_obj-common_1.png").read_bytes()
    assert sample.source == sample.truth == picture


@pytest.mark.parametrize(
    ("prompt", "said"), [("full", "a cat, in natural"), ("simple", "a cat"), ("rich", "a red cat")]
)
def test_the_caller_chooses_which_prompt_is_painted_after(tmp_path: Path, prompt: str, said: str) -> None:
    assert read(editbench(tmp_path), prompt=prompt).samples[0].prompt.startswith(said)


def test_one_half_may_be_given_by_its_file_and_another_table_with_its_folders(tmp_path: Path) -> None:
    editbench(tmp_path, "natural/a", "natural/b")
    assert read(tmp_path / "annotations_natural.csv").ids == ("natural-a", "natural-b")
    assert read(tmp_path).ids == ("natural-a", "natural-b")
    mine = (tmp_path / "annotations_natural.csv").rename(tmp_path / "mine.csv")
    assert read(mine, images="references_natural", masks="masks_natural").ids == ("a", "b")
    with pytest.raises(
        InvalidRequest, match=r"mine.csv is not called annotations_natural.csv .*: name them with images"
    ):
        read(mine)


@pytest.mark.parametrize("ends", ["\n", "\r\n", "\r"])
def test_tables_are_read_with_any_line_ends_and_a_byte_order_mark(tmp_path: Path, ends: str) -> None:
    path = editbench(tmp_path, "natural/a", "natural/b", ends=ends) / "annotations_natural.csv"
    path.write_bytes(b"\xef\xbb\xbf" + path.read_bytes())
    assert read(path).ids == ("natural-a", "natural-b")


def test_line_ends_may_be_mixed_and_a_prompt_may_go_over_two_lines(tmp_path: Path) -> None:
    path = editbench(tmp_path, "natural/a", "natural/b") / "annotations_natural.csv"
    rows = ('a,"a cat\r\non a mat",,,,\r\n', "b,two,,,,\n\r\n")
    path.write_bytes((COLUMNS + "".join(rows)).encode())
    assert [sample.prompt for sample in read(path).samples] == ["a cat\non a mat", "two"]


def test_the_polarity_must_be_said_since_readers_of_editbench_differ(tmp_path: Path) -> None:
    with pytest.raises(
        InvalidRequest, match=r"Say the polarity of the masks: EditBench does not, and its readers differ"
    ):
        read_dataset(editbench(tmp_path), "editbench")
    assert read(tmp_path, polarity="white").samples[0].coverage == 0.75


@pytest.mark.parametrize(
    ("text", "kind", "message"),
    [
        (
            COLUMNS + "a,,,,,\nz,,,,,\n",
            InputNotFound,
            "line 3: source: there is no file 'references_natural/z.png' in ",
        ),
        (COLUMNS + ",,,,,x\n", InvalidRequest, "line 2: id: must have at least 1 character"),
        (COLUMNS + "../a,,,,,\n", InvalidRequest, "line 2: id: must be printable, without slashes"),
        (COLUMNS + "a,,,,,\na,,,,,\n", InvalidRequest, "line 3: the id 'natural-a' is also that of .* line 2"),
        (COLUMNS + "a,,,,\n", InvalidRequest, "line 2 has 5 cells and the table 6 columns"),
        (COLUMNS + 'a,"x"y,,,,\n', InvalidRequest, "line 2 is not CSV"),
        ("aos,prompt\na,x\n", InvalidRequest, "has no column prompt_full; did you mean prompt_full by prompt"),
        (COLUMNS, InvalidRequest, "holds no samples"),
        ("", InvalidRequest, "has no column aos"),
    ],
)
def test_a_table_that_cannot_be_read_is_refused_with_its_line(
    tmp_path: Path, text: str, kind: type[Exception], message: str
) -> None:
    path = editbench(tmp_path, "natural/a") / "annotations_natural.csv"
    path.write_text(text)
    with pytest.raises(kind, match=r"^annotations_natural.csv .*" + message.removeprefix("line")) as refused:
        read(path)
    assert message.split(":")[0].split(" ")[0] in str(refused.value)


def test_a_picture_that_cannot_be_used_is_refused_with_its_line(tmp_path: Path) -> None:
    dataset = read(editbench(tmp_path, "natural/a", "natural/b"))
    (tmp_path / "masks_natural/a.png").write_bytes(encode(Image.new("L", (96, 64), 255)))
    (tmp_path / "masks_natural/b.png").write_bytes(encode(ImageChops.invert(make_mask(48, 32))))
    with pytest.raises(EmptyMask, match=r"^annotations_natural.csv line 2: The mask masks_natural/a.png marks nothing"):
        _ = dataset.samples[0]
    with pytest.raises(
        MaskSizeMismatch, match=r"csv line 3: The mask masks_natural/b.png is 48x32 .* references_natural"
    ):
        _ = dataset.samples[1]


def test_a_missing_mask_and_a_folder_of_something_else_are_refused(tmp_path: Path) -> None:
    editbench(tmp_path, "natural/a")
    (tmp_path / "masks_natural/a.png").unlink()
    with pytest.raises(InputNotFound, match=r"line 2: mask: there is no file 'masks_natural/a.png'"):
        read(tmp_path)
    (tmp_path / "annotations_natural.csv").unlink()
    with pytest.raises(InputNotFound, match=r"has neither annotations_natural.csv nor annotations_generated.csv"):
        read(tmp_path)
    with pytest.raises(InvalidRequest, match=r"There is no prompt 'ful': did you mean full\?"):
        read(tmp_path, prompt="ful")
