"""The review's evaluation on a page: ours, and what was published, told apart at a glance."""

from __future__ import annotations

from inpaint_benchmark.published.tables import EVALUATION_HEAD, MODELS_HEAD, MOST_STARS
from inpaint_benchmark.published.tables import evaluation_table as published_evaluation
from inpaint_benchmark.published.tables import models_table as published_models
from inpaint_benchmark.report import tables, wording
from inpaint_benchmark.report.contents import Automatic, Cell, Evaluation, Report
from inpaint_benchmark.report.criteria import CRITERIA, in_words
from inpaint_benchmark.report.elements import Child, Markup, element
from inpaint_benchmark.report.page.parts import prose, scrolling, table

#: Memory, seconds and dollars come behind the criteria.
_FIGURES = 3
_UNDER_THE_NAME = (tables.ORIGIN, tables.RESULTS)


def evaluation_table(report: Report) -> Markup:
    """One row for each model, and for each that was published."""
    # Where the numbers come from, and how many results there are, stands under the name: the table is wide enough.
    head = [element("th", name, scope="col") for name in tables.EVALUATION_HEAD if name not in _UNDER_THE_NAME]
    drawn = element(
        "table",
        element("thead", element("tr", head)),
        element("tbody", [_row(row, texts) for row, texts in zip(report.rows, tables.evaluation(report), strict=True)]),
        class_="evaluation",
    )
    return scrolling(drawn, "model evaluation")


def published_tables(report: Report) -> Child:
    """Both tables as they were published."""
    assert report.publication is not None  # noqa: S101  (asked only then)
    heads = [[name.replace(" <br>", "") for name in head] for head in (EVALUATION_HEAD, MODELS_HEAD)]
    evaluation = [[c.strip("*").replace("⭐", "★") for c in row] for row in published_evaluation(report.published)]
    models = [[cell.strip("`") for cell in row] for row in published_models(report.published)]
    return [
        table(heads[0], [list(row) for row in evaluation], caption="Model evaluation, as published"),
        table(heads[1], [list(row) for row in models], caption="Models, as published"),
        element("p", prose(report.publication.note), class_="quiet"),
    ]


def _row(row: Evaluation, texts: tables.Row) -> Markup:
    after = texts[2 + len(CRITERIA) : -1]
    known = " · ".join(part for part in (_rest(row), "" if row.trials is None else wording.count(row)) if part)
    origin = element("div", element("span", row.origin, class_=f"origin {row.origin}"), f" {known}")
    return element(
        "tr",
        element("th", wording.name(row.model, row.tier), origin, scope="row"),
        [element("td", _cell(row.cells[criterion.name])) for criterion in CRITERIA],
        [element("td", _figure(text)) for text in after[:_FIGURES]],
        [element("td", text) for text in after[_FIGURES:]],
        class_=row.origin,
    )


def _rest(row: Evaluation) -> str:
    """What is known of the origin beyond its kind."""
    return row.origin_note.removeprefix(row.origin).strip(", ").removeprefix("(").removesuffix(")")


def _cell(cell: Cell) -> Child:
    if cell.stars is not None:
        said = f"{cell.stars.mean:.2g} of {MOST_STARS} stars"
        # No emoji: a machine without a font for them shows boxes.
        drawn, *beside = wording.stars(cell.stars).replace("⭐", "★").split(" ", 1)
        # A whole number stands beside its stars, too: nobody should have to count them.
        number, _, rest = (beside or [f"{cell.stars.mean:{'.1f' if cell.stars.ratings else 'g'}}"])[0].partition(" ")
        return [
            element("span", drawn, class_="stars", role="img", aria_label=said, title=said),
            element("div", element("b", number), f" {rest}" if rest else None, class_="mean"),
        ]
    found = [a for a in cell.automatic if a.estimate is not None]
    if not found:
        reasons = {in_words(a.reason or "not_measured"): None for a in cell.automatic}
        return element("span", wording.NONE, element("small", ", ".join(reasons)), class_="none")
    return [_automatic(automatic) for automatic in found]


def _automatic(automatic: Automatic) -> Markup:
    estimate, digits = automatic.estimate, automatic.digits
    assert estimate is not None  # noqa: S101  (see above)
    value, low, high = (
        None if end is None else f"{end:.{digits}f}" for end in (estimate.value, estimate.low, estimate.high)
    )
    return element(
        "div",
        element("span", "auto", class_="auto", title="automatic metric, not stars"),
        f" {automatic.label} ",
        element("b", value),
        _small(f"{low}–{high}") if low is not None and (low, high) != (value, value) else None,
        class_="automatic",
    )


def _figure(text: str | list[str]) -> Child:
    """A number with its interval, or a reason, in small behind it."""
    if not isinstance(text, str):
        return text
    value, space, rest = text.partition(" (")
    return [value, _small(rest.removesuffix(")"), "reason" if value == wording.NONE else "interval")] if space else text


def _small(text: str, kind: str = "interval") -> Markup:
    return element("small", text, class_=kind)
