"""What pages are made of."""

from __future__ import annotations

import re
from collections.abc import Sequence

from inpaint_benchmark.report.elements import Child, Markup, element, joined
from inpaint_benchmark.report.tables import Row

_CODE = re.compile(r"`([^`]+)`")


def section(key: str, title: str, *content: Child) -> Markup:
    """A part of the page that can be linked to."""
    return element("section", element("h2", title), *content, id=key)


def prose(text: str) -> Markup:
    """Our own text, with `code` in it."""
    return joined([element("code", part) if number % 2 else part for number, part in enumerate(_CODE.split(text))])


def table(head: Sequence[str], rows: Sequence[Row], first: str = "span", caption: str | None = None) -> Markup:
    """A table that scrolls sideways where the page is narrow. `first`: the element of what names the row."""
    return scrolling(
        element(
            "table",
            element("caption", caption) if caption else None,
            element("thead", element("tr", [element("th", name, scope="col") for name in head])),
            element("tbody", [_row(row, first) for row in rows]),
        ),
        caption or head[0],
    )


def scrolling(content: Markup, label: str) -> Markup:
    """Reached by keyboard too, so that it can be scrolled without a mouse."""
    return element("div", content, class_="scroll", tabindex="0", role="region", aria_label=f"Table: {label}")


def _row(row: Row, first: str) -> Markup:
    name, *cells = row
    return element("tr", element("th", element(first, name), scope="row"), [element("td", _lines(c)) for c in cells])


def _lines(cell: str | list[str]) -> Child:
    return cell if isinstance(cell, str) else [element("div", line) for line in cell]
