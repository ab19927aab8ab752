"""A report's contents, from the views of schema bench: what a report says, SQL says too."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from inpaint_db.dataset_queries import SampleRow, find_version, list_samples
from inpaint_db.measure_queries import unmeasured
from inpaint_db.published_queries import PublishedRow, list_published
from inpaint_db.rating_words import Basis, basis_of_run
from inpaint_db.report_queries import (
    failure_rows,
    leaderboard_rows,
    missing_measures,
    model_cards,
    pareto_rows,
    reproducibility_rows,
    trial_columns,
    trial_rows,
)
from inpaint_db.run_queries import RunRow
from sqlalchemy import Connection

from inpaint_benchmark.published import Publication, read_publication
from inpaint_benchmark.report.cards import models_table
from inpaint_benchmark.report.contents import Evaluation, Report
from inpaint_benchmark.report.evaluation import ModelResults, evaluate, published_evaluation, timing
from inpaint_benchmark.report.ratings import Ratings, ratings_of


def gather(
    connection: Connection,
    run: RunRow,
    *,
    baseline: str | None = None,
    ratings: Callable[[Connection, RunRow], Ratings] = ratings_of,
) -> Report:
    """All that is told of a run. `baseline`: a publication that the database holds, to be shown beside it."""
    trials = trial_rows(connection, run.id)
    summaries = leaderboard_rows(connection, run.id)
    differing = reproducibility_rows(connection, run.id)
    missing = missing_measures(connection, run.id)
    results = [
        ModelResults(summary, _of(trials, summary["model"]), _of(differing, summary["model"]), missing)
        for summary in summaries
    ]
    stars = ratings(connection, run)
    samples = _samples(connection, run)
    rows = [evaluate(each, stars) for each in results]
    publication = None if baseline is None else read_publication(baseline)
    published = [] if baseline is None else list_published(connection, baseline)
    failures = failure_rows(connection, run.name)
    checked = [trial["outside_exact"] for trial in trials if trial["outside_exact"] is not None]
    return Report(
        run=run,
        dataset=find_version(connection, run.dataset, run.dataset_version),
        samples=samples,
        models=models_table(run.models, model_cards(connection, run.models)),
        rows=rows if publication is None else _beside(rows, published, publication),
        timings=[timing(each) for each in results],
        front=pareto_rows(connection, run.name),
        failures=failures,
        reproducibility=differing,
        trial_columns=trial_columns(connection),
        trials=trials,
        exact=(sum(value == 1 for value in checked), len(checked)),
        notes=[
            *_notes(run, sum(row["jobs"] for row in failures), len(unmeasured(connection, run.id))),
            *_lacking(run, samples, trials),
            *_uneven(trials),
            *_mixed(summaries),
            *_losses(summaries, missing),
            *(_basis(basis_of_run(connection, run.id), len(samples)) if stars else []),
        ],
        publication=publication,
        published=tuple(published),
    )


def _of(rows: Sequence[dict[str, Any]], model: str) -> list[dict[str, Any]]:
    return [row for row in rows if row["model"] == model]


def _samples(connection: Connection, run: RunRow) -> list[SampleRow]:
    every = list_samples(connection, run.dataset_version_id)
    return [sample for sample in every if run.samples is None or sample.name in run.samples]


def _beside(rows: list[Evaluation], published: list[PublishedRow], publication: Publication) -> list[Evaluation]:
    """Each model's published numbers under ours, and then those of models that the run has not."""
    theirs = [published_evaluation(row, publication) for row in published]
    own = {row.card for row in rows}
    paired = [each for row in rows for each in (row, *(their for their in theirs if their.card == row.card))]
    return [*paired, *(their for their in theirs if their.card not in own)]


def _notes(run: RunRow, failed: int, unmeasured_trials: int) -> list[str]:
    notes = []
    if run.left:
        notes.append(f"{run.left:,} of {run.trials:,} trials have not ended: `inpaint bench resume {run.name}`.")
    if failed:
        notes.append(f"{failed:,} of {run.trials:,} trials failed. They count in no mean; see Failures.")
    if canceled := run.failed - failed:
        notes.append(f"{canceled:,} of {run.trials:,} trials were canceled: `inpaint bench resume {run.name}`.")
    if unmeasured_trials:
        notes.append(f"{unmeasured_trials:,} trials are not measured: `inpaint bench measure {run.name}`.")
    if not run.trials:
        notes.append("The run has no trials.")
    return notes


def _basis(found: Basis, samples: int) -> list[str]:
    """What the stars rest on. Where they were not given to results of this database, there is nothing to count."""
    if not found.ratings:
        return []
    people = "1 rater" if found.raters == 1 else f"{found.raters:,} raters"
    checks = "without hidden checks"
    if found.checks:
        checks = f"{found.checks_failed:,} of {found.checks:,} hidden checks failed"
        checks += ", whose raters' stars count all the same" if found.checks_failed else ""
    return [f"Stars: {found.ratings:,} ratings by {people}, on {found.samples:,} of {samples:,} samples; {checks}."]


def _lacking(run: RunRow, samples: Sequence[SampleRow], trials: Sequence[dict[str, Any]]) -> list[str]:
    """Of an import: the samples that somebody had fewer results of than of others."""
    found = Counter(trial["sample"] for trial in trials)
    fewer = [sample.name for sample in samples if found[sample.name] < len(run.seeds) * len(run.models)]
    if not run.imported or not fewer:
        return []
    wanted = f"fewer than {len(run.seeds)} results, or none," if len(run.seeds) > 1 else "no results"
    return [f"There are {wanted} of {', '.join(fewer)}."]


def _uneven(trials: Sequence[dict[str, Any]]) -> list[str]:
    """Models that others are ahead of by samples: the hard ones may be those that they failed on."""
    found: dict[str, set[object]] = {}
    for trial in trials:
        if trial["status"] == "succeeded":
            found.setdefault(trial["model"], set()).add(trial["sample_id"])
    every = set().union(*found.values())
    return [
        f"{model} has results of {len(of)} of the {len(every)} samples that other models have results of. Its means "
        "are of those alone: compare them with care."
        for model, of in found.items()
        if len(of) < len(every)
    ]


def _mixed(summaries: Sequence[dict[str, Any]]) -> list[str]:
    """Models whose numbers are not of one thing: the views set several between bars."""
    kinds = {
        "model_version": "was changed during the run; its means are of all versions",
        "tier": "ran in several tiers; its numbers are means over them",
        "device": "ran on several devices; its seconds and dollars are means over them",
    }
    return [
        f"{summary['model']} {what}: {summary[column]}."
        for summary in summaries
        for column, what in kinds.items()
        if " | " in (summary[column] or "")
    ]


def _losses(summaries: Sequence[dict[str, Any]], missing: Mapping[tuple[str, str], Sequence[str]]) -> list[str]:
    """What a quicker tier has cost of the picture, or why that is not known."""
    notes = []
    for summary in summaries:
        model, tier = summary["model"], summary["tier"]
        if tier == "exact" or not summary["succeeded"]:
            continue
        uncompared = "no_exact_trial" in missing.get((model, "exact_delta_e"), ())
        if summary["exact_delta_e"] is None:
            if uncompared:
                notes.append(
                    f"What the tier {tier} of {model} loses is not known: there is no run in the tier exact of the "
                    "same samples, seeds and parameters, by the same version of the model."
                )
            continue
        part = ", of those trials that were made in exact, too" if uncompared else ""
        similarity = "" if summary["exact_ssim"] is None else f" and an SSIM of {summary['exact_ssim']:.3f}"
        notes.append(
            f"{model} in the tier {tier} differs from exact by a mean of {summary['exact_delta_e']:.2f} ΔE00"
            f"{similarity} in the edit region{part}."
        )
    return notes
