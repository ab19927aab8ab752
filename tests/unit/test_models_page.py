"""docs/models.md tells of the catalogue as it is."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from inpaint_core.catalogue import load_catalogue
from inpaint_fleet.cli.card_wording import markdown

PAGE = (Path(__file__).parents[2] / "docs" / "models.md").read_text(encoding="utf-8")


def test_the_table_is_the_catalogue() -> None:
    found = re.search(r"<!-- inpaint models --markdown -->\n(.*?)<!-- end -->", PAGE, re.DOTALL)
    assert found is not None
    assert found[1] == markdown(load_catalogue().values()), "write `inpaint models --markdown` into docs/models.md"


@pytest.mark.parametrize("card", [c for c in load_catalogue().values() if c.review_name], ids=lambda card: card.name)
def test_each_model_of_the_review_is_in_its_table(card: object) -> None:
    assert f"| {card.review_name} |" in PAGE  # type: ignore[attr-defined]


def test_the_readme_names_each_model_once_and_no_other() -> None:
    readme = (Path(__file__).parents[2] / "README.md").read_text(encoding="utf-8")
    table = readme.split("## Models\n")[1].split("\n\n")[0]
    assert sorted(re.findall(r"`([^`]+)`", table)) == sorted(load_catalogue())


def test_all_nine_of_the_review_have_a_card() -> None:
    assert len([card for card in load_catalogue().values() if card.review_name]) == 9
