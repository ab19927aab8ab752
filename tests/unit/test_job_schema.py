from __future__ import annotations

import json
from importlib import resources
from typing import Any

import pytest
from factories import request_data
from inpaint_core.contract import SCHEMA_FILE, message_schema, schema_text
from inpaint_core.job import JobMessage, JobRequest
from jsonschema import Draft202012Validator
from pydantic import ValidationError

VALIDATOR = Draft202012Validator(json.loads(SCHEMA_FILE.read_text(encoding="utf-8")))


def whole(**fields: Any) -> dict[str, Any]:
    return {"version": 1, "request": request_data(**fields)}


def test_the_schema_file_is_what_the_model_says() -> None:
    written = SCHEMA_FILE.read_text(encoding="utf-8")
    assert written == schema_text(), "run: python -m inpaint_core.contract"


def test_the_schema_is_a_valid_schema_of_its_draft() -> None:
    Draft202012Validator.check_schema(message_schema())


def test_the_schema_is_installed_with_the_package() -> None:
    installed = resources.files("inpaint_core") / "contract.schema.json"
    assert json.loads(installed.read_text(encoding="utf-8"))["$id"] == "urn:inpaint-fleet:contract:1"


def test_every_field_of_a_request_is_in_the_schema() -> None:
    assert set(message_schema()["$defs"]["JobRequest"]["properties"]) == set(JobRequest.model_fields)


@pytest.mark.parametrize(
    "message",
    [
        {"version": 1},
        {"version": 1, "request": None},
        whole(),
        whole(prompt="a sofa", negative_prompt="blurred", seed=2**32 - 1, campaign="c", idempotency_key="k"),
        whole(parameters={"radius": 3.5, "on": True, "n": 3, "mode": "x"}, tags={"room": "7"}),
        whole(priority="high", deadline="2030-01-01T00:00:00Z"),
        whole(seed=None, campaign=None, deadline=None),
        whole(mask="alpha"),
        whole(mask={"boxes": [[-5, 0, 10, 10], [3, 3, 4, 4]]}),
        whole(mask={"boxes": [], "polygons": [[[0, 0], [9.5, 0], [0, 9]]]}),
        whole(tier="fast"),
        whole(tier=None),
        whole(edit={}),
        whole(edit={"polarity": "black", "threshold": 200, "resize_mask": True, "fill_holes": True, "grow": 2.5}),
        whole(edit={"fit": "whole", "padding": None, "detail": "full", "format": "avif", "quality": 70}),
    ],
)
def test_what_the_schema_allows_a_worker_accepts(message: dict[str, Any]) -> None:
    VALIDATOR.validate(message)
    JobMessage.model_validate_json(json.dumps(message))


@pytest.mark.parametrize(
    "message",
    [
        {"version": 2},
        {"version": "one"},
        {"version": 1, "prompt": "x"},
        {"version": 1, "request": {}},
        {"version": 1, "request": "s3://inpaint/x"},
        whole(model=""),
        whole(source="room.jpg"),
        whole(source="s3://Bucket/x"),
        whole(mask=None),
        whole(prompt="x" * 4001),
        whole(seed=-1),
        whole(seed=2**32),
        whole(parameters={"radius": [3]}),
        whole(tags={"room": 7}),
        whole(tags={str(i): "x" for i in range(17)}),
        whole(priority="urgent"),
        whole(campaign=""),
        whole(tier="quick"),
        whole(promt="x"),
        whole(mask="room.png"),
        whole(mask={"box": [[0, 0, 9, 9]]}),
        whole(mask={"boxes": [[0, 0, 9]]}),
        whole(mask={"boxes": [[0, 0, 9, 200_000]]}),
        whole(mask={"polygons": [[[0, 0], [9, 9]]]}),
        whole(mask=[[0, 0, 9, 9]]),
        whole(edit=None),
        whole(edit={"grw": 8}),
        whole(edit={"grow": -1}),
        whole(edit={"polarity": "red"}),
        whole(edit={"padding": 1.5}),
        whole(edit={"format": "jpeg", "quality": 0}),
    ],
)
def test_what_the_schema_refuses_a_worker_refuses(message: dict[str, Any]) -> None:
    assert not VALIDATOR.is_valid(message)
    with pytest.raises(ValidationError):
        JobMessage.model_validate_json(json.dumps(message))
