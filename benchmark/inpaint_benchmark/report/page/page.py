"""The page as a whole."""

from __future__ import annotations

from importlib import resources

from inpaint_benchmark.report import tables
from inpaint_benchmark.report.album import Album
from inpaint_benchmark.report.contents import Report
from inpaint_benchmark.report.elements import Child, Markup, element, joined
from inpaint_benchmark.report.figures import Figure
from inpaint_benchmark.report.page import pictures
from inpaint_benchmark.report.page.evaluation import evaluation_table, published_tables
from inpaint_benchmark.report.page.parts import prose, section, table
from inpaint_benchmark.report.plots.canvas import style


def page(report: Report, album: Album, plots: list[Figure]) -> str:
    """The whole document."""
    title = f"Benchmark {report.run.name}"
    head = element(
        "head",
        element("meta", charset="utf-8"),
        element("meta", name="viewport", content="width=device-width, initial-scale=1"),
        element("meta", name="color-scheme", content="light dark"),
        # Nothing is fetched and nothing runs, whatever a prompt or a message holds.
        element(
            "meta",
            http_equiv="Content-Security-Policy",
            content="default-src 'none'; img-src data:; style-src 'unsafe-inline'",
        ),
        element("title", title),
        element("style", Markup(_css()), Markup(style())),
    )
    sections = [part for part in _sections(report, album, plots) if part is not None]
    links = element("nav", [element("a", name, href=f"#{key}") for key, name, _ in sections], aria_label="Sections")
    body = element(
        "body",
        element("header", element("h1", title), element("p", tables.about(report), class_="about"), _notes(report)),
        links,
        element("main", [content for _, _, content in sections]),
        element("footer", "Made by ", element("code", f"inpaint bench report {report.run.name}"), "."),
    )
    return f"<!doctype html>\n{element('html', head, body, lang='en')}\n"


_Section = tuple[str, str, Markup]


def _sections(report: Report, album: Album, plots: list[Figure]) -> list[_Section | None]:
    return [
        _section("evaluation", "Model evaluation", evaluation_table(report), _legend(report)),
        _section("plots", "Cost, time and quality", element("div", map(_figure, plots), class_="plots"))
        if plots
        else None,
        _section("models", "Models", table(tables.MODELS_HEAD, tables.models(report), first="code")),
        _section("samples", "Samples", pictures.samples(report, album)),
        _section("results", "Results", pictures.results(report, album)),
        _section("reproducibility", "Where trials differ", pictures.deviations(report, album)),
        _section(
            "time",
            "Time",
            table(tables.TIMING_HEAD, tables.timing(report), first="code"),
            prose("Trials that came first after a model was loaded are cold; they are in no mean of seconds."),
        ),
        _section("failures", "Failures", table(tables.FAILURES_HEAD, tables.failures(report), first="code"))
        if report.failures
        else None,
        _section("published", f"Published: {report.publication.title}", published_tables(report))
        if report.publication is not None
        else None,
    ]


def _section(key: str, title: str, *content: Child) -> _Section:
    return key, title.split(":")[0], section(key, title, *content)


def _notes(report: Report) -> Markup | None:
    return joined([element("p", prose(note), class_="note") for note in report.notes]) if report.notes else None


def _legend(report: Report) -> Markup:
    lines = tables.legend(report)
    return element(
        "div",
        [element("p", text) for name, text in lines if not name],
        element("dl", [element("div", element("dt", name), element("dd", text)) for name, text in lines if name]),
        class_="legend",
    )


def _figure(plot: Figure) -> Markup:
    return element(
        "figure",
        element("h3", plot.title),
        element("div", plot.drawing, class_="scroll"),
        element("figcaption", prose(plot.caption)),
    )


def _css() -> str:
    return resources.files(__package__).joinpath("page.css").read_text(encoding="utf-8")
