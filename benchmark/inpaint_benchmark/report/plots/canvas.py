"""The sheet that a plot is drawn on: its colours, and how wide a text is."""

from __future__ import annotations

from importlib import resources

from inpaint_benchmark.report.elements import Child, Markup, element

#: Size of all texts, units of the drawing.
FONT = 13
#: Mean width of a character in relation to the size of the font, of a wide sans-serif: rather too much than too little.
_WIDTH = 0.6


def text_width(text: str, size: float = FONT) -> float:
    """About how wide a text is."""
    return len(text) * size * _WIDTH


def style() -> str:
    """CSS of all plots; a page has it once, and a file of its own in each."""
    return resources.files(__package__).joinpath("plot.css").read_text(encoding="utf-8")


def canvas(width: float, height: float, title: str, *children: Child) -> Markup:
    """An `<svg>` that scales with the page. `title` is read to those who do not see it."""
    return element(
        "svg",
        element("title", title),
        *children,
        xmlns="http://www.w3.org/2000/svg",
        viewBox=f"0 0 {width:g} {height:g}",
        width=f"{width:g}",
        height=f"{height:g}",
        role="img",
        class_="plot",
    )


def as_file(drawing: Markup) -> str:
    """The plot as an SVG file that stands alone."""
    head, tail = drawing.split(">", 1)
    return f"{head}><style>{style()}</style>{tail}\n"


def text(content: str, x: float, y: float, kind: str = "", anchor: str | None = None, **attributes: str) -> Markup:
    """A text whose baseline begins (or ends, or has its middle) at x, y."""
    return element("text", content, x=x, y=y, class_=kind or None, text_anchor=anchor, **attributes)


def line(x1: float, y1: float, x2: float, y2: float, kind: str) -> Markup:
    """A straight line."""
    return element("line", x1=x1, y1=y1, x2=x2, y2=y2, class_=kind)
