"""A report without a database: two models on two samples, with whatever a test puts in."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

from inpaint_benchmark.published import Publication, read_publication
from inpaint_benchmark.published.importing import rows_of
from inpaint_benchmark.report.contents import Automatic, Cell, Evaluation, ModelFacts, Report, Timing
from inpaint_benchmark.report.criteria import CRITERIA
from inpaint_benchmark.report.evaluation import published_evaluation
from inpaint_benchmark.report.ratings import Stars
from inpaint_benchmark.report.statistics import Estimate
from inpaint_db.dataset_queries import SampleRow, VersionRow
from inpaint_db.run_queries import RunRow

MOMENT = datetime(2026, 11, 26, 8, tzinfo=UTC)


def make_run(**fields: Any) -> RunRow:
    values: dict[str, Any] = {
        "id": uuid4(), "name": "rooms-1", "dataset": "rooms", "dataset_version": "1", "dataset_version_id": uuid4(),
        "models": ["opencv-telea", "opencv-ns"], "samples": None, "seeds": [1, 2], "parameters": {}, "edit": {},
        "tier": "exact", "imported": False, "note": "", "created_at": MOMENT, "trials": 8, "succeeded": 8, "failed": 0,
    }  # fmt: skip
    return RunRow(**{**values, **fields})


def make_sample(name: str = "one", **fields: Any) -> SampleRow:
    values: dict[str, Any] = {
        "id": uuid4(), "name": name, "prompt": "a chair", "negative_prompt": "", "width": 96, "height": 64,
        "coverage": 0.25, "tags": {}, "images": {},
    }  # fmt: skip
    return SampleRow(**{**values, **fields})


def make_evaluation(model: str = "opencv-telea", *, stars: Stars | None = None, **fields: Any) -> Evaluation:
    """A measured row: one metric of each criterion, 0.5 of 0.4 to 0.6, or stars where they are given."""
    found = Estimate(0.5, 0.4, 0.6, 2, 4)
    cells = {
        c.name: Cell(stars, tuple(Automatic(s.metric, s.label, s.unit, s.digits, found, None) for s in c.stand_ins))
        for c in CRITERIA
    }
    values: dict[str, Any] = {
        "model": model, "card": model, "origin": "measured", "origin_note": "measured", "cells": cells,
        "memory_gb": None, "memory_reason": "CPU", "seconds": Estimate(0.25, 0.2, 0.3, 2, 4), "seconds_reason": None,
        "cost_per_1k_usd": Estimate(0.0042, 0.004, 0.0045, 2, 4), "cost_reason": None, "steps": None,
        "pixels": 6144.0, "device": "Test CPU", "trials": 4, "succeeded": 4, "failed": 0,
    }  # fmt: skip
    return Evaluation(**{**values, **fields})


def make_report(*, baseline: bool = False, **fields: Any) -> Report:
    """A whole report."""
    run = fields.get("run") or make_run()
    samples = [make_sample("one"), make_sample("two")]
    rows = [make_evaluation(model) for model in run.models]
    publication: Publication | None = read_publication("review") if baseline else None
    published = rows_of("review") if baseline else []
    if publication is not None:
        rows += [published_evaluation(row, publication) for row in published]
    values: dict[str, Any] = {
        "run": run,
        "dataset": VersionRow(run.dataset_version_id, "rooms", "1", "0" * 64, "", "", MOMENT, 2),
        "samples": samples,
        "models": [ModelFacts(m, "Jan 1, 2004", "Fast marching", "–", "any", "Fills.") for m in run.models],
        "rows": rows,
        "timings": [
            Timing(m, "opencv 5", "Test CPU", 3, Estimate(0.25, 0.2, 0.3, 2, 3), 0.24, 0.29, 1, 0.5) for m in run.models
        ],
        "front": [
            {"model": m, "cost_per_1k_usd": 0.004 + i / 1000, "seconds": 0.2 + i, "quality": 0.8, "on_front": i == 0,
             "quality_is": "seamlessness", "tier": run.tier}
            for i, m in enumerate(run.models)
        ],
        "failures": [],
        "reproducibility": [],
        "trial_columns": ["model", "sample", "trial"],
        "trials": [{"model": m, "sample": s.name, "sample_id": s.id, "trial": 1} for m in run.models for s in samples],
        "exact": (8, 8),
        "notes": [],
        "publication": publication,
        "published": tuple(published),
    }  # fmt: skip
    return Report(**{**values, **fields})
