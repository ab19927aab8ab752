"""The report as Markdown: the review's two tables in its own columns, and what a reader has to know of them."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from inpaint_benchmark.published.tables import EVALUATION_HEAD, MODELS_HEAD, evaluation_table
from inpaint_benchmark.published.tables import models_table as published_models
from inpaint_benchmark.report import tables
from inpaint_benchmark.report.contents import Report
from inpaint_benchmark.report.picture_files import PictureFiles

#: What Markdown would take as its own, in text that others wrote.
_SPECIAL = re.compile(r"([\\`*_\[\]<>|#!])")


def markdown(report: Report, pictures: PictureFiles | None = None) -> str:
    """The whole report. `pictures`: files that were written beside it."""
    parts = [f"# Benchmark {report.run.name}", escape(tables.about(report)), *_notes(report.notes)]
    if pictures is not None:
        parts += ["## Samples", *_pictures(pictures.samples)]
    parts += ["## Models", _table(MODELS_HEAD, [_escaped(row) for row in tables.models(report)])]
    evaluation = [_escaped(row, first="*") for row in tables.evaluation(report)]
    parts += ["## Model evaluation", _table(tables.EVALUATION_HEAD, evaluation)]
    legend = tables.legend(report)
    parts += [text for name, text in legend if not name]
    parts += ["\n".join(f"- **{name}**: {text}" for name, text in legend if name)]
    if pictures is not None:
        parts += [*_pictures(pictures.plots), "## Results", *_pictures(pictures.results)]
        parts += ["## Reproducibility", *_pictures(pictures.deviations)]
    parts += ["## Time", _table(tables.TIMING_HEAD, [_escaped(row) for row in tables.timing(report)])]
    parts += ["Trials that came first after a model was loaded are cold; they are in no mean of seconds."]
    if report.failures:
        parts += ["## Failures", _table(tables.FAILURES_HEAD, [_escaped(row) for row in tables.failures(report)])]
    parts += _published(report)
    return "\n\n".join(part for part in parts if part) + "\n"


def escape(text: str) -> str:
    """Text of any origin as a cell or a caption."""
    # Split at spaces alone: those at the ends belong to a sentence that goes on.
    return _SPECIAL.sub(r"\\\1", re.sub(r"\s+", " ", text))


def _notes(notes: Iterable[str]) -> list[str]:
    """Our own sentences, with commands in them and names that others gave."""
    return ["> " + "`".join(p if i % 2 else escape(p) for i, p in enumerate(note.split("`"))) for note in notes]


def _escaped(row: Sequence[str | list[str]], first: str = "`") -> list[str]:
    """Cells: the model in its mark, several lines with a break between them."""
    cells = [" <br> ".join(map(escape, cell)) if isinstance(cell, list) else escape(cell) for cell in row]
    name = row[0] if isinstance(row[0], str) else row[0][0]
    cells[0] = f"`{name.replace('`', '')}`" if first == "`" else f"*{escape(name)}*"
    return cells


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def _pictures(pictures: Iterable[tuple[str, str]]) -> list[str]:
    return [f"![{escape(title)}](<{path}>)" for title, path in pictures]


def _published(report: Report) -> list[str]:
    """As they were published: in the form of the review itself."""
    if report.publication is None:
        return []
    # Its own texts are Markdown.
    return [
        f"## Published: {report.publication.title}",
        _table(MODELS_HEAD, published_models(report.published)),
        _table(EVALUATION_HEAD, evaluation_table(report.published)),
        report.publication.note,
    ]
