"""Masks as runs of pixels, and the two datasets that have them: BrushBench and PIE-Bench. Runs are computed by hand."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

import pytest
from factories import encode, make_image
from inpaint_benchmark.datasets import LoadedDataset, describe, read_dataset
from inpaint_benchmark.datasets.rle import decode_rle
from inpaint_core.errors import EmptyMask, FullMask, InputNotFound, InvalidRequest, MaskSizeMismatch, UnreadableImage
from PIL import Image


def drawn(image: Image.Image) -> list[str]:
    """The mask as rows of # and . characters."""
    text = "".join({0: ".", 255: "#"}[value] for value in image.tobytes())
    return [text[start : start + image.width] for start in range(0, len(text), image.width)]


# --- runs -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("runs", "base", "rows"),
    [
        # 5 columns, 3 rows: pixel 6 from 0 is the second of the second row.
        ([6, 2], 0, [".....", ".##..", "....."]),
        ([7, 2], 1, [".....", ".##..", "....."]),
        ([0, 1, 14, 1], 0, ["#....", ".....", "....#"]),
        ([1, 1, 15, 1], 1, ["#....", ".....", "....#"]),
        # A run goes on in the next row; runs may overlap, touch, come in any order, and be of no length.
        ([3, 4], 0, ["...##", "##...", "....."]),
        ([10, 3, 11, 1, 0, 2, 2, 1, 7, 0], 0, ["###..", ".....", "###.."]),
        (["6", "2"], 0, [".....", ".##..", "....."]),
        ("6 2  10 1\n", 0, [".....", ".##..", "#...."]),
    ],
)
def test_runs_are_start_and_length_over_the_pixels_row_by_row(runs: object, base: int, rows: list[str]) -> None:
    assert drawn(decode_rle(runs, (5, 3), base)) == rows


def test_the_border_is_one_pixel_on_each_side() -> None:
    assert drawn(decode_rle([12, 1], (5, 5), 0, border=True)) == ["#####", "#...#", "#.#.#", "#...#", "#####"]


def test_a_run_that_goes_too_far_is_cut_only_if_that_is_asked() -> None:
    assert drawn(decode_rle([13, 9], (5, 3), 0, cut=True)) == [".....", ".....", "...##"]


@pytest.mark.parametrize(
    ("runs", "base", "message"),
    [
        ([6, 2, 9], 0, "has 3 numbers, and runs are pairs of start and length"),
        (
            [14, 2],
            0,
            r"Run 1 of the mask .start 14, length 2. goes past the last pixel: a mask of 5x3 has 15. If the starts",
        ),
        ([0, 1, 13, 9], 0, r"Run 2 of the mask .start 13, length 9. goes past the last pixel: .*cut_runs"),
        ([15, 1], 0, "goes past the last pixel"),
        ([16, 1], 1, "goes past the last pixel"),
        (
            [0, 1],
            1,
            "begins before the first pixel, which is number 1. A start of 0 means that they count from 0: say base 0",
        ),
        ([-2, 1], 0, "begins before the first pixel, which is number 0"),
        ([2, -1], 0, "has a negative length"),
        ([1.0, 1], 0, "Number 1 of the mask must be a whole number, found 1.0"),
        ([1, True], 0, "Number 2 of the mask must be a whole number, found True"),
        ([1, "x"], 0, "Number 2 of the mask must be a whole number, found 'x'"),
        ("1 2.5", 0, "Number 2 of the mask must be a whole number, found '2.5'"),
        ({"counts": []}, 0, "must be a list of starts and lengths, found {'counts'"),
        (None, 0, "must be a list of starts and lengths, found None"),
        ([10**30, 1], 0, "goes past the last pixel"),
    ],
)
def test_runs_that_cannot_be_are_refused_with_their_number(runs: object, base: int, message: str) -> None:
    with pytest.raises(InvalidRequest, match=message):
        decode_rle(runs, (5, 3), base)


@pytest.mark.parametrize("runs", [[], "", [3, 0]])
def test_a_mask_without_runs_is_empty_even_with_a_border(runs: object) -> None:
    with pytest.raises(EmptyMask, match="has no run"):
        decode_rle(runs, (5, 3), 0, border=True)


# --- BrushBench -------------------------------------------------------------------------------------------------------

#: 16x8 pixels: rows 2 and 3, columns 4 to 7; starts from 1.
INSIDE = [2 * 16 + 4 + 1, 4, 3 * 16 + 4 + 1, 4]
#: All around it.
OUTSIDE = [1, 36, 41, 12, 57, 72]


def brushbench(folder: Path, **item: Any) -> Path:
    """BrushBench as published, but for the size of its pictures, with one sample; None takes a field away."""
    (folder / "images").mkdir(exist_ok=True)
    (folder / "images/x.jpg").write_bytes(encode(make_image(16, 8), "JPEG"))
    fields = {
        "image": "images/x.jpg",
        "caption": "a lamp on a desk",
        "inpainting_mask": INSIDE,
        "outpainting_mask": OUTSIDE,
        **item,
    }
    (folder / "mapping_file.json").write_text(
        json.dumps({"000000000": {name: value for name, value in fields.items() if value is not None}})
    )
    return folder


def read_brushbench(folder: Path, **options: object) -> LoadedDataset:
    """The same, read as its authors do."""
    return read_dataset(folder, "brushbench", **{"base": 1, "size": (16, 8), **options})


def mask_of(dataset: LoadedDataset) -> list[str]:
    """The mask of the first sample."""
    return drawn(Image.open(io.BytesIO(dataset.samples[0].mask)))


def test_brushbench_is_read_with_the_object_as_the_mask(tmp_path: Path) -> None:
    dataset = read_brushbench(brushbench(tmp_path))
    (sample,) = dataset.samples
    assert (dataset.name, sample.id, sample.prompt) == ("brushbench", "000000000", "a lamp on a desk")
    assert (sample.coverage, sample.tags) == (8 / 128, {"mask": "inside"})
    assert mask_of(dataset) == ["." * 16] * 2 + ["....####........"] * 2 + ["." * 16] * 4
    assert sample.source == (tmp_path / "images/x.jpg").read_bytes()


def test_brushbench_is_read_with_all_around_the_object_as_the_mask(tmp_path: Path) -> None:
    dataset = read_brushbench(brushbench(tmp_path), mask="outside", base="1", size="16x8")
    assert mask_of(dataset) == ["#" * 16] * 2 + ["####....########"] * 2 + ["#" * 16] * 4
    (described,) = describe(dataset)
    assert described.suspicious and "marks 94% of the picture: is it inverted?" in described.line


def test_another_base_shifts_the_mask_by_a_pixel(tmp_path: Path) -> None:
    assert mask_of(read_brushbench(brushbench(tmp_path), base=0))[2] == ".....####......."


def test_runs_may_mark_what_is_kept(tmp_path: Path) -> None:
    assert read_brushbench(brushbench(tmp_path), polarity="black").samples[0].coverage == 120 / 128


@pytest.mark.parametrize("kind", ["brushbench", "pie-bench"])
def test_the_base_must_be_said_since_the_file_does_not_tell(tmp_path: Path, kind: str) -> None:
    with pytest.raises(
        InvalidRequest, match=r"Say from which number the runs .*: base 0 or base 1.*BrushNet subtracts 1"
    ):
        read_dataset(brushbench(tmp_path), kind)
    for value in (2, "one", True):
        with pytest.raises(InvalidRequest, match="base must be 0 or 1"):
            read_dataset(tmp_path, kind, base=value)


@pytest.mark.parametrize(
    ("item", "kind", "message"),
    [
        ({"image": None}, InvalidRequest, r"There is no field 'image': there are caption, inpainting_mask"),
        ({"caption": None}, InvalidRequest, r"There is no field 'caption'"),
        ({"caption": 5}, InvalidRequest, r"caption must be text, found 5"),
        (
            {"inpainting_mask": None},
            InvalidRequest,
            "There is no field 'inpainting_mask': did you mean outpainting_mask?",
        ),
        ({"image": "images/y.jpg"}, InputNotFound, r"image: there is no file 'images/y.jpg' in "),
        ({"image": "../x.jpg"}, InvalidRequest, r"image: '../x.jpg' leads out of"),
    ],
)
def test_an_item_that_cannot_be_is_refused_with_its_key(
    tmp_path: Path, item: dict[str, Any], kind: type[Exception], message: str
) -> None:
    with pytest.raises(kind, match=r"^mapping_file.json key '000000000': " + message):
        read_brushbench(brushbench(tmp_path, **item))


@pytest.mark.parametrize(
    ("item", "kind", "message"),
    [
        ({"inpainting_mask": [1, 2, 3]}, InvalidRequest, "The mask has 3 numbers"),
        ({"inpainting_mask": [120, 90]}, InvalidRequest, r"Run 1 .* goes past the last pixel: a mask of 16x8 has 128"),
        ({"inpainting_mask": []}, EmptyMask, "The mask has no run"),
        ({"inpainting_mask": [1, 128]}, FullMask, "The mask in field inpainting_mask marks the whole picture"),
    ],
)
def test_a_mask_that_cannot_be_is_refused_with_its_key_when_it_is_loaded(
    tmp_path: Path, item: dict[str, Any], kind: type[Exception], message: str
) -> None:
    dataset = read_brushbench(brushbench(tmp_path, **item))
    with pytest.raises(kind, match=r"^mapping_file.json key '000000000': " + message):
        _ = dataset.samples[0]


def test_pictures_of_another_size_than_the_runs_are_refused_and_so_are_broken_ones(tmp_path: Path) -> None:
    dataset = read_dataset(brushbench(tmp_path), "brushbench", base=1)
    with pytest.raises(
        MaskSizeMismatch,
        match=r"The mask in field inpainting_mask is 512x512 pixels and the source x.jpg 16x8.*say the size",
    ):
        _ = dataset.samples[0]
    (tmp_path / "images/x.jpg").write_bytes(b"\xff\xd8\xff")
    with pytest.raises(UnreadableImage, match=r"The source x.jpg begins as a JPEG"):
        _ = dataset.samples[0]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"mask": "insid"}, "There is no mask 'insid': did you mean inside?"),
        ({"polarity": "transparent"}, "runs of pixels, which have no transparency"),
        ({"size": "512"}, "size must be a width and a height such as 512x512, found '512'"),
        ({"size": (0, 5)}, "size must be a width and a height"),
        ({"cut_runs": "perhaps"}, "cut_runs must be true or false, found 'perhaps'"),
        ({"bas": 1}, "There is no option of brushbench 'bas': did you mean base?"),
    ],
)
def test_options_that_are_slips_are_refused_with_what_was_meant(
    tmp_path: Path, options: dict[str, Any], message: str
) -> None:
    with pytest.raises(InvalidRequest, match=message):
        read_brushbench(brushbench(tmp_path), **options)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[]", "mapping_file.json must be an object of samples by key, found a list"),
        ('{"a": 5}', "mapping_file.json key 'a': it must be an object, found '5'"),
        ("{}", "mapping_file.json holds no samples"),
        ('{"a": {},\n "a": {}}', "mapping_file.json cannot be used: it has 'a' twice"),
        ('{"a": {}\n "b": {}}', "mapping_file.json line 2 column 2 is not JSON"),
    ],
)
def test_a_mapping_file_that_is_none_is_refused(tmp_path: Path, text: str, message: str) -> None:
    (tmp_path / "mapping_file.json").write_text(text)
    with pytest.raises(InvalidRequest, match=message):
        read_brushbench(tmp_path)


def test_a_folder_without_a_mapping_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputNotFound, match=r"There is no file .*mapping_file.json"):
        read_brushbench(tmp_path)


# --- PIE-Bench --------------------------------------------------------------------------------------------------------


def pie_bench(folder: Path) -> Path:
    """PIE-Bench as published, but for the size of its pictures, with an object, a style and an empty mask."""
    items: dict[str, Any] = {}
    for number, (key, path, kind, mask) in enumerate(
        [
            ("111000000000", "1_change_object_80/1_artificial/1_animal/111000000000.jpg", "1", [36, 4, 52, 4]),
            ("921000000000", "9_change_style_80/1_artificial/921000000000.jpg", "9", [0, 128]),
            ("000000000007", "0_random_140/000000000007.jpg", "0", []),
        ]
    ):
        file = folder / "annotation_images" / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(encode(make_image(16, 8, seed=number), "JPEG"))
        items[key] = {
            "image_path": path,
            "original_prompt": "a [cat] on a chair",
            "editing_prompt": "a [dog] on a [wooden] chair",
            "editing_instruction": "make it a dog",
            "editing_type_id": kind,
            "blended_word": "cat dog",
            "mask": mask,
        }
    (folder / "mapping_file.json").write_text(json.dumps(items))
    return folder


def read_pie_bench(folder: Path, **options: object) -> LoadedDataset:
    """The same, read as its authors do."""
    return read_dataset(folder, "pie-bench", **{"base": 0, "size": (16, 8), **options})


def test_pie_bench_is_read_as_its_authors_do_with_the_border_marked(tmp_path: Path) -> None:
    dataset = read_pie_bench(pie_bench(tmp_path) / "mapping_file.json")
    sample = dataset.samples[0]
    assert (dataset.name, len(dataset.samples), sample.id) == ("pie-bench", 3, "111000000000")
    assert (sample.prompt, sample.tags) == ("a dog on a wooden chair", {"editing_type": "1"})
    row, marked, edge = "#..............#", "#...####.......#", "#" * 16
    assert mask_of(dataset) == [edge, row, marked, marked, row, row, row, edge]


def test_the_border_of_pie_bench_can_be_left_alone(tmp_path: Path) -> None:
    dataset = read_pie_bench(pie_bench(tmp_path), border_to_one="false", prompt="original_prompt")
    assert mask_of(dataset) == ["." * 16] * 2 + ["....####........"] * 2 + ["." * 16] * 4
    assert dataset.samples[0].prompt == "a cat on a chair"


def test_edits_of_the_whole_picture_are_refused_and_can_be_left_out(tmp_path: Path) -> None:
    dataset = read_pie_bench(pie_bench(tmp_path))
    with pytest.raises(FullMask, match=r"key '921000000000': The mask in field mask marks the whole picture"):
        _ = dataset.samples[1]
    with pytest.raises(EmptyMask, match=r"key '000000000007': The mask has no run"):
        _ = dataset.samples[2]
    unusable = {each.id for each in describe(dataset) if each.problem}
    assert dataset.without(unusable).ids == ("111000000000",)
    assert read_pie_bench(tmp_path, types="1, 9").ids == ("111000000000", "921000000000")
    assert read_pie_bench(tmp_path, types=[1]).ids == read_pie_bench(tmp_path, types=1).ids == ("111000000000",)
    with pytest.raises(InvalidRequest, match="There are no edits of type 3; there are 0, 1, 9"):
        read_pie_bench(tmp_path, types="1,3")


def test_pictures_of_pie_bench_lie_in_a_folder_that_can_be_named(tmp_path: Path) -> None:
    with pytest.raises(
        InputNotFound, match=r"key '111000000000': image_path: there is no file '1_change.*' in pictures/"
    ):
        read_pie_bench(pie_bench(tmp_path), images="pictures")
    (tmp_path / "annotation_images").rename(tmp_path / "pictures")
    assert len(read_pie_bench(tmp_path, images="pictures").samples) == 3
