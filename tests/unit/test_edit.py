"""The options of an edit and the shapes of a mask: what is taken, and the sentences for what is not."""

from __future__ import annotations

from typing import Any

import pytest
from factories import make_request, request_data
from inpaint_core.edit import QUALITY, Box, EditOptions, MaskShapes, OutputFormat
from inpaint_core.errors import InvalidRequest
from inpaint_core.parsing import parse_request
from inpaint_core.status import MaskKind

ALL = {
    "polarity": "black", "threshold": 1, "resize_mask": True, "fill_holes": True, "grow": 1024, "feather": 0.5,
    "padding": 0, "detail": "full", "format": "webp", "quality": 100, "keep_raw": True,
}  # fmt: skip


def refusal(**fields: Any) -> InvalidRequest:
    with pytest.raises(InvalidRequest) as caught:
        parse_request(request_data(**fields))
    return caught.value


# --- options ----------------------------------------------------------------------------------------------------------


def test_without_options_an_edit_says_nothing() -> None:
    assert EditOptions().said() == {} == EditOptions(threshold=128, fit="crop", format="png").said()  # type: ignore[arg-type]


def test_every_option_is_said_if_it_differs() -> None:
    assert EditOptions.model_validate(ALL).said() == ALL
    assert {*ALL, "fit"} == set(EditOptions.model_fields)
    assert EditOptions.model_validate({"fit": "whole"}).said() == {"fit": "whole"}


def test_jpg_is_jpeg_however_it_is_written() -> None:
    assert EditOptions.model_validate({"format": "JPG"}).format is OutputFormat.JPEG


@pytest.mark.parametrize(
    ("edit", "words"),
    [
        ({"grw": 8}, "edit.grw is not a field of edit; the fields are polarity, threshold, resize_mask"),
        ({"polarity": "transparant"}, "edit.polarity: must be 'white', 'black' or 'transparent' (found 'transparant')"),
        ({"threshold": 0}, "edit.threshold: must be from 1 to 255 (found 0)"),
        ({"threshold": 256}, "edit.threshold: must be from 1 to 255"),
        ({"threshold": 0.5}, "edit.threshold: must be a valid integer"),
        ({"grow": -1}, "edit.grow: must be from 0 to 1024 (found -1)"),
        ({"grow": 1025}, "edit.grow: must be from 0 to 1024"),
        ({"grow": float("nan")}, "edit.grow: must be a finite number"),
        ({"grow": "8px"}, "edit.grow: must be a valid number"),
        ({"feather": 5000}, "edit.feather: must be from 0 to 1024"),
        ({"fit": "stretch"}, "edit.fit: must be 'crop' or 'whole'"),
        ({"padding": 9, "fit": "whole"}, "edit: padding is for the fit crop"),
        ({"padding": -1}, "edit.padding: must be from 0 to 16384"),
        ({"padding": 20_000}, "edit.padding: must be from 0 to 16384"),
        ({"detail": "most"}, "edit.detail: must be 'native' or 'full'"),
        ({"format": "gif"}, "edit.format: must be 'png', 'jpeg', 'webp' or 'avif' (found 'gif')"),
        ({"format": "jpeg", "quality": 101}, "edit.quality: must be from 1 to 100"),
        ({"quality": 90}, "edit: quality is for jpeg, webp and avif; png keeps every pixel and has none"),
        ({"keep_raw": "perhaps"}, "edit.keep_raw: must be a valid boolean"),
        ("grow=8", "edit: must be a valid dictionary"),
    ],
    ids=str,
)
def test_a_wrong_option_is_named_with_what_is_expected(edit: Any, words: str) -> None:
    error = refusal(edit=edit)
    assert words in error.message and error.field == "edit" and len(error.message) < 400


def test_options_as_texts_are_read_as_what_they_say() -> None:
    """Cells of a CSV file are texts."""
    texts = {name: str(value).lower() for name, value in ALL.items()}
    assert make_request(edit=texts).edit == EditOptions.model_validate(ALL)


def test_each_lossy_format_has_a_quality() -> None:
    assert set(QUALITY) == {kind.value for kind in OutputFormat} - {"png"}


# --- masks of a request -----------------------------------------------------------------------------------------------

BOX = {"boxes": [[10, 20, 30, 40]]}
TRIANGLE = {"polygons": [[[0, 0], [10.5, 0], [0, 10]]]}


@pytest.mark.parametrize(
    ("mask", "kind"),
    [("s3://inpaint/in/mask.png", MaskKind.OBJECT), ("alpha", MaskKind.ALPHA), (BOX, MaskKind.SHAPES)],
)
def test_a_mask_has_three_forms(mask: Any, kind: MaskKind) -> None:
    request = make_request(mask=mask)
    assert request.mask_kind is kind
    assert request.mask_uri == (mask if kind is MaskKind.OBJECT else None)
    assert type(request).model_validate_json(request.model_dump_json()) == request


@pytest.mark.parametrize(
    ("mask", "words"),
    [
        ({}, "mask: needs at least one box or polygon"),
        ({"box": [[0, 0, 1, 1]]}, "mask.box is not a field of a mask of shapes; the fields are boxes, polygons"),
        ({"boxes": [[0, 0, 1]]}, "mask.boxes.0.3 is missing"),
        ({"boxes": [[0, 0, 1, 1.5]]}, "mask.boxes.0.3: boxes are lists of four whole"),
        ({"boxes": [[30, 20, 10, 40]]}, "mask: box [30, 20, 10, 40] is empty: it must be [left, top, right, bottom]"),
        ({"boxes": [[10, 20, 30, 20]]}, "is empty"),
        ({"boxes": [[0, 0, 200_000, 9]]}, "mask.boxes.0.2: must be less than or equal to 100000"),
        ({"boxes": [[0, 0, 9, 9]] * 257}, "mask.boxes: Tuple should have at most 256 items"),
        ({"polygons": [[[0, 0], [1, 1]]]}, "mask.polygons.0: polygons are lists of three or more corners"),
        ({"polygons": [[[0, 0], [1, float("inf")], [2, 2]]]}, "mask.polygons.0.1.1: must be a finite number"),
        ({"polygons": [[[0, 0], [9, 0], [0, 9]]] * 256 + [[[0, 0], [9, 0], [0, 9]]]}, "at most 256 items"),
        ({"polygons": [[[n, n * n] for n in range(300)]] * 7}, "have 2,100 points together, and at most 1,000"),
        ("transparent", "mask: must be s3://bucket/key, 'alpha', or an object of boxes and polygons"),
        ("room.png", "mask: must be s3://bucket/key, 'alpha', or an object"),
        (None, "mask"),
        ([[0, 0, 9, 9]], "mask"),
    ],
    ids=lambda value: str(value)[:40],
)
def test_a_wrong_mask_is_named_with_what_is_expected(mask: Any, words: str) -> None:
    error = refusal(mask=mask)
    assert words in error.message and error.field == "mask" and len(error.message) < 400


def test_shapes_are_values() -> None:
    assert MaskShapes.model_validate(BOX) == MaskShapes(boxes=((10, 20, 30, 40),))
    assert len({MaskShapes.model_validate(BOX), MaskShapes.model_validate(BOX)}) == 1


# --- fingerprint ------------------------------------------------------------------------------------------------------


def test_requests_from_before_there_were_options_keep_their_fingerprint() -> None:
    """As it was computed before. Stored beside each job, and compared when an idempotency key is used again."""
    before = "d1808282ed721c54fb943ec4521d7658e9d4b438c6e53ee77038c06e382a9bac"
    assert make_request().fingerprint() == before
    assert make_request(edit={}).fingerprint() == before
    assert make_request(edit={"polarity": "white", "grow": 0, "format": "png"}).fingerprint() == before


CHANGES: list[dict[str, Any]] = [{"edit": {"format": "webp"} | {name: value}} for name, value in ALL.items()]
CHANGES += [{"mask": mask} for mask in ("alpha", BOX, TRIANGLE)]


@pytest.mark.parametrize("change", CHANGES, ids=lambda change: str(next(iter(change.values()))))
def test_options_and_shapes_decide_the_picture_and_so_the_fingerprint(change: dict[str, Any]) -> None:
    assert make_request(**change).fingerprint() != make_request().fingerprint()


# --- boxes ------------------------------------------------------------------------------------------------------------


def test_boxes_are_counted_joined_cut_and_moved() -> None:
    box, other = Box(0, 0, 10, 4), Box(8, 2, 20, 30)
    assert (box.width, box.height, box.area) == (10, 4, 40)
    assert box | other == Box(0, 0, 20, 30)
    assert box & other == Box(8, 2, 10, 4)
    assert (box & Box(50, 50, 60, 60)).area == 0
    assert box.moved(2, -1) == Box(2, -1, 12, 3)
