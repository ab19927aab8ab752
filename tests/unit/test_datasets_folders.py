"""Datasets of pictures in folders: pairs by name, pictures with an erased area, and their prompts."""

from __future__ import annotations

import io
import json
from pathlib import Path

import pytest
from factories import encode, make_image, make_mask
from inpaint_benchmark.datasets import LoadedDataset, read_dataset
from inpaint_core.errors import EmptyMask, FullMask, InputNotFound, InvalidRequest, NoTransparency, UnreadableImage
from PIL import Image, ImageChops

MASK = make_mask()


def write(folder: Path, *names: str) -> None:
    """A picture for each name, and a mask for those that are masks."""
    for name in names:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        image = MASK if "mask" in path.parent.name else make_image()
        kind = {".jpg": "JPEG", ".webp": "WEBP"}.get(path.suffix.lower(), "PNG")
        path.write_bytes(encode(image, kind))


def pairs(folder: Path, **options: object) -> LoadedDataset:
    """The folder as pairs whose masks are white."""
    return read_dataset(folder, "folders", **{"polarity": "white", **options})


# --- pairs ------------------------------------------------------------------------------------------------------------


def test_pictures_belong_together_by_their_names_without_endings(tmp_path: Path) -> None:
    home = tmp_path / "Desk Lamps 2"
    write(home, "sources/a.jpg", "sources/b.PNG", "sources/c-mask.png")
    write(home, "masks/a_mask.png", "masks/b.webp", "masks/c-mask.png", "masks/.hidden.png", "masks/notes.txt")
    dataset = pairs(home)
    assert (dataset.name, dataset.ids) == ("desk-lamps-2", ("a", "b", "c-mask"))
    assert [sample.coverage for sample in dataset.samples] == [0.25] * 3
    assert dataset.samples[0].source == (home / "sources/a.jpg").read_bytes()
    assert dataset.samples[0].truth is None


def test_truths_are_taken_if_there_is_a_folder_of_them(tmp_path: Path) -> None:
    write(tmp_path, "sources/a.png", "masks/a.png", "truths/a.jpg")
    assert pairs(tmp_path).samples[0].truth == (tmp_path / "truths/a.jpg").read_bytes()
    write(tmp_path, "images/a.png", "holes_masks/a.png")
    assert len(pairs(tmp_path, sources="images", masks="holes_masks").samples) == 1


def test_black_masks_are_turned(tmp_path: Path) -> None:
    write(tmp_path, "sources/a.png", "masks/a.png")
    (tmp_path / "masks/a.png").write_bytes(encode(ImageChops.invert(MASK)))
    assert pairs(tmp_path, polarity="black").samples[0].coverage == 0.25
    assert pairs(tmp_path, polarity="white").samples[0].coverage == 0.75


def test_folders_do_not_tell_the_polarity_so_it_must_be_said(tmp_path: Path) -> None:
    write(tmp_path, "sources/a.png", "masks/a.png")
    with pytest.raises(InvalidRequest, match=r"Say the polarity of the masks: .*`white` if white is repainted"):
        read_dataset(tmp_path, "folders")
    with pytest.raises(InvalidRequest, match=r"There is no polarity 'wite': did you mean white\?"):
        pairs(tmp_path, polarity="wite")


def test_files_without_a_counterpart_are_listed(tmp_path: Path) -> None:
    write(tmp_path, *(f"sources/{i}.png" for i in range(9)), "masks/0.png", "masks/x.png", "truths/0.png")
    with pytest.raises(InvalidRequest) as refused:
        pairs(tmp_path)
    message = str(refused.value)
    assert message.startswith("8 sources have no mask: 1.png, 2.png, 3.png, 4.png, 5.png and 3 more. 1 mask files have")
    assert "no source: x.png." in message and "x.png" in refused.value.unmatched  # type: ignore[operator]
    for name in ("x", *map(str, range(1, 9))):
        (tmp_path / f"masks/{name}.png").unlink(missing_ok=True)
        (tmp_path / f"sources/{name}.png").unlink(missing_ok=True)
    write(tmp_path, "sources/1.png", "masks/1.png")
    with pytest.raises(InvalidRequest, match=r"1 sources have no truth: 1.png"):
        pairs(tmp_path)


@pytest.mark.parametrize(
    ("names", "message"),
    [
        (["sources/a.png", "sources/a.jpg", "masks/a.png"], "sources/ holds both a.jpg and a.png, which would be one"),
        (["sources/a.png", "masks/a.png", "masks/a-mask.png"], "masks/ holds two masks for a: a-mask.png and a.png"),
        (["sources/a.txt", "masks/a.png"], r"sources holds no pictures \(.avif, .bmp"),
        (
            ["sources/a.png"],
            "There is no folder .*/masks, which should hold the masks. Check the path, or name .*masks=",
        ),
        (["masks/a.png"], "There is no folder .*/sources"),
    ],
)
def test_folders_that_do_not_say_which_is_which_are_refused(tmp_path: Path, names: list[str], message: str) -> None:
    write(tmp_path, *names)
    with pytest.raises((InvalidRequest, InputNotFound), match=message):
        pairs(tmp_path)


def test_a_picture_that_cannot_be_used_is_named_with_its_folder(tmp_path: Path) -> None:
    write(tmp_path, "sources/a.png", "masks/a.png", "sources/b.png", "masks/b.png", "sources/c.png", "masks/c.png")
    (tmp_path / "masks/a.png").write_bytes(encode(Image.new("1", (96, 64))))
    (tmp_path / "masks/b.png").write_bytes(encode(Image.new("1", (96, 64), 1)))
    (tmp_path / "sources/c.png").write_bytes(b"?")
    dataset = pairs(tmp_path)
    place = f"{tmp_path.name}/sources"
    for index, (kind, message) in enumerate(
        [
            (EmptyMask, f"^{place}/a.png: The mask masks/a.png marks nothing"),
            (FullMask, f"^{place}/b.png: The mask masks/b.png marks the whole"),
            (UnreadableImage, f"^{place}/c.png: The source sources/c.png is not an image"),
        ]
    ):
        with pytest.raises(kind, match=message):
            _ = dataset.samples[index]


# --- prompts ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "text",
    [
        "id,prompt,negative_prompt\na,one,blur\nb,two,\n",
        "\ufeffid,prompt,negative_prompt\r\na,one,blur\nb,two,\r\n\r\n",
        "id;prompt;negative_prompt\ra;one;blur\rb;two;\r",
        ' prompt , id ,negative_prompt\n"one",a, blur\n two ,b,\n',
    ],
)
def test_prompts_in_a_table_are_found_with_any_line_ends_and_marks(tmp_path: Path, text: str) -> None:
    write(tmp_path, "sources/a.png", "masks/a.png", "sources/b.png", "masks/b.png")
    (tmp_path / "prompts.csv").write_bytes(text.encode())
    assert [(s.prompt, s.negative_prompt) for s in pairs(tmp_path).samples] == [("one", "blur"), ("two", "")]


def test_prompts_in_json_are_texts_or_objects_and_a_named_file_is_taken_before_a_found_one(tmp_path: Path) -> None:
    write(tmp_path, "sources/a.png", "masks/a.png", "sources/b.png", "masks/b.png")
    (tmp_path / "other.json").write_text(json.dumps({"a": "one", "b": {"prompt": "two", "negative_prompt": "blur"}}))
    (tmp_path / "prompts.csv").write_text("broken")
    samples = pairs(tmp_path, prompts="other.json").samples
    assert [(s.prompt, s.negative_prompt) for s in samples] == [("one", ""), ("two", "blur")]


#: Files of prompts and how they are refused.
REFUSED_PROMPTS: dict[str, tuple[dict[str, str], str]] = {
    "left out": ({"prompts.csv": "id,prompt\na,x\n"}, "prompts.csv has no prompt for b. Ids are the names of files"),
    "too many": ({"prompts.csv": "id,prompt\na,x\nb,x\nc,x\n"}, "has prompts for pictures that are not there: c"),
    "column": ({"prompts.csv": "id,promt\na,x\n"}, "prompts.csv has no column prompt; did you mean prompt by promt?"),
    "no column": ({"prompts.csv": "x,y\n"}, "prompts.csv has no column id; its first line names the columns: x, y"),
    "nothing": ({"prompts.csv": ""}, "prompts.csv has no column id; .*: .nothing."),
    "strange column": (
        {"prompts.csv": "id,prompt,negativ_prompt\n"},
        "'negativ_prompt'.*did you mean negative_prompt?",
    ),
    "column twice": ({"prompts.csv": "id,prompt,prompt\n"}, "prompts.csv has the column prompt twice"),
    "cells": ({"prompts.csv": "id,prompt\na,x,y\n"}, "prompts.csv line 2 has 3 cells and the table 2 columns"),
    "too few cells": ({"prompts.csv": "id,prompt\n\n\na\n"}, "prompts.csv line 4 has 1 cells"),
    "quote": ({"prompts.csv": 'id,prompt\na,"x" y\n'}, "prompts.csv line 2 is not CSV"),
    "open quote": ({"prompts.csv": 'id,prompt\na,"x\nb,y\n'}, "prompts.csv line 3 is not CSV"),
    "id twice": ({"prompts.csv": "id,prompt\na,x\na,y\n"}, "prompts.csv line 3 has the id 'a' a second time"),
    "both": ({"prompts.csv": "", "prompts.json": ""}, "has both prompts.csv and prompts.json: name one"),
    "list": ({"prompts.json": "[]"}, "prompts.json must be an object of prompts by id"),
    "number": ({"prompts.json": '{"a": 5}'}, "prompts.json key 'a': prompt must be text, found 5"),
    "field": ({"prompts.json": '{"a": {"promt": ""}}'}, "key 'a': There is no field 'promt': did you mean prompt?"),
    "broken": ({"prompts.json": '{"a": "x",\n}'}, "prompts.json line 2 column 1 is not JSON"),
    "long": ({"prompts.json": json.dumps({"a": "x" * 5000, "b": ""})}, "sources/a.png: prompt: must have at most 4000"),
}


@pytest.mark.parametrize("case", REFUSED_PROMPTS)
def test_prompts_that_cannot_be_read_are_refused_with_the_line_or_the_key(tmp_path: Path, case: str) -> None:
    files, message = REFUSED_PROMPTS[case]
    write(tmp_path, "sources/a.png", "masks/a.png", "sources/b.png", "masks/b.png")
    for name, text in files.items():
        (tmp_path / name).write_text(text)
    with pytest.raises(InvalidRequest, match=message):
        pairs(tmp_path)


def test_a_file_of_prompts_that_was_named_must_be_there(tmp_path: Path) -> None:
    write(tmp_path, "sources/a.png", "masks/a.png")
    with pytest.raises(InputNotFound, match=r"There is no file .*none.csv, which was named for the prompts"):
        pairs(tmp_path, prompts="none.csv")


# --- erased pictures --------------------------------------------------------------------------------------------------


def erased(image: Image.Image | None = None, hidden: bool = True) -> Image.Image:
    """A picture that is transparent where `MASK` is white; with `hidden`, its colours are still there."""
    picture = (image or make_image()).convert("RGBA")
    picture.putalpha(ImageChops.invert(MASK))
    if not hidden:
        picture.paste((0, 0, 0, 0), mask=MASK)
    return picture


def opened(data: bytes) -> Image.Image:
    """The picture in `data`."""
    image = Image.open(io.BytesIO(data))
    image.load()
    return image


@pytest.mark.parametrize("hidden", [True, False])
def test_what_is_transparent_is_the_mask_and_the_source_is_the_picture_on_white(tmp_path: Path, hidden: bool) -> None:
    (tmp_path / "a.png").write_bytes(encode(erased(hidden=hidden)))
    (tmp_path / "prompts.json").write_text('{"a": "a lamp"}')
    (sample,) = read_dataset(tmp_path, "alpha").samples
    source, mask = opened(sample.source), opened(sample.mask)
    assert (sample.id, sample.prompt, sample.coverage) == ("a", "a lamp", 0.25)
    assert (mask.mode, mask.tobytes()) == ("L", MASK.tobytes())
    wanted = make_image()
    wanted.paste("white", mask=MASK)
    assert (source.mode, source.tobytes()) == ("RGB", wanted.tobytes())


def test_two_encodings_of_one_erased_picture_are_the_same_content(tmp_path: Path) -> None:
    digests = []
    for name, data in (
        ("a.png", encode(erased(), compress_level=0)),
        ("a.webp", encode(erased(hidden=False), "WEBP", lossless=True)),
    ):
        folder = tmp_path / name.replace(".", "-")
        folder.mkdir()
        (folder / name).write_bytes(data)
        digests.append(read_dataset(folder, "alpha", polarity="transparent").content_sha256())
    assert digests[0] == digests[1]


def test_soft_brushes_are_shown_on_white_and_marked_from_the_middle_on(tmp_path: Path) -> None:
    ramp = Image.new("RGBA", (4, 1))
    for x, alpha in enumerate((255, 200, 100, 0)):
        ramp.putpixel((x, 0), (0, 0, 0, alpha))
    (tmp_path / "a.png").write_bytes(encode(ramp))
    (sample,) = read_dataset(tmp_path, "alpha").samples
    assert list(opened(sample.mask).tobytes()) == [0, 0, 255, 255]
    assert list(opened(sample.source).convert("L").tobytes()) == [0, 55, 155, 255]


def test_a_deep_grey_picture_with_one_transparent_value_is_read(tmp_path: Path) -> None:
    deep = Image.new("I;16", (4, 2), 257 * 90)
    deep.putpixel((1, 0), 7)
    (tmp_path / "a.png").write_bytes(encode(deep, transparency=7))
    (sample,) = read_dataset(tmp_path, "alpha").samples
    assert sample.coverage == 1 / 8
    assert list(opened(sample.source).convert("L").tobytes()) == [90, 255] + [90] * 6


def test_pictures_that_were_not_erased_are_refused(tmp_path: Path) -> None:
    for name, image in (
        ("a.png", make_image()),
        ("b.png", make_image().convert("RGBA")),
        ("c.png", Image.new("RGBA", (9, 9))),
    ):
        (tmp_path / name).write_bytes(encode(image))
    dataset = read_dataset(tmp_path, "alpha")
    home = tmp_path.name
    for index, (kind, message) in enumerate(
        [
            (NoTransparency, f"^{home}/a.png: The picture a.png has no transparency"),
            (EmptyMask, f"^{home}/b.png: The transparency of the picture b.png marks nothing"),
            (FullMask, f"^{home}/c.png: The transparency of the picture c.png marks the whole"),
        ]
    ):
        with pytest.raises(kind, match=message):
            _ = dataset.samples[index]


def test_erased_pictures_have_no_other_polarity_and_lie_in_a_folder(tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(encode(erased()))
    with pytest.raises(InvalidRequest, match="In the kind alpha, what is transparent is repainted"):
        read_dataset(tmp_path, "alpha", polarity="white")
    with pytest.raises(InvalidRequest, match=r"a.png is not a folder: the kind alpha takes a folder"):
        read_dataset(tmp_path / "a.png", "alpha")
