"""Measures of a run, computed of what is stored: by sample and model, on all cores."""

from __future__ import annotations

import multiprocessing
import os
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass
from uuid import UUID

from inpaint_core.images import Limits
from inpaint_core.s3 import S3Store
from inpaint_core.settings import Settings
from inpaint_db.dataset_queries import SampleRow, list_samples
from inpaint_db.measure_queries import Found, Measurable, MetricRow, register_metrics, save_measures, unmeasured
from inpaint_db.run_queries import RunRow
from inpaint_db.session import Database

from inpaint_benchmark.metrics import METRICS, OutputPictures, Value, measure_output, measure_trials
from inpaint_benchmark.runs.fleet import Progress
from inpaint_benchmark.runs.pictures import Pictures


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


def measure_run(run: RunRow, settings: Settings, database: Database, progress: Progress, *, again: bool = False) -> int:
    """Compute what is missing of a run's measures, or all `again`; how many trials were measured.

    A trial that is measured twice keeps the newer numbers of each version of a metric.
    """
    with database.begin() as connection:
        register_metrics(connection, [_row(name) for name in METRICS])
    groups = _groups(run, database, again=again)
    if not groups:
        return 0
    count = sum(len(group.wanted) for group in groups)
    workers = max(1, min(len(groups), os.cpu_count() or 1))
    # Not forked: connections and threads of this process must not be shared.
    context = multiprocessing.get_context("spawn")
    with (
        progress("measuring", count) as advance,
        ProcessPoolExecutor(workers, mp_context=context, initializer=_begin, initargs=(settings,)) as processes,
    ):
        for future in as_completed([processes.submit(_measure, group) for group in groups]):
            measured = future.result()
            _save(database, run, measured)
            advance(len(measured.group.wanted))
    return count


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
    region = _pictures.region(group.trials[0], sample)
    results = {trial.trial_id: _pictures.result(trial) for trial in group.trials}
    each = {}
    for trial in group.trials:
        if trial.trial_id not in group.wanted:
            continue
        found = measure_output(
            OutputPictures(
                source=sample.source,
                delivered=results[trial.trial_id],
                region=_pictures.region(trial, sample),
                object_mask=sample.object_mask,
                effect_mask=sample.effect_mask,
                truth=sample.truth,
                raws=_pictures.raws(trial, sample),
                prompt=trial.prompt or None,
            )
        )
        each[trial.trial_id] = _found(found)
    together = measure_trials(list(results.values()), region, [trial.seed for trial in group.trials])
    return _Measured(group, each, _found(together))


def _found(values: dict[str, Value]) -> list[Found]:
    return [Found(name, METRICS[name].version, found.value, found.reason) for name, found in values.items()]


def _save(database: Database, run: RunRow, measured: _Measured) -> None:
    group = measured.group
    model = group.trials[0].model
    with database.begin() as connection:
        for trial_id, found in measured.each.items():
            save_measures(connection, found, run_id=run.id, model=model, sample_id=group.sample.id, trial_id=trial_id)
        save_measures(connection, measured.together, run_id=run.id, model=model, sample_id=group.sample.id)
