from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta, timezone
from typing import Any
from uuid import UUID

import pytest
from factories import make_request, request_data
from inpaint_core.edit import EditOptions
from inpaint_core.errors import InvalidRequest
from inpaint_core.ids import new_id
from inpaint_core.job import MAX_PROMPT, MAX_SEED, JobMessage, JobRequest, parse_job_id
from inpaint_core.parsing import explain_request, parse_request
from pydantic import ValidationError


def refusal(**fields: Any) -> InvalidRequest:
    with pytest.raises(InvalidRequest) as caught:
        parse_request(request_data(**fields))
    return caught.value


def test_a_minimal_request_is_complete() -> None:
    request = parse_request(request_data())
    assert (request.prompt, request.seed, request.parameters, request.tags) == ("", None, {}, {})
    assert request.priority == "normal"


@pytest.mark.parametrize("field", ["model", "source", "mask"])
def test_a_missing_field_is_named(field: str) -> None:
    data = request_data()
    del data[field]
    with pytest.raises(InvalidRequest, match=f"^{field} is missing"):
        parse_request(data)


@pytest.mark.parametrize(
    ("field", "value", "expected"),
    [
        ("source", "room.jpg", "must be s3://bucket/key"),
        ("mask", "s3://bucket/../x", "'..' part"),
        ("source", "s3://bucket/" + "k" * 1200, "at most 1200 characters"),
        ("model", "", "at least 1 character"),
        ("prompt", "x" * (MAX_PROMPT + 1), "at most 4000 characters"),
        ("prompt", "a\x00b", "NUL"),
        ("prompt", "\ud800", "unicode"),
        ("prompt", None, "valid string"),
        ("campaign", "a\x00b", "NUL"),
        ("campaign", "", "at least 1 character"),
        ("campaign", "c" * 201, "at most 200 characters"),
        ("idempotency_key", "a\x00b", "NUL"),
        ("tags", {"room": "a\x00b"}, "NUL"),
        ("tags", {"a\x00b": "room"}, "NUL"),
        ("tags", {str(i): "" for i in range(17)}, "at most 16 items"),
        ("seed", -1, "greater than or equal to 0"),
        ("seed", MAX_SEED + 1, "less than or equal to 4294967295"),
        ("seed", 1.5, "integer"),
        ("priority", "urgent", "'low', 'normal' or 'high'"),
        ("deadline", "2030-01-01T00:00:00", "timezone"),
        ("deadline", "tomorrow", "datetime"),
        ("parameters", {"radius": [1]}, "valid"),
        ("parameters", {"radius": float("nan")}, "finite"),
        ("parameters", {"radius": float("inf")}, "finite"),
        ("parameters", {"mode": "a\x00b"}, "NUL"),
        ("parameters", "radius=3", "dictionary"),
    ],
)
def test_a_wrong_field_is_named_with_what_was_found_and_what_is_expected(field: str, value: Any, expected: str) -> None:
    error = refusal(**{field: value})
    assert error.message.startswith(field)
    assert expected in error.message and "found" in error.message
    assert error.field == field
    assert len(error.message) < 600


def test_an_unknown_field_is_named_with_the_fields_there_are() -> None:
    error = refusal(promt="a sofa")
    assert "promt is not a field of a request; the fields are model, source, mask, prompt" in error.message


def test_the_name_of_an_unknown_field_is_made_fit_to_be_stored() -> None:
    assert refusal(**{"a\x00\n\x1bb": 1}).message.startswith("a???b is not a field")


def test_a_long_value_is_not_repeated_in_full() -> None:
    assert len(refusal(prompt="secret " * 1000).message) < 200


def test_the_longest_prompt_and_the_largest_seed_are_accepted() -> None:
    request = make_request(prompt="ü" * MAX_PROMPT, seed=MAX_SEED)
    assert len(request.prompt) == MAX_PROMPT and request.seed == MAX_SEED


def test_a_deadline_is_kept_in_utc() -> None:
    deadline = datetime(2030, 1, 1, 2, tzinfo=timezone(timedelta(hours=2)))
    assert make_request(deadline=deadline).deadline == datetime(2030, 1, 1, tzinfo=UTC)
    assert str(make_request(deadline=deadline).deadline) == "2030-01-01 00:00:00+00:00"


def test_a_request_cannot_be_changed() -> None:
    with pytest.raises(ValidationError, match="frozen"):
        make_request().prompt = "other"  # type: ignore[misc]


def test_a_request_survives_the_message() -> None:
    request = make_request(prompt="a sofa", seed=0, parameters={"radius": 3.5, "on": True}, tags={"room": "7"})
    message = JobMessage(request=request)
    assert JobMessage.model_validate_json(message.model_dump_json()).request == request


def test_a_message_of_another_version_is_refused() -> None:
    with pytest.raises(ValidationError, match="Input should be 1"):
        JobMessage.model_validate({"version": 2})


# --- fingerprint ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "change",
    [
        {"model": "opencv-ns"},
        {"source": "s3://inpaint/in/other.jpg"},
        {"mask": "s3://inpaint/in/other.png"},
        {"prompt": "a sofa"},
        {"negative_prompt": "blurred"},
        {"seed": 0},
        {"parameters": {"radius": 6}},
        {"tier": "fast"},
    ],
    ids=lambda change: next(iter(change)),
)
def test_whatever_decides_the_picture_changes_the_fingerprint(change: dict[str, Any]) -> None:
    assert make_request(**change).fingerprint() != make_request().fingerprint()


def test_a_tier_that_is_named_is_another_request_than_the_workers_own() -> None:
    assert make_request(tier="exact").fingerprint() != make_request().fingerprint()
    assert make_request(tier=None).fingerprint() == make_request().fingerprint()


def test_a_tier_that_there_is_not_is_refused_with_those_that_there_are() -> None:
    assert refusal(tier="quick").message == "tier: must be 'exact', 'fast' or 'turbo' (found 'quick')."


@pytest.mark.parametrize(
    "change",
    [
        {"campaign": "spring"},
        {"tags": {"room": "7"}},
        {"priority": "high"},
        {"deadline": "2030-01-01T00:00:00Z"},
        {"idempotency_key": "k"},
    ],
    ids=lambda change: next(iter(change)),
)
def test_labels_priority_and_deadline_do_not_change_the_fingerprint(change: dict[str, Any]) -> None:
    assert make_request(**change).fingerprint() == make_request().fingerprint()


def test_every_field_is_on_one_side_of_the_fingerprint_or_the_other() -> None:
    decides = {"model", "source", "mask", "prompt", "negative_prompt", "seed", "parameters", "edit"}
    decides |= {"reference_image", "reference_strength", "control_image", "control_type", "control_strength", "outputs"}
    decides |= {"tier"}
    labels = {"campaign", "tags", "priority", "deadline", "idempotency_key"}
    assert set(JobRequest.model_fields) == decides | labels


def test_the_order_of_parameters_does_not_change_the_fingerprint() -> None:
    one, other = make_request(parameters={"a": 1, "b": 2}), make_request(parameters={"b": 2, "a": 1})
    assert one.fingerprint() == other.fingerprint()


def test_the_fingerprint_is_the_same_in_every_release() -> None:
    # Stored beside each job: if it changes, every repeated submit with an old key is refused as another request.
    request = make_request(prompt="ein Sofa, grün", seed=7, parameters={"radius": 3})
    assert request.fingerprint() == "03e1ad7fe7958960742b53ad5051a3484bfabb281e1183f57183850b0ac47794"


@pytest.mark.parametrize(
    "fields",
    [
        {"reference_image": "s3://inpaint/in/lamp.png"},
        {"reference_image": "s3://inpaint/in/lamp.png", "reference_strength": 0.5},
        {"control_image": "s3://inpaint/in/lines.png", "control_type": "canny"},
        {"control_image": "s3://inpaint/in/lines.png", "control_type": "sketch"},
        {"outputs": 2},
    ],
)
def test_guides_and_outputs_change_the_fingerprint(fields: dict[str, Any]) -> None:
    seen = {make_request().fingerprint(), make_request(**fields).fingerprint()}
    assert len(seen) == 2


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"reference_strength": 0.5}, "A reference_strength needs a reference_image."),
        ({"control_image": "s3://inpaint/in/l.png"}, "the types are canny, soft-edge, sketch, lines, depth, pose"),
        ({"control_type": "canny"}, "control_image and control_type go together"),
        ({"control_strength": 1}, "A control_strength needs a control_image"),
        ({"reference_image": "s3://inpaint/r.png", "reference_strength": 1.5}, "must be from 0 to 1 (found 1.5)"),
        ({"outputs": 9}, "outputs: must be from 1 to 8 (found 9)"),
        ({"outputs": 0}, "outputs: must be from 1 to 8 (found 0)"),
    ],
)
def test_guides_that_do_not_fit_together_are_refused(fields: dict[str, Any], said: str) -> None:
    assert said in refusal(**fields).message


def test_a_seed_is_drawn_once_and_a_given_one_is_kept() -> None:
    assert make_request(seed=0).with_seed().seed == 0
    drawn = {make_request().with_seed().seed for _ in range(8)}
    assert len(drawn) > 1 and all(0 <= seed <= MAX_SEED for seed in drawn if seed is not None)


# --- ids --------------------------------------------------------------------------------------------------------------


def test_ids_sort_by_the_time_they_were_made() -> None:
    ids = [new_id() for _ in range(1000)]
    assert ids == sorted(ids) and len(set(ids)) == 1000
    assert type(ids[0]) is UUID and ids[0].version == 7


def test_a_job_id_is_a_uuid_or_a_sentence() -> None:
    job_id = new_id()
    assert parse_job_id(str(job_id)) == parse_job_id(job_id.hex) == job_id
    with pytest.raises(InvalidRequest, match="'7' is not a job id"):
        parse_job_id("7")


def test_json_of_a_request_has_no_surprises_for_other_languages() -> None:
    data = json.loads(make_request(deadline="2030-01-01T00:00:00Z").model_dump_json())
    assert data["deadline"] == "2030-01-01T00:00:00Z"
    assert data["priority"] == "normal"


# --- whole-request messages -------------------------------------------------------------------------------------------


def refused_message(**fields: Any) -> InvalidRequest:
    """What is said of a message that brings this request."""
    with pytest.raises(ValidationError) as caught:
        JobMessage.model_validate({"version": 1, "request": request_data(**fields)})
    return explain_request(caught.value)


@pytest.mark.parametrize(
    "fields",
    [
        {"edit": {"feahter": 3}},
        {"edit": {"grow": -1}},
        {"edit": "soft"},
        {"edit": {"quality": 80}},
        {"mask": {"boxes": [[1, 2, 3]]}},
        {"mask": {"boxes": [[5, 5, 2, 2]]}},
        {"mask": {"boxes": 5}},
        {"mask": {"circles": [[1, 2, 3]]}},
        {"mask": {"polygons": [[[1, 1], [2, 2]]]}},
        {"mask": {}},
        {"mask": "room.png"},
        {"mask": 5},
        {"mask": None},
        {"prompt": "a\x00b"},
        {"seed": -1},
        {"colour": "red"},
    ],
    ids=str,
)
def test_a_message_is_told_the_same_as_a_producer(fields: dict[str, Any]) -> None:
    said, wanted = refused_message(**fields).message, refusal(**fields).message
    assert said == wanted and said.startswith(next(iter(fields)))
    assert not any(word in said for word in ("request.", ".shapes", ".object", "mask.alpha"))


def test_a_misspelt_option_of_a_message_is_named_with_the_options_there_are() -> None:
    assert refused_message(edit={"feahter": 3}).message == (
        f"edit.feahter is not a field of edit; the fields are {', '.join(EditOptions.model_fields)}."
    )


def test_what_is_wrong_with_the_message_itself_is_named_too() -> None:
    with pytest.raises(ValidationError) as caught:
        JobMessage.model_validate({"version": 1, "request": "a sofa"})
    assert explain_request(caught.value).message.startswith("request: must be a valid dictionary")


def test_the_field_of_a_message_is_named_without_the_message() -> None:
    assert refused_message(seed=-1).facts["field"] == "seed"
