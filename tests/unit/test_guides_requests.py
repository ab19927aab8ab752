"""Reference and control images and several outputs in a request: what is refused, what it says, and the fingerprint."""

from __future__ import annotations

import hashlib
import json
from typing import Any

import pytest
from factories import make_request, request_data
from guide_scene import CARD, CATALOGUE, FIXED, PLAIN
from inpaint_core.card import ModelCard
from inpaint_core.catalogue import Catalogue, load_catalogue
from inpaint_core.errors import CannotDo, ControlMismatch, InvalidRequest
from inpaint_core.guides import ControlType, check_control
from inpaint_core.job import MAX_SEED
from inpaint_core.parsing import parse_request

IMAGE = "s3://inpaint/in/guide.png"
CANNY = {"control_image": IMAGE, "control_type": "canny"}


# --- the request alone ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"reference_strength": 0.5}, ["A reference_strength needs a reference_image."]),
        ({"control_strength": 0.5}, ["A control_strength needs a control_image."]),
        ({"control_type": "canny"}, ["control_image and control_type go together", "soft-edge"]),
        ({"control_image": IMAGE}, ["control_image and control_type go together", "canny, soft-edge, sketch"]),
        ({**CANNY, "control_type": "edges"}, ["control_type", "'canny'", "'soft-edge'", "found 'edges'"]),
        ({"reference_image": IMAGE, "reference_strength": 1.01}, ["reference_strength", "1", "found 1.01"]),
        ({"reference_image": IMAGE, "reference_strength": -0.01}, ["reference_strength", "0", "found -0.01"]),
        ({"reference_image": IMAGE, "reference_strength": float("nan")}, ["reference_strength", "found nan"]),
        ({**CANNY, "control_strength": 2.01}, ["control_strength", "2", "found 2.01"]),
        ({"reference_image": "room.jpg"}, ["reference_image", "must be s3://bucket/key", "found 'room.jpg'"]),
        ({**CANNY, "control_image": "s3://b"}, ["control_image", "must be s3://bucket/key"]),
        ({"outputs": 0}, ["outputs", "1", "found 0"]),
        ({"outputs": 9}, ["outputs", "8", "found 9"]),
        ({"outputs": 1.5}, ["outputs", "found 1.5"]),
        ({"outputs": "many"}, ["outputs", "found 'many'"]),
    ],
)
def test_what_does_not_fit_together_or_is_out_of_range_is_told(fields: dict[str, Any], words: list[str]) -> None:
    with pytest.raises(InvalidRequest) as caught:
        parse_request(request_data(**fields))
    for word in words:
        assert word in caught.value.message
    assert "s3://inpaint/in/room.jpg" not in caught.value.message  # one field is wrong, not the whole request


@pytest.mark.parametrize("strength", [0, 2, 0.0])
def test_the_ends_of_the_ranges_are_allowed(strength: float) -> None:
    request = make_request(reference_image=IMAGE, reference_strength=min(strength, 1), **CANNY, outputs=8)
    assert request.guides == {"reference": IMAGE, "control": IMAGE}
    assert make_request(**CANNY, control_strength=strength, seed=MAX_SEED).control_type is ControlType.CANNY


def plain_hash(**fields: Any) -> str:
    """The fingerprint of a request from before there were guides, made by hand."""
    asked = {
        "model": "opencv-telea", "source": "s3://inpaint/in/room.jpg", "mask": "s3://inpaint/in/mask.png", "prompt": "",
        "negative_prompt": "", "seed": None, "parameters": {}, **fields,
    }  # fmt: skip
    return hashlib.sha256(json.dumps(asked, sort_keys=True, separators=(",", ":")).encode()).hexdigest()


def test_without_guides_the_fingerprint_is_what_it_was_before_there_were_any() -> None:
    assert make_request().fingerprint() == plain_hash()
    said = {"reference_image": None, "control_type": None, "control_strength": None, "outputs": 1}
    assert make_request(seed=3, **said).fingerprint() == plain_hash(seed=3)


def test_each_field_of_the_guides_counts_in_the_fingerprint_and_equal_ones_count_alike() -> None:
    asked: list[dict[str, Any]] = [
        {}, {"outputs": 2}, {"outputs": 3}, {"reference_image": IMAGE}, {"reference_image": IMAGE + "x"}, CANNY,
        {**CANNY, "control_type": "depth"}, {**CANNY, "control_strength": 0.5}, {**CANNY, "control_strength": 0},
        {"reference_image": IMAGE, "reference_strength": 0}, {"reference_image": IMAGE, "reference_strength": 1},
    ]  # fmt: skip
    hashes = [make_request(**fields).fingerprint() for fields in asked]
    assert len(set(hashes)) == len(asked)
    assert hashes[-1] == make_request(reference_image=IMAGE, reference_strength=1.0).fingerprint()


# --- what models can do -----------------------------------------------------------------------------------------------


def refused(request: dict[str, Any], catalogue: Catalogue = CATALOGUE, model: str = PLAIN.name) -> CannotDo:
    with pytest.raises(CannotDo) as caught:
        catalogue.check(make_request(model=model, **request))
    assert caught.value.code == "cannot_do"
    return caught.value


def test_a_refusal_names_the_models_that_can() -> None:
    error = refused({"reference_image": IMAGE})
    assert error.message == (
        "test-plain takes no reference image. These can: test-fixed, test-guided. Take one of them, or leave it out."
    )
    assert (error.field, error.facts["models"]) == ("reference_image", ["test-fixed", "test-guided"])
    error = refused(CANNY)
    assert error.message.startswith("test-plain takes no control image. These can: test-fixed, test-guided.")
    error = refused({"negative_prompt": "blur"}, model=CARD.name)
    assert error.message == (
        "test-guided knows no negative prompt. These can: test-plain. Take one of them, or leave it out."
    )
    assert error.field == "negative_prompt"


def test_a_type_that_a_model_does_not_take_is_refused_with_those_it_takes() -> None:
    error = refused({**CANNY, "control_type": "pose"}, model=CARD.name)
    assert error.message == "test-guided takes no control image of the type pose, only canny, depth. Leave it out."
    assert error.field == "control_type"


def test_a_strength_that_a_model_does_not_have_is_refused() -> None:
    error = refused({"reference_image": IMAGE, "reference_strength": 0.5}, model=FIXED.name)
    assert error.message == (
        "The reference image of test-fixed (its mean colour) has no strength. Leave out reference_strength."
    )
    CATALOGUE.check(make_request(model=FIXED.name, reference_image=IMAGE))


def test_blank_negative_prompts_and_those_of_models_without_any_prompt_are_no_reason() -> None:
    CATALOGUE.check(make_request(model=CARD.name, negative_prompt="  \n"))
    load_catalogue().check(make_request(prompt="a chair", negative_prompt="blur"))


def test_models_are_offered_that_can_do_all_that_is_asked() -> None:
    only_reference = CARD.model_copy(update={"name": "half", "control": None})
    catalogue = Catalogue({**CATALOGUE, "half": only_reference})
    both = {"reference_image": IMAGE, **CANNY}
    assert refused(both, catalogue).facts["models"] == ["test-fixed", "test-guided"]
    # That one of test-fixed has no strength: it would be refused next.
    assert refused({**both, "reference_strength": 0.4}, catalogue).facts["models"] == ["test-guided"]
    # Where none can do all of it, those that can do this much.
    assert refused({**both, "negative_prompt": "blur"}, catalogue).facts["models"] == [
        "test-fixed", "test-guided", "half",
    ]  # fmt: skip


def test_retired_models_are_not_offered() -> None:
    retired = CARD.model_copy(update={"status": "retired"})
    catalogue = Catalogue({**CATALOGUE, retired.name: retired})
    assert refused({"reference_image": IMAGE}, catalogue).facts["models"] == ["test-fixed"]


def test_of_the_package_those_are_offered_whose_cards_say_so() -> None:
    catalogue = load_catalogue()

    def able(can: Any) -> list[str]:
        return [card.name for card in catalogue.values() if card.served and can(card)]

    error = refused({"reference_image": IMAGE}, catalogue, model="opencv-telea")
    assert error.facts["models"] == able(lambda card: card.reference) != []
    for name in error.facts["models"]:
        assert name in error.message
    error = refused({**CANNY, "control_type": "depth"}, catalogue, model="opencv-ns")
    assert error.facts["models"] == able(lambda card: card.control and "depth" in card.control.types) != []


def test_where_nobody_can_it_says_to_leave_it_out() -> None:
    error = refused({**CANNY, "control_type": "pose"})
    assert error.message == "test-plain takes no control image. Leave it out."
    assert error.facts["models"] == []


def test_cards_refuse_strengths_and_types_that_no_request_could_have() -> None:
    for wrong in ({"reference": {"by": "x", "strength": 1.5}}, {"control": {"by": "x", "types": [], "strength": 1}}):
        with pytest.raises(ValueError, match=r"strength|types"):
            ModelCard.model_validate(CARD.model_dump() | wrong)


# --- the shape of a control image -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("control", "fits"),
    [
        ((900, 600), True), ((450, 300), True), ((3600, 2400), True), ((3, 2), True), ((64, 43), True),
        ((917, 600), True), ((900, 611), True), ((600, 900), False), ((930, 600), False), ((900, 640), False),
        ((1, 1), False), ((600, 600), False),
    ],
)  # fmt: skip
def test_a_control_image_has_the_proportions_of_the_source_and_any_size(control: tuple[int, int], fits: bool) -> None:
    if fits:
        check_control((900, 600), control)
        return
    with pytest.raises(ControlMismatch) as caught:
        check_control((900, 600), control)
    message = caught.value.message
    assert f"The control image is {control[0]}x{control[1]} pixels and the source 900x600" in message
    assert "in the source's proportions" in message


@pytest.mark.parametrize("source", [(900, 600), (97, 64), (4000, 3000), (1000, 33)])
def test_a_control_image_scaled_down_as_programs_round_is_taken_down_to_64_pixels(source: tuple[int, int]) -> None:
    for side in (64, 100, 257, 512):
        scale = side / max(source)
        if min(source) * scale >= 32:
            check_control(source, (round(source[0] * scale), round(source[1] * scale)))
