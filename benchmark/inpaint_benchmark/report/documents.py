"""The report for programs: one JSON document with everything, and CSV with a row for each trial."""

from __future__ import annotations

import csv
import io
import json
from dataclasses import asdict, is_dataclass
from typing import Any

from inpaint_benchmark.report.contents import Report
from inpaint_benchmark.report.criteria import CRITERIA

#: Raised when a key changes its meaning or goes; keys may be added.
FORMAT = 1


def as_csv(report: Report) -> str:
    """The columns of bench.trial_wide, one row for each trial."""
    buffer = io.StringIO()
    writer = csv.writer(buffer, lineterminator="\n")
    writer.writerow(report.trial_columns)
    for trial in report.trials:
        writer.writerow([_cell(trial[name]) for name in report.trial_columns])
    return buffer.getvalue()


def as_json(report: Report) -> str:
    """All of it; docs/benchmarking.md tells of each key."""
    document = {
        "format": FORMAT,
        "run": asdict(report.run),
        "dataset": asdict(report.dataset),
        "criteria": [
            {
                "name": criterion.name,
                "title": criterion.title,
                "question": criterion.question,
                "automatic": [stand_in.metric for stand_in in criterion.stand_ins],
                "legend": criterion.legend,
            }
            for criterion in CRITERIA
        ],
        "notes": report.notes,
        "models": [asdict(model) for model in report.models],
        "evaluation": [asdict(row) for row in report.rows],
        "timing": [asdict(each) for each in report.timings],
        "pareto_front": report.front,
        "reproducibility": report.reproducibility,
        "failures": report.failures,
        "delivered_exact": {"exact": report.exact[0], "of": report.exact[1]},
        "samples": [
            {key: value for key, value in asdict(sample).items() if key != "images"} for sample in report.samples
        ],
        "trials": report.trials,
        "published": [asdict(row) for row in report.published],
    }
    return json.dumps(document, default=_plain, ensure_ascii=False, indent=2) + "\n"


def _plain(value: object) -> Any:
    if is_dataclass(value) and not isinstance(value, type):
        return asdict(value)
    return value.isoformat() if hasattr(value, "isoformat") else str(value)


def _cell(value: object) -> object:
    """As Postgres writes it into CSV: true and false in small letters, JSON as JSON, nothing for NULL."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, dict | list):
        return json.dumps(value, ensure_ascii=False)
    return value.isoformat() if hasattr(value, "isoformat") else value
