"""Which plots a report has."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from statistics import fmean

from inpaint_db.published_queries import PublishedRow

from inpaint_benchmark.report import wording
from inpaint_benchmark.report.contents import Evaluation, Report
from inpaint_benchmark.report.elements import Markup
from inpaint_benchmark.report.plots import Bar, BarRow, Point, bars, scatter
from inpaint_benchmark.report.statistics import Estimate

_QUALITY = {
    "truth_effect_ssim": "likeness to the ground truth (SSIM, 1: the same)",
    "seamlessness": "seamlessness (1 / seam ratio, at most 1)",
}


@dataclass(frozen=True, slots=True)
class Figure:
    """A plot with its name as a file, and what is said under it."""

    name: str
    title: str
    drawing: Markup
    caption: str


def figures(report: Report) -> list[Figure]:
    """Those that there are numbers for."""
    found = [_cost_and_quality(report), _published_cost_and_stars(report)]
    found += [
        _bars(report, "time", "Inference time", "seconds per image", lambda r: r.seconds, lambda r: r.seconds_reason),
        _bars(report, "cost", "Cost", "US dollars per 1,000 edits", lambda r: r.cost_per_1k_usd,
              lambda r: r.cost_reason),
    ]  # fmt: skip
    return [figure for figure in found if figure is not None]


def _cost_and_quality(report: Report) -> Figure | None:
    """By dollars; by seconds where the cost is not known of all."""
    judged = [row for row in report.front if row["quality"] is not None]
    by_cost = [row for row in judged if row["cost_per_1k_usd"] is not None]
    column = "cost_per_1k_usd" if judged and len(by_cost) == len(judged) else "seconds"
    rows = [row for row in judged if row[column] is not None]
    if not rows:
        return None
    kind = rows[0]["quality_is"]
    own = {row.model: row for row in report.own}
    points = []
    for row in rows:
        low, high = _ends(own.get(row["model"]), kind)
        model = wording.name(row["model"], row["tier"])
        points.append(Point(model, row[column], row["quality"], bool(row["on_front"]), low, high))
    across = "US dollars per 1,000 edits" if column == "cost_per_1k_usd" else "seconds per image, median"
    known = any(row["on_front"] is not None for row in rows)
    caption = (
        "Up and to the left is better. Filled: no other model of the run is at least as good in dollars, seconds and "
        "quality, and better in one."
        if known
        else "Up and to the left is better. There is no front, since no cost is known; `inpaint prices set` tells what "
        "a device costs."
    )
    if kind == "seamlessness":
        caption += " Without a ground truth, quality tells how well the border blends in, not what was painted."
    title = f"{'Cost' if column == 'cost_per_1k_usd' else 'Time'} and quality"
    return Figure("cost-quality", title, scatter(points, across, _QUALITY[kind], title), caption)


def _ends(row: Evaluation | None, kind: str) -> tuple[float | None, float | None]:
    """The interval of a quality that is a metric of the evaluation."""
    for automatic in row.cells["realism"].automatic if row is not None else ():
        if automatic.metric == kind and automatic.estimate is not None:
            return automatic.estimate.low, automatic.estimate.high
    return None, None


def _published_cost_and_stars(report: Report) -> Figure | None:
    """The published numbers among themselves: stars and metrics are no common scale."""
    rows = [(row.model, row.cost_per_1k_usd, _mean_stars(row)) for row in report.published]
    known = [(model, cost, stars) for model, cost, stars in rows if cost is not None and stars is not None]
    if report.publication is None or not known:
        return None
    points = [
        Point(model, cost, stars, not any(_beats((c, s), (cost, stars)) for _, c, s in known))
        for model, cost, stars in known
    ]
    title = f"As published ({report.publication.source}): cost and stars"
    drawing = scatter(points, "US dollars per 1,000 edits", "stars, mean of the five criteria", title)
    return Figure("published-cost-stars", title, drawing, "Filled: no other is as cheap and has as many stars.")


def _mean_stars(row: PublishedRow) -> float | None:
    given = (row.realism, row.adaptability, row.consistency, row.preservation, row.reproducibility)
    stars = [number for number in given if number is not None]
    return fmean(stars) if stars else None


def _beats(one: tuple[float, float], other: tuple[float, float]) -> bool:
    return one[0] <= other[0] and one[1] >= other[1] and one != other


def _bars(
    report: Report,
    name: str,
    title: str,
    unit: str,
    number: Callable[[Evaluation], Estimate | None],
    reason: Callable[[Evaluation], str | None],
) -> Figure | None:
    """Ours, and under it what was published of the same model."""
    rows: list[BarRow] = []
    cards = {row.card for row in report.own}
    for row in report.own:
        beside = [r for r in report.rows if r.origin == "published" and r.card == row.card]
        drawn = [_bar(found, row) for row in (row, *beside) if (found := number(row)) is not None]
        missing = "" if drawn else str(reason(row))
        rows.append(BarRow(wording.name(row.model, row.tier), drawn, missing))
    rows += [
        BarRow(row.model, [_bar(found, row)])
        for row in report.rows
        if row.origin == "published" and row.card not in cards and (found := number(row)) is not None
    ]
    if not any(row.bars for row in rows):
        return None
    caption = "Whiskers: 95 % interval over samples."
    if report.publication is not None:
        caption += f" Pale: as published, on {report.publication.device}; ours are of the device in the table."
    return Figure(name, title, bars(rows, unit, title), caption)


def _bar(found: Estimate, row: Evaluation) -> Bar:
    published = row.origin == "published"
    note = "published" if published else "imported" if row.origin == "imported" else ""
    return Bar(found.value, published, found.low, found.high, note)
