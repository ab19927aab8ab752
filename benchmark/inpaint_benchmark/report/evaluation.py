"""The rows of the review's evaluation: of this run from the database's views, and of a publication."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from inpaint_db.published_queries import PublishedRow
from inpaint_db.report_queries import ViewRow

from inpaint_benchmark.metrics import METRICS
from inpaint_benchmark.published import Publication
from inpaint_benchmark.report.contents import Automatic, Cell, Evaluation, Origin, Timing
from inpaint_benchmark.report.criteria import CRITERIA, StandIn
from inpaint_benchmark.report.ratings import Ratings, Stars
from inpaint_benchmark.report.statistics import Estimate, estimate


@dataclass(frozen=True, slots=True)
class ModelResults:
    """All that the views say of one model of a run."""

    summary: ViewRow  # of bench.leaderboard
    trials: Sequence[ViewRow]  # of bench.trial_wide
    cells: Sequence[ViewRow]  # of bench.reproducibility
    missing: Mapping[tuple[str, str], Sequence[str]]

    @property
    def model(self) -> str:
        """Name of its card."""
        return str(self.summary["model"])

    @property
    def succeeded(self) -> list[ViewRow]:
        """Trials that have a result."""
        return [trial for trial in self.trials if trial["status"] == "succeeded"]

    def clusters(self, column: str, keep: Callable[[ViewRow], bool] = lambda _: True) -> list[list[float]]:
        """The values of a column by sample: of trials that succeeded, or of all trials of a sample together."""
        rows = self.cells if column.startswith("trials_") else [t for t in self.succeeded if keep(t)]
        found: dict[object, list[float]] = {}
        for row in rows:
            if row[column] is not None:
                found.setdefault(row["sample_id"], []).append(float(row[column]))
        return list(found.values())


def is_warm(trial: ViewRow) -> bool:
    """Not the first of a freshly loaded worker, as bench.leaderboard has it."""
    return trial["cold"] is not True


def evaluate(results: ModelResults, ratings: Ratings) -> Evaluation:
    """The row of a model of this run."""
    summary, succeeded = results.summary, results.succeeded
    seconds = estimate(results.clusters("inference_s", is_warm), pooled=True)
    cost = None
    if summary["cost_per_1k_usd"] is not None:
        cost = estimate(results.clusters("cost_usd"), pooled=True)
    memory, memory_reason = _memory(summary, succeeded)
    return Evaluation(
        results.model,
        results.model,
        "imported" if summary["imported"] else "measured",
        _origin(results.trials),
        {c.name: Cell(ratings.get((results.model, c.name)), _automatic(results, c.stand_ins)) for c in CRITERIA},
        memory,
        memory_reason,
        seconds,
        None if seconds else _no_seconds(summary),
        None if cost is None else cost.scaled(1000),
        None if cost else summary["cost_unknown_reason"] or "unknown",
        summary["steps"],
        summary["painted_pixels"],
        summary["device"],
        summary["trials"],
        summary["succeeded"],
        summary["failed"],
        summary["tier"],
    )


def timing(results: ModelResults) -> Timing:
    """Where its seconds lie."""
    summary = results.summary
    return Timing(
        results.model,
        summary["model_version"],
        summary["device"],
        summary["warm_trials"],
        estimate(results.clusters("inference_s", is_warm), pooled=True),
        summary["warm_median_s"],
        summary["warm_p95_s"],
        sum(not is_warm(trial) for trial in results.succeeded),
        summary["cold_s"],
        summary["tier"],
    )


def published_evaluation(row: PublishedRow, publication: Publication) -> Evaluation:
    """The row of a model as it was published."""
    origin: Origin = "published"
    on = f", {publication.published_on}" if publication.published_on else ""
    given: dict[str, int | None] = {
        "realism": row.realism,
        "adaptability": row.adaptability,
        "consistency": row.consistency,
        "preservation": row.preservation,
        "reproducibility": row.reproducibility,
    }
    return Evaluation(
        row.model,
        row.card,
        origin,
        f"published ({publication.source}{on})",
        {name: Cell(None if number is None else Stars(number)) for name, number in given.items()},
        row.gpu_memory_gb,
        None if row.gpu_memory_gb is not None else "not published",
        _published(row.inference_s),
        None if row.inference_s is not None else "not published",
        _published(row.cost_per_1k_usd),
        None if row.cost_per_1k_usd is not None else "not published",
        row.steps,
        row.pixels,
        row.device or "vendor's API",
        None,
        None,
        None,
    )


def _published(value: float | None) -> Estimate | None:
    return None if value is None else Estimate(value, None, None, 0, 0)


def _automatic(results: ModelResults, stand_ins: Sequence[StandIn]) -> tuple[Automatic, ...]:
    return tuple(_metric(results, stand_in) for stand_in in stand_ins)


def _metric(results: ModelResults, stand_in: StandIn) -> Automatic:
    name = stand_in.metric_for(imported=bool(results.summary["imported"]))
    found = estimate(results.clusters(name))
    reason = None
    if found is None:
        reasons = results.missing.get((results.model, name), [])
        reason = reasons[0] if reasons else "not_measured" if results.succeeded else "no_results"
    return Automatic(name, stand_in.label, METRICS[name].unit, stand_in.digits, found, reason)


def _memory(summary: ViewRow, succeeded: Sequence[ViewRow]) -> tuple[float | None, str | None]:
    """Of a GPU alone: what a process has on a CPU is its libraries, mostly."""
    kinds = {trial["device_kind"] for trial in succeeded}
    of_gpu = any(t["peak_memory_kind"] == "cuda_allocated" or (t["imported"] and t["peak_memory_bytes"])
                 for t in succeeded)  # fmt: skip
    if of_gpu:
        return summary["peak_memory_gb"], None
    if kinds == {"cpu"}:
        return None, "CPU"
    return None, "API" if kinds == {"api"} else "not told" if summary["imported"] else "unknown"


def _no_seconds(summary: ViewRow) -> str:
    if not summary["succeeded"]:
        return "no results"
    return "not told" if summary["imported"] else "only cold ones"


def _origin(trials: Sequence[Mapping[str, Any]]) -> str:
    """How the numbers came to be, with the day of results that were made elsewhere."""
    imported = [trial for trial in trials if trial["imported"]]
    if not imported:
        return "measured"
    days = sorted({str(trial["made_on"]) for trial in imported if trial["made_on"] is not None})
    when = f"made on {days[0]}" + (f" to {days[-1]}" if len(days) > 1 else "") if days else "day unknown"
    return f"imported, {when}" + ("" if len(imported) == len(trials) else ", in part")
