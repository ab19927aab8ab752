"""Measures of a run, computed of what is stored: by sample and model, on all cores."""

from __future__ import annotations

import os
from collections.abc import Sequence
from concurrent.futures import Future, as_completed
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from uuid import UUID

from inpaint_core.errors import InpaintError, OperatorError, RequestError, ServiceUnavailable
from inpaint_core.images import Limits
from inpaint_core.s3 import S3Store
from inpaint_core.settings import Settings
from inpaint_core.tiers import Tier
from inpaint_db.dataset_queries import SampleRow, list_samples
from inpaint_db.measure_queries import (
    Found,
    Measurable,
    MetricRow,
    register_metrics,
    runs_alike,
    runs_waiting,
    save_measures,
    unmeasured,
)
from inpaint_db.run_queries import RunRow, find_run, note_model_versions
from inpaint_db.session import Database
from inpaint_worker.arrays import Pixels, Region

from inpaint_benchmark.metrics import METRICS, OutputPictures, Value, measure_output, measure_trials
from inpaint_benchmark.runs.fleet import Progress
from inpaint_benchmark.runs.pictures import Pictures, SamplePictures
from inpaint_benchmark.runs.processes import measuring_processes

#: So many groups one after another that a server did not answer for: then it is the server, and not an object.
_PATIENCE = 3


@dataclass(frozen=True, slots=True)
class _Group:
    """Trials of one model on one sample."""

    sample: SampleRow
    trials: Sequence[Measurable]
    #: Those of them that are to be measured one by one.
    wanted: frozenset[UUID]


@dataclass(frozen=True, slots=True)
class _Measured:
    group: _Group
    each: dict[UUID, list[Found]]
    together: list[Found]
    #: Trials whose pictures could not be read, and why not.
    failed: dict[UUID, InpaintError]


def measure_run(run: RunRow, settings: Settings, database: Database, progress: Progress, *, again: bool = False) -> int:
    """Compute what is missing of a run's measures, or all `again`; how many trials were measured.

    A trial that is measured twice keeps the newer numbers of each version of a metric. One whose pictures cannot be
    read, or that needs more memory than there is, keeps no other from being measured: it is told in the end, by an
    `InpaintError` of the kind of the first, and counts as unmeasured.
    """
    with database.begin() as connection:
        register_metrics(connection, [_row(name) for name in METRICS])
        # Whoever did not follow the run to its end comes by here.
        for run_id in (run.id, *(runs_alike(connection, run.id) if run.tier != Tier.EXACT else ())):
            note_model_versions(connection, run_id)
    groups = _groups(run, database, again=again)
    if not groups:
        return 0
    count = sum(len(group.wanted) for group in groups)
    failed: dict[UUID, tuple[_Group, InpaintError]] = {}
    unanswered = 0
    workers = max(1, min(len(groups), os.cpu_count() or 1))
    with progress("measuring", count) as advance, measuring_processes(workers, _begin, settings) as submit:
        futures = {submit(_measure, group): group for group in groups}
        for future in as_completed(futures):
            measured = _result(future, futures.pop(future))
            _save(database, run, measured)
            failed |= {trial_id: (measured.group, error) for trial_id, error in measured.failed.items()}
            silent = any(isinstance(error, ServiceUnavailable) for error in measured.failed.values())
            unanswered = unanswered + 1 if silent and not measured.each else 0
            if unanswered == _PATIENCE:
                raise next(iter(measured.failed.values()))
            advance(len(measured.group.wanted))
    if failed:
        raise _told(failed, count)
    return count


def measure_waiting(run: RunRow, settings: Settings, database: Database, progress: Progress) -> dict[str, int]:
    """Measure what other runs made in quicker tiers, and could not be held against `run` before; how many, by run."""
    if run.tier != Tier.EXACT:
        return {}
    found = {}
    with database.read() as connection:
        waiting = [find_run(connection, name) for name in runs_waiting(connection, run.id)]
    for other in waiting:
        if count := measure_run(other, settings, database, progress):
            found[other.name] = count
    return found


def _result(future: Future[_Measured], group: _Group) -> _Measured:
    """What came of a group; an error is that of all of its trials."""
    try:
        return future.result()
    except BrokenProcessPool:
        raise OperatorError(
            "A process that measured was killed, most likely since memory was short. What was measured until then is "
            "kept; run it again, where more memory is free."
        ) from None
    except (InpaintError, ValueError, MemoryError) as error:
        told = error if isinstance(error, InpaintError) else RequestError(f"{type(error).__name__}: {error}")
        return _Measured(group, {}, [], dict.fromkeys(group.wanted, told))


def _told(failed: dict[UUID, tuple[_Group, InpaintError]], count: int) -> InpaintError:
    group, error = next(iter(failed.values()))
    return type(error)(
        f"{len(failed):,} of {count:,} trials could not be measured, the others were. The first is of "
        f"{group.sample.name} by {group.trials[0].model}: {error.message}",
        **error.facts,
    )


def _row(name: str) -> MetricRow:
    metric = METRICS[name]
    return MetricRow(name, metric.version, metric.unit, metric.direction, metric.scope, metric.description)


def _groups(run: RunRow, database: Database, *, again: bool) -> list[_Group]:
    with database.read() as connection:
        samples = {sample.id: sample for sample in list_samples(connection, run.dataset_version_id)}
        finished = unmeasured(connection, run.id, again=True)
        wanted = frozenset(t.trial_id for t in (finished if again else unmeasured(connection, run.id)))
    by_cell: dict[tuple[str, UUID], list[Measurable]] = {}
    for trial in finished:
        by_cell.setdefault((trial.model, trial.sample_id), []).append(trial)
    groups = [
        _Group(samples[sample_id], trials, wanted.intersection(t.trial_id for t in trials))
        for (_, sample_id), trials in by_cell.items()
    ]
    return [group for group in groups if group.wanted]


_pictures: Pictures | None = None


def _begin(settings: Settings) -> None:
    """Once in each process. One core each: they are as many as there are."""
    global _pictures
    import cv2

    cv2.setNumThreads(1)
    _pictures = Pictures(S3Store(settings), Limits.of(settings))


def _measure(group: _Group) -> _Measured:
    assert _pictures is not None  # noqa: S101  (see _begin)
    sample = _pictures.of_sample(group.sample)
    results: dict[UUID, Pixels] = {}
    each: dict[UUID, list[Found]] = {}
    failed: dict[UUID, InpaintError] = {}
    seeds = []
    for trial in group.trials:
        try:
            delivered = _pictures.result(trial)
            if trial.trial_id in group.wanted:
                each[trial.trial_id] = _found(_measure_one(trial, delivered, sample, _pictures))
        except InpaintError as error:
            failed[trial.trial_id] = error
            continue
        results[trial.trial_id] = delivered
        seeds.append(trial.seed)
    together: list[Found] = []
    if results:
        region = _pictures.region(next(t for t in group.trials if t.trial_id in results), sample)
        together = _found(measure_trials(list(results.values()), region, seeds))
    return _Measured(group, each, together, {trial: e for trial, e in failed.items() if trial in group.wanted})


def _measure_one(trial: Measurable, delivered: Pixels, sample: SamplePictures, pictures: Pictures) -> dict[str, Value]:
    return measure_output(
        OutputPictures(
            source=sample.source,
            delivered=delivered,
            region=pictures.region(trial, sample),
            object_mask=sample.object_mask,
            effect_mask=_effect_mask(sample),
            truth=sample.truth,
            raws=pictures.raws(trial, sample),
            prompt=trial.prompt or None,
            lossy=trial.lossy,
            exact=pictures.exact(trial),
        )
    )


def _effect_mask(sample: SamplePictures) -> Region | None:
    """Where a result is held against the truth. A dataset that has a truth and marks nothing: the mask."""
    if sample.effect_mask is None and sample.truth is not None:
        return sample.mask
    return sample.effect_mask


def _found(values: dict[str, Value]) -> list[Found]:
    return [Found(name, METRICS[name].version, found.value, found.reason) for name, found in values.items()]


def _save(database: Database, run: RunRow, measured: _Measured) -> None:
    group = measured.group
    model = group.trials[0].model
    with database.begin() as connection:
        for trial_id, found in measured.each.items():
            save_measures(connection, found, run_id=run.id, model=model, sample_id=group.sample.id, trial_id=trial_id)
        save_measures(connection, measured.together, run_id=run.id, model=model, sample_id=group.sample.id)
