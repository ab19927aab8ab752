"""Carrying out a run: what is missing of it is submitted, followed to its end, and measured. Again, it finishes."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from uuid import UUID

from inpaint_core.status import JobStatus
from inpaint_db.dataset_queries import SampleRow, list_samples
from inpaint_db.run_queries import (
    RunPlan,
    RunRow,
    TrialRow,
    attach_jobs,
    find_run,
    list_trials,
    note_model_versions,
)
from inpaint_producer import InpaintClient, JobSpec

from inpaint_benchmark.runs.fleet import Progress
from inpaint_benchmark.runs.planning import spec_of

#: Trials that are submitted together: so many jobs at most are there that no trial names yet, if the process dies. They
#: are found again by their keys.
_AT_ONCE = 50
_AGAIN = (JobStatus.FAILED, JobStatus.CANCELED, JobStatus.EXPIRED)


def plan_of(run: RunRow) -> RunPlan:
    """The plan that a run was made after."""
    return RunPlan(run.dataset_version_id, run.models, run.samples, run.seeds, run.parameters, run.edit, run.imported)


def submit_missing(client: InpaintClient, run: RunRow, progress: Progress) -> int:
    """Queue a job for each trial that has none, and again those that did not succeed; how many were queued.

    A process that dies in the middle leaves nothing behind that a second call would do twice: each trial's job has the
    trial's id as its key.
    """
    with client.database.read() as connection:
        trials = list_trials(connection, run.id)
        samples = {sample.id: sample for sample in list_samples(connection, run.dataset_version_id)}
    again = [trial.job_id for trial in trials if trial.job_id is not None and trial.status in _AGAIN]
    new = [trial for trial in trials if trial.status is None]
    retried = client.retry(again) if again else []
    if not new:
        return len(retried)
    with progress("submitting", len(new)) as advance:
        for start in range(0, len(new), _AT_ONCE):
            portion = new[start : start + _AT_ONCE]
            _submit(client, run, portion, samples)
            advance(len(portion))
    return len(retried) + len(new)


def _submit(client: InpaintClient, run: RunRow, trials: Sequence[TrialRow], samples: Mapping[UUID, SampleRow]) -> None:
    plan = plan_of(run)
    specs = [_spec(client, run, plan, trial, samples[trial.sample_id]) for trial in trials]
    jobs = {trial.id: job.id for trial, job in zip(trials, client.submit_many(specs), strict=True)}
    with client.database.begin() as connection:
        attach_jobs(connection, jobs)


def _spec(client: InpaintClient, run: RunRow, plan: RunPlan, trial: TrialRow, sample: SampleRow) -> JobSpec:
    card = client.catalogue.card(trial.model)
    spec = spec_of(plan, card, sample, trial.seed, client.store.bucket)
    tags = {"run": run.name, "sample": sample.name, "trial": str(trial.number)}
    return replace(spec, campaign=f"bench {run.name}", tags=tags, idempotency_key=f"bench:{trial.id}")


def follow(client: InpaintClient, run: RunRow, progress: Progress, *, timeout_s: float | None = None) -> RunRow:
    """Wait until every job of the run has ended; the run as it then stands."""
    with client.database.read() as connection:
        open_jobs = [t.job_id for t in list_trials(connection, run.id) if t.job_id and not _ended(t.status)]
    if open_jobs:
        with progress("trials", len(open_jobs)) as advance:
            for _ in client.as_ended(open_jobs, timeout_s=timeout_s):
                advance(1)
    with client.database.begin() as connection:
        note_model_versions(connection, run.id)
        return find_run(connection, run.name)


def _ended(status: JobStatus | None) -> bool:
    return status is not None and status.is_final


def failures(client: InpaintClient, run: RunRow, tell: Callable[[str], None], most: int = 5) -> None:
    """Tell why trials did not succeed: a sentence for each kind."""
    with client.database.read() as connection:
        ended = [t for t in list_trials(connection, run.id) if t.status in _AGAIN and t.job_id is not None]
    seen: set[tuple[str, str | None]] = set()
    for trial in ended:
        if len(seen) >= most:
            return
        view = client.get(trial.job_id)  # type: ignore[arg-type]  # not None: see above
        if (key := (trial.model, view.error_code)) not in seen:
            seen.add(key)
            tell(f"{trial.model} on {trial.sample}: {view.error_code or view.status.value}: {view.error_message or ''}")
