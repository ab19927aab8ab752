from __future__ import annotations

import math
from typing import Any

import pytest
from factories import make_request
from inpaint_core.card import ModelCard, Parameter, PromptUse
from inpaint_core.catalogue import load_catalogue
from inpaint_core.errors import ModelRetired, ParameterInvalid, PromptRequired, UnknownModel
from inpaint_core.queues import queue_name
from pydantic import ValidationError


def make_parameter(**fields: Any) -> Parameter:
    return Parameter.model_validate({"type": "number", "default": 5, "help": "how far", **fields})


def make_card(**fields: Any) -> ModelCard:
    card = load_catalogue().card("opencv-telea").model_dump()
    return ModelCard.model_validate(card | fields)


# --- parameters -------------------------------------------------------------------------------------------------------

BETWEEN = {"minimum": 1, "maximum": 64}


@pytest.mark.parametrize(
    ("rule", "value", "allowed"),
    [
        (BETWEEN, 1, True),
        (BETWEEN, 64.0, True),
        (BETWEEN, 0.999, False),
        (BETWEEN, 64.001, False),
        (BETWEEN, math.nan, False),
        (BETWEEN, math.inf, False),
        (BETWEEN, -math.inf, False),
        (BETWEEN, 10**400, False),
        (BETWEEN, "5", False),
        (BETWEEN, True, False),
        ({"minimum": 0}, 10**400, True),
        ({"minimum": 0}, math.inf, False),
        ({"maximum": 9}, -math.inf, False),
        ({}, math.nan, False),
        ({}, -1e300, True),
        ({"type": "integer", **BETWEEN}, 5, True),
        ({"type": "integer", **BETWEEN}, 5.0, False),
        ({"type": "integer", **BETWEEN}, False, False),
        ({"type": "boolean", "default": True}, False, True),
        ({"type": "boolean", "default": True}, 0, False),
        ({"type": "choice", "default": "a", "choices": ["a", "b"]}, "b", True),
        ({"type": "choice", "default": "a", "choices": ["a", "b"]}, "c", False),
    ],
)
def test_a_value_is_allowed_or_not(rule: dict[str, Any], value: object, allowed: bool) -> None:
    assert (make_parameter(**rule).problem(value) is None) is allowed


def test_a_refusal_tells_the_range_the_unit_what_was_found_and_the_default() -> None:
    with pytest.raises(ParameterInvalid) as caught:
        load_catalogue().card("opencv-telea").check(make_request(parameters={"radius": 500}))
    assert caught.value.message == "radius of opencv-telea must be from 1 to 32 pixels, found 500 (default 5)."
    assert caught.value.field == "radius"


def test_an_unknown_parameter_is_refused_with_those_there_are() -> None:
    with pytest.raises(ParameterInvalid, match="opencv-ns has no parameter 'steps'; it has: radius"):
        load_catalogue().card("opencv-ns").check(make_request(parameters={"steps": 20}))


def test_a_default_must_keep_its_own_rule() -> None:
    with pytest.raises(ValidationError, match="default 0: must be from 1 to 64"):
        make_parameter(default=0, **BETWEEN)


def test_what_is_not_given_is_taken_from_the_card() -> None:
    card = load_catalogue().card("opencv-telea")
    assert card.resolve({}) == {"radius": 5}
    assert card.resolve({"radius": 7.5}) == {"radius": 7.5}


# --- prompts and retirement -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("prompt", ["", "  \n\t"])
def test_a_model_that_needs_a_prompt_refuses_an_empty_one(prompt: str) -> None:
    with pytest.raises(PromptRequired, match="Say what belongs in the masked area"):
        make_card(prompt=PromptUse.REQUIRED).check(make_request(prompt=prompt))


@pytest.mark.parametrize("use", [PromptUse.OPTIONAL, PromptUse.IGNORED])
def test_other_models_do_not_ask_for_a_prompt(use: PromptUse) -> None:
    make_card(prompt=use).check(make_request(prompt=""))


def test_a_retired_model_names_its_substitute() -> None:
    with pytest.raises(ModelRetired, match="Use opencv-ns instead"):
        make_card(status="retired", substitute="opencv-ns").check(make_request())
    with pytest.raises(ModelRetired, match="inpaint models"):
        make_card(status="retired").check(make_request())


def test_a_retired_model_of_an_api_tells_operators_how_to_serve_it() -> None:
    card = load_catalogue().card("dall-e-2")
    with pytest.raises(ModelRetired, match=r"offers gpt-image-2 instead.*\[models.dall-e-2\] serve_by = .gpt-image-2."):
        card.check(make_request(model="dall-e-2", prompt="a cat"))
    assert (card.served, card.api_model) == (False, "dall-e-2")


def test_a_retired_model_that_a_deployment_serves_by_another_takes_jobs() -> None:
    card = ModelCard.model_validate(load_catalogue().card("dall-e-2").model_dump() | {"serve_by": "gpt-image-2"})
    card.check(make_request(model="dall-e-2", prompt="a cat"))
    assert (card.served, card.status, card.api_model) == (True, "retired", "gpt-image-2")
    assert load_catalogue().card("opencv-telea").api_model is None


def test_only_a_model_of_an_api_can_be_served_by_another() -> None:
    with pytest.raises(ValidationError, match="only a model with device 'api'"):
        make_card(status="retired", serve_by="opencv-ns")


@pytest.mark.parametrize("name", ["", "With Capitals", "-dash-first", "under_score", "a" * 64])
def test_a_name_that_could_not_be_a_queue_is_refused(name: str) -> None:
    with pytest.raises(ValidationError):
        make_card(name=name)


# --- catalogue --------------------------------------------------------------------------------------------------------


def test_the_catalogue_lists_every_card_under_its_own_name() -> None:
    catalogue = load_catalogue()
    assert {"opencv-telea", "opencv-ns"} <= set(catalogue)
    assert list(catalogue) == sorted(catalogue)
    assert all(card.name == name for name, card in catalogue.items())
    assert len({queue_name(name) for name in catalogue}) == len(catalogue)


def test_a_misspelt_model_offers_the_nearest_names() -> None:
    with pytest.raises(UnknownModel, match=r"There is no model .opencv-tela.\. Did you mean opencv-telea") as caught:
        load_catalogue().card("opencv-tela")
    assert caught.value.nearest[0] == "opencv-telea"


def test_a_name_like_no_other_gets_the_whole_list() -> None:
    with pytest.raises(UnknownModel, match=r"There are: .*opencv-ns"):
        load_catalogue().card("zzzzzz")


@pytest.mark.parametrize("name", list(load_catalogue()))
def test_a_substitute_is_a_model_that_is_served(name: str) -> None:
    card = load_catalogue().card(name)
    # A vendor's own substitute is no card: it is what `serve_by` may name.
    if card.substitute is not None and card.device != "api":
        assert load_catalogue().card(card.substitute).status == "active"
