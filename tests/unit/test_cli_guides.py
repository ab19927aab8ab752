"""Guides and outputs on the command line, without a server: how they are explained, completed and listed."""

from __future__ import annotations

import json

import pytest
from inpaint_core.catalogue import load_catalogue
from inpaint_core.guides import ControlType
from inpaint_fleet.cli import card_wording, guide_options
from inpaint_fleet.cli.app import app
from typer.testing import CliRunner

runner = CliRunner()
OPTIONS = ("reference-image", "reference-strength", "control-image", "control-type", "control-strength", "outputs")


def said(*arguments: str) -> str:
    result = runner.invoke(app, list(arguments), env={"COLUMNS": "200"})
    assert result.exit_code == 0, result.output
    return result.stdout


@pytest.mark.parametrize("command", ["submit", "submit-batch"])
def test_both_submits_explain_all_of_them_with_their_ranges(command: str) -> None:
    text = " ".join(said(command, "--help").split())
    for option in OPTIONS:
        assert f"--{option} " in text
    assert "Guides, outputs and tier" in text and "0-1" in text and "0-2" in text and "1-8" in text
    for kind in ControlType:
        assert kind.value in text


def test_the_columns_of_a_batch_are_told() -> None:
    text = " ".join(said("submit-batch", "--help").split())
    for option in OPTIONS:
        assert f"{option.replace('-', '_')}," in text


def test_types_are_completed() -> None:
    assert guide_options._types("") == list(ControlType)
    assert guide_options._types("s") == ["soft-edge", "sketch"]


def test_the_list_of_models_tells_which_take_which_guide() -> None:
    lines = [line.split("\t") for line in said("models").splitlines()]
    place = lines[0].index("guides")
    for line in lines[1:]:
        card = load_catalogue().card(line[0])
        assert line[place].split(", ") == [
            name for name, use in (("reference", card.reference), ("control", card.control)) if use
        ] or (line[place], card.reference, card.control) == ("", None, None)
    assert {line[place] for line in lines[1:]} >= {"", "reference", "control", "reference, control"}


def test_a_card_tells_its_family_and_the_licence_of_each_part() -> None:
    for card in load_catalogue().values():
        shown = dict(line.split("\t", 1) for line in said("models", "show", card.name).splitlines() if "\t" in line)
        assert shown["family"] == card.family
        for role, weights in card.weights.items():
            assert (weights.licence or "") in shown[f"weights: {role}"]


def test_a_card_tells_how_it_takes_guides_for_people_and_for_programs() -> None:
    for card in load_catalogue().values():
        shown = dict(line.split("\t", 1) for line in said("models", "show", card.name).splitlines() if "\t" in line)
        assert shown["reference image"] == card_wording.reference(card)
        assert shown["control image"] == card_wording.control(card)
        plain = json.loads(said("models", "show", card.name, "--json"))
        assert (plain["reference"] is None) == (shown["reference image"] == "no")
        assert (plain["control"] is None) == (shown["control image"] == "no")
        if card.control is not None:
            assert plain["control"]["types"] == list(card.control.types)
            assert shown["control image"].startswith(", ".join(card.control.types) + "; ")


def test_a_card_tells_its_tiers_and_what_each_leaves_out() -> None:
    quicker = 0
    for card in load_catalogue().values():
        shown = dict(line.split("\t", 1) for line in said("models", "show", card.name).splitlines() if "\t" in line)
        assert shown["tiers"].startswith("exact")
        assert all(tier in shown["tiers"] for tier in card.tiers)
        for use in card.tiers.values():
            quicker += 1
            assert all(f"{getattr(use, name):g}" in shown["tiers"] for name in use.elements)
        assert (shown["tiers"] == "exact") is (not card.tiers)
    assert quicker


def test_tiers_are_completed() -> None:
    assert list(guide_options.complete_tier("")) == ["exact", "fast", "turbo"]
    assert list(guide_options.complete_tier("f")) == ["fast"]
