"""How numbers, stars and reasons read."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone

import pytest
from inpaint_benchmark.report import tables, wording
from inpaint_benchmark.report.cards import model_facts
from inpaint_benchmark.report.contents import Automatic, Cell
from inpaint_benchmark.report.ratings import Stars
from inpaint_benchmark.report.statistics import Estimate
from inpaint_core.catalogue import load_catalogue
from report_scene import make_report, make_run


@pytest.mark.parametrize(
    ("value", "text"), [(26.5, "26.5"), (0.2222, "0.222"), (0.0000021, "0.00000210"), (1240.4, "1,240"), (0, "0")]
)
def test_numbers_have_the_digits_that_matter(value: float, text: str) -> None:
    assert wording.significant(value) == text


@pytest.mark.parametrize(
    ("stars", "text"),
    [
        (Stars(3), "⭐⭐⭐☆"),
        (Stars(0), "☆☆☆☆"),
        (Stars(2.5, 2.1, 2.9), "⭐⭐⭐☆ 2.5 (2.1–2.9)"),
        (Stars(3.4), "⭐⭐⭐☆ 3.4"),
        (Stars(3, notes=("2 rubrics",)), "⭐⭐⭐☆ 3.0 (2 rubrics)"),
        (Stars(2.5, 2.1, 2.9, notes=("one rater",)), "⭐⭐⭐☆ 2.5 (2.1–2.9, one rater)"),
    ],
)
def test_stars_are_out_of_four(stars: Stars, text: str) -> None:
    assert wording.stars(stars) == text


def automatic(estimate: Estimate | None, reason: str | None = None) -> Automatic:
    return Automatic("truth_effect_ssim", "SSIM", "SSIM", 2, estimate, reason)


def test_a_metric_is_labelled_automatic_with_its_interval() -> None:
    assert wording.metric(automatic(Estimate(0.834, 0.79, 0.87, 9, 27))) == "auto SSIM 0.83 (0.79–0.87)"


def test_an_interval_without_width_is_not_repeated() -> None:
    assert wording.metric(automatic(Estimate(1, 1, 1, 9, 27))) == "auto SSIM 1.00"


def test_no_metric_has_its_reason_once() -> None:
    none = automatic(None, "no_ground_truth")
    assert wording.lines(Cell(None, (none, none))) == ["– (no ground truth)"]


def test_stars_stand_in_place_of_a_metric() -> None:
    assert wording.lines(Cell(Stars(4), (automatic(Estimate(1, None, None, 1, 1)),))) == ["⭐⭐⭐⭐"]


@pytest.mark.parametrize(
    ("value", "text"), [(1048576.0, "1024²"), (57194.7, "0.057 MP"), (2_500_000.0, "2.5 MP"), (None, "–")]
)
def test_pixels(value: float | None, text: str) -> None:
    assert wording.pixels(value) == text


def test_a_card_becomes_a_row_of_the_review() -> None:
    card = load_catalogue().card("flux-1-fill-dev").model_dump(mode="json")
    facts = model_facts("flux-1-fill-dev", card)
    assert (facts.release_date, facts.size, facts.max_resolution) == ("Nov 21, 2024", "12B", "1408 x 1408")


@pytest.mark.parametrize("card", load_catalogue().values(), ids=lambda card: card.name)
def test_every_card_has_such_a_row(card: object) -> None:
    facts = model_facts(card.name, card.model_dump(mode="json"))  # type: ignore[attr-defined]
    assert facts.architecture != "–"
    assert facts.max_resolution == "any" or " x " in facts.max_resolution


def test_the_day_of_a_run_is_that_of_its_name_wherever_the_database_stands() -> None:
    there = timezone(timedelta(hours=-8))
    report = make_report(run=make_run(created_at=datetime(2026, 11, 25, 20, tzinfo=there)))
    assert "begun 2026-11-26" in tables.about(report)
