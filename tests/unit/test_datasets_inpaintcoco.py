"""InpaintCOCO: Parquet files as the Hugging Face hub writes them, with pictures as structs of bytes and path."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from factories import encode, make_image, make_mask
from inpaint_benchmark.datasets import LoadedDataset, read_dataset
from inpaint_core.errors import FullMask, ImageError, InputNotFound, InvalidRequest, MissingExtra, UnreadableImage
from PIL import Image

IMAGE = pa.struct([("bytes", pa.binary()), ("path", pa.string())])
#: As the README of phiyodr/InpaintCOCO has it, commit c56e319.
SCHEMA = pa.schema(
    [
        ("concept", pa.string()),
        ("coco_caption", pa.string()),
        ("coco_image", IMAGE),
        ("inpaint_caption", pa.string()),
        ("inpaint_image", IMAGE),
        ("mask", IMAGE),
        ("worker", pa.string()),
        (
            "coco_details",
            pa.struct(
                [
                    ("captions", pa.list_(pa.string())),
                    ("coco_url", pa.string()),
                    ("flickr_url", pa.string()),
                    ("height", pa.int64()),
                    ("id", pa.int64()),
                    ("image_license", pa.string()),
                    ("width", pa.int64()),
                ]
            ),
        ),
    ]
)


def stored(data: bytes) -> dict[str, Any]:
    """A picture as the hub stores it."""
    return {"bytes": data, "path": None}


def row(number: int = 0, **columns: Any) -> dict[str, Any]:
    """A valid row, with some columns replaced."""
    return {
        "concept": "color",
        "coco_caption": f"a red car {number}",
        "coco_image": stored(encode(make_image(seed=number), "JPEG")),
        "inpaint_caption": f"a blue car {number}",
        "inpaint_image": stored(encode(make_image(seed=number + 50))),
        "mask": stored(encode(make_mask().convert("RGB"))),
        "worker": "k",
        "coco_details": {
            "captions": ["a car"],
            "coco_url": "http://images.cocodataset.org/val2017/1.jpg",
            "id": number,
            "image_license": "Attribution License",
        },
        **columns,
    }


def write(path: Path, *rows: dict[str, Any], without: str | None = None, group: int = 2) -> Path:
    """A Parquet file of these rows, in groups of two."""
    table = pa.Table.from_pylist(list(rows), schema=SCHEMA)
    pq.write_table(table.drop_columns([without]) if without else table, path, row_group_size=group)
    return path


def read(path: Path, **options: object) -> LoadedDataset:
    """The dataset at `path`."""
    return read_dataset(path, "inpaintcoco", **options)


def test_a_row_is_a_sample_with_the_result_of_the_annotators_as_the_truth(tmp_path: Path) -> None:
    dataset = read(write(tmp_path / "test.parquet", row(3)))
    (sample,) = dataset.samples
    assert (dataset.name, sample.id, sample.prompt) == ("inpaintcoco", "00000", "a blue car 3")
    assert (sample.coverage, sample.tags, sample.licence) == (0.25, {"concept": "color"}, "Attribution License")
    assert sample.source_url == "http://images.cocodataset.org/val2017/1.jpg"
    assert sample.source == row(3)["coco_image"]["bytes"]
    assert sample.truth == row(3)["inpaint_image"]["bytes"]


def test_rows_are_counted_over_all_files_of_a_folder_and_read_from_groups_in_any_order(tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    write(tmp_path / "data/test-00001-of-00002.parquet", *(row(i) for i in range(5, 8)))
    write(tmp_path / "data/test-00000-of-00002.parquet", *(row(i) for i in range(5)))
    dataset = read(tmp_path)
    assert dataset.ids == tuple(f"{i:05d}" for i in range(8))
    assert [sample.prompt for sample in dataset.samples] == [f"a blue car {i}" for i in range(8)]
    assert [dataset.samples[i].prompt[-1] for i in (6, 0, 7, 4, -1)] == ["6", "0", "7", "4", "7"]
    assert [entry.place for entry in dataset.samples.entries][3:6] == [
        "test-00000-of-00002.parquet row 3",
        "test-00000-of-00002.parquet row 4",
        "test-00001-of-00002.parquet row 0",
    ]


def test_the_caller_chooses_the_caption_and_may_leave_the_truth_out(tmp_path: Path) -> None:
    path = write(tmp_path / "test.parquet", row(), without="inpaint_image")
    (sample,) = read(path, prompt="coco_caption", truth=False).samples
    assert (sample.prompt, sample.truth) == ("a red car 0", None)


def test_an_absent_caption_is_an_empty_prompt_and_details_may_be_missing(tmp_path: Path) -> None:
    path = write(tmp_path / "test.parquet", row(inpaint_caption=None, coco_details=None, concept=None))
    (sample,) = read(path).samples
    assert (sample.prompt, sample.licence, sample.source_url, sample.tags) == ("", "", None, {})
    assert read(write(path, row(), without="coco_details")).samples[0].licence == ""


def test_a_picture_may_be_stored_without_a_struct(tmp_path: Path) -> None:
    table = pa.Table.from_pylist([row()], schema=SCHEMA).drop_columns(["mask"])
    table = table.append_column("mask", pa.array([encode(make_mask())], pa.binary()))
    pq.write_table(table, tmp_path / "test.parquet")
    assert read(tmp_path / "test.parquet").samples[0].coverage == 0.25


def test_black_may_be_what_is_repainted(tmp_path: Path) -> None:
    assert read(write(tmp_path / "test.parquet", row()), polarity="black").samples[0].coverage == 0.75


@pytest.mark.parametrize(
    ("column", "options", "message"),
    [
        ("mask", {}, "test.parquet has no column mask; it has concept, coco_caption"),
        ("inpaint_image", {}, "test.parquet has no column inpaint_image; it has .*, inpaint_caption, mask"),
        (
            "coco_caption",
            {"prompt": "coco_caption"},
            r"test.parquet has no column coco_caption; .* Is it a file of InpaintCOCO\?",
        ),
    ],
)
def test_a_file_without_a_column_is_refused_with_those_it_has(
    tmp_path: Path, column: str, options: dict[str, Any], message: str
) -> None:
    with pytest.raises(InvalidRequest, match=message):
        read(write(tmp_path / "test.parquet", row(), without=column), **options)


@pytest.mark.parametrize(
    ("columns", "kind", "message"),
    [
        (
            {"mask": {"bytes": None, "path": "x.png"}},
            InvalidRequest,
            "The column mask holds no bytes of a picture here",
        ),
        ({"coco_image": None}, InvalidRequest, "The column coco_image holds no bytes .*found 'None'"),
        ({"coco_image": stored(b"?")}, UnreadableImage, "The source in column coco_image is not an image"),
        ({"mask": stored(encode(Image.new("L", (96, 64), 255)))}, FullMask, "The mask in column mask marks the whole"),
        ({"inpaint_image": stored(encode(make_image(9, 9)))}, ImageError, "The truth in column inpaint_image is 9x9"),
        ({"inpaint_caption": "x" * 5000}, InvalidRequest, "prompt: must have at most 4000"),
    ],
)
def test_a_row_that_cannot_be_used_is_refused_with_its_number(
    tmp_path: Path, columns: dict[str, Any], kind: type[Exception], message: str
) -> None:
    dataset = read(write(tmp_path / "test.parquet", row(), row(1, **columns)))
    assert dataset.samples[0].id == "00000"
    with pytest.raises(kind, match=r"^test.parquet row 1: " + message):
        _ = dataset.samples[1]


def test_files_that_are_not_parquet_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "test.parquet"
    for data in (b"", b"version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 1\n"):
        path.write_bytes(data)
        with pytest.raises(InvalidRequest, match=r"test.parquet cannot be read as Parquet .*pointer of Git LFS"):
            read(path)
    path.unlink()
    with pytest.raises(InputNotFound, match=r"holds no .parquet files"):
        read(tmp_path)
    with pytest.raises(InvalidRequest, match=r"holds no samples"):
        read(write(path))


def test_a_file_that_is_damaged_inside_is_refused_when_its_rows_are_read(tmp_path: Path) -> None:
    path = write(tmp_path / "test.parquet", row())
    data = bytearray(path.read_bytes())
    data[4:2000] = b"\xff" * 1996
    path.write_bytes(data)
    dataset = read(path)
    with pytest.raises(InvalidRequest, match=r"test.parquet row 0: test.parquet cannot be read as Parquet"):
        _ = dataset.samples[0]


def test_without_pyarrow_it_is_said_how_to_get_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write(tmp_path / "test.parquet", row())
    monkeypatch.setitem(sys.modules, "pyarrow.parquet", None)
    with pytest.raises(MissingExtra, match=r"pip install 'inpaint-fleet\[benchmark\]'"):
        read(path)
