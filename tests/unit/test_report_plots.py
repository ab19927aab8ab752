"""Plots: well-formed, labelled, with units, and with labels that can be read."""

from __future__ import annotations

import random
import xml.etree.ElementTree as ET
from itertools import combinations, pairwise

import pytest
from inpaint_benchmark.report.plots import Bar, BarRow, Point, bars, scatter
from inpaint_benchmark.report.plots.canvas import as_file
from inpaint_benchmark.report.plots.labels import POINT, Area, place_labels
from inpaint_benchmark.report.plots.scale import Scale, scale_for

SHEET = Area(60, 10, 620, 370)


def texts(drawing: str) -> list[str]:
    return ["".join(e.itertext()) for e in ET.fromstring(drawing).iter() if e.tag.endswith("}text")]


@pytest.mark.parametrize("seed", range(8))
def test_labels_cover_neither_each_other_nor_a_point(seed: int) -> None:
    chance = random.Random(seed)
    points = [(chance.uniform(80, 600), chance.uniform(30, 350)) for _ in range(9)]
    names = ["flux-1-fill-dev", "opencv-ns", "sd3-controlnet-inpainting"] * 3
    areas = place_labels(points, names, SHEET)
    dots = [Area(x - POINT, y - POINT, x + POINT, y + POINT) for x, y in points]
    assert not any(a.overlaps(b) for a, b in combinations(areas, 2))
    assert not any(area.overlaps(dot) for area in areas for dot in dots)
    assert all(area.within(SHEET) for area in areas)


def test_points_at_one_place_have_labels_at_several() -> None:
    areas = place_labels([(300, 200)] * 4, ["one", "two", "three", "four"], SHEET)
    assert not any(a.overlaps(b) for a, b in combinations(areas, 2))


def test_labels_keep_off_the_front() -> None:
    wall = Area(312, 150, 500, 250)  # where a label would lie first
    (area,) = place_labels([(300, 200)], ["a-model"], SHEET, [wall])
    assert not area.overlaps(wall)


def test_a_scatter_has_its_models_and_the_units_of_both_axes() -> None:
    points = [
        Point("fast", 0.4, 0.7, True),
        Point("good", 8.8, 0.9, True, 0.85, 0.95),
        Point("neither", 20, 0.6, False),
    ]
    drawing = scatter(points, "US dollars per 1,000 edits", "SSIM", "Cost and quality")
    said = texts(drawing)
    assert {"fast", "good", "neither", "SSIM"} <= set(said)
    assert any(text.startswith("US dollars per 1,000 edits (logarithmic)") for text in said)
    assert drawing.count("hollow") == 1


def test_one_point_is_a_plot_too() -> None:
    assert "only" in texts(scatter([Point("only", 0.0, 0.0, False)], "seconds", "quality", "Time"))


def test_bars_show_ours_above_what_was_published_and_why_there_is_none() -> None:
    rows = [
        BarRow("flux", [Bar(20.0, low=18.0, high=22.0), Bar(26.5, published=True, note="published")]),
        BarRow("dall-e", [], "not told"),
    ]
    said = texts(bars(rows, "seconds per image", "Inference time"))
    assert "26.5 published" in said
    assert "– not told" in said
    assert "seconds per image" in said


def test_names_that_hold_markup_stay_names() -> None:
    drawing = scatter([Point("<script>alert(1)</script>", 1, 1, True)], "x", "y", "a & b")
    assert "<script" not in drawing
    assert "<script>alert(1)</script>" in texts(drawing)


def test_a_plot_stands_alone_as_a_file_with_colours_for_light_and_dark() -> None:
    file = as_file(bars([BarRow("one", [Bar(1.0)])], "s", "Time"))
    ET.fromstring(file)
    assert "prefers-color-scheme: dark" in file


@pytest.mark.parametrize("values", [(0.0062, 0.0067), (0.169, 0.170), (3, 900), (0, 0), (-2, 5), (1e-7, 4e-7)])
def test_marks_of_an_axis_differ_and_lie_within_it(values: tuple[float, float]) -> None:
    scale = scale_for(values, 0, 500)
    marks = scale.marks()
    assert len({text for _, text in marks}) == len(marks) >= 2
    places = [scale.place(value) for value, _ in marks]
    assert all(a < b for a, b in pairwise(places))
    assert all(-1e-6 <= place <= 500 + 1e-6 for place in places)


def test_values_far_apart_are_drawn_by_their_logarithm_and_bars_never() -> None:
    assert scale_for([0.01, 20], 0, 1).logarithmic
    assert not scale_for([0.01, 20], 0, 1, from_zero=True).logarithmic
    assert Scale(1, 100, 0, 10, logarithmic=True).place(10) == pytest.approx(5)
