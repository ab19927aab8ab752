"""Carrying out a run: what is missing of it is submitted, followed to its end, and measured. Again, it finishes."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from uuid import UUID

from inpaint_core.errors import RequestError
from inpaint_core.status import JobStatus
from inpaint_db.dataset_queries import SampleRow, list_samples
from inpaint_db.run_queries import (
    RunPlan,
    RunRow,
    TrialRow,
    adopt_jobs,
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
#: What the key of a trial's job begins with; its id follows.
KEY = "bench:"
_AGAIN = (JobStatus.FAILED, JobStatus.CANCELED, JobStatus.EXPIRED)


def plan_of(run: RunRow) -> RunPlan:
    """The plan that a run was made after."""
    return RunPlan(
        run.dataset_version_id, run.models, run.samples, run.seeds, run.parameters, run.edit, run.imported,
        tier=run.tier,
    )  # fmt: skip


def submit_missing(
    client: InpaintClient, run: RunRow, progress: Progress, tell: Callable[[str], None] = lambda _: None
) -> int:
    """Queue a job for each trial that has none, and again those that did not succeed; how many were queued.

    A process that dies in the middle leaves nothing behind that a second call would do twice: each trial's job has the
    trial's id as its key. Trials that can no longer be queued, since the catalogue has changed, are left out, and
    `tell` is given a sentence for each reason.
    """
    with client.database.begin() as connection:
        adopt_jobs(connection, run.id, KEY)
        trials = list_trials(connection, run.id)
        samples = {sample.id: sample for sample in list_samples(connection, run.dataset_version_id)}
    wanted = [trial for trial in trials if trial.status is None or trial.status in _AGAIN]
    specs = _possible(client, run, wanted, samples, tell)
    again = [trial.job_id for trial in wanted if trial.job_id is not None and trial.id in specs]
    new = [trial for trial in wanted if trial.job_id is None and trial.id in specs]
    retried = client.retry(again) if again else []
    if not new:
        return len(retried)
    with progress("submitting", len(new)) as advance:
        for start in range(0, len(new), _AT_ONCE):
            portion = [trial.id for trial in new[start : start + _AT_ONCE]]
            jobs = client.submit_many([specs[trial_id] for trial_id in portion])
            noted = {trial_id: job.id for trial_id, job in zip(portion, jobs, strict=True)}
            with client.database.begin() as connection:
                attach_jobs(connection, noted)
            advance(len(portion))
    return len(retried) + len(new)


def _possible(
    client: InpaintClient,
    run: RunRow,
    trials: Sequence[TrialRow],
    samples: Mapping[UUID, SampleRow],
    tell: Callable[[str], None],
) -> dict[UUID, JobSpec]:
    """The jobs of those trials that the catalogue knows a way for."""
    plan, found, told = plan_of(run), {}, set()
    for trial in trials:
        try:
            spec = _spec(client, run, plan, trial, samples[trial.sample_id])
            client.catalogue.check(spec.to_request(str(spec.source), str(spec.mask), "s3://any-bucket/any"))
        except RequestError as error:
            if (trial.model, error.message) not in told:
                told.add((trial.model, error.message))
                tell(f"trials of {trial.model} are left out, {trial.sample} for one: {error.message}")
            continue
        found[trial.id] = spec
    return found


def _spec(client: InpaintClient, run: RunRow, plan: RunPlan, trial: TrialRow, sample: SampleRow) -> JobSpec:
    card = client.catalogue.card(trial.model)
    spec = spec_of(plan, card, sample, trial.seed, client.store.bucket)
    tags = {"run": run.name, "sample": sample.name, "trial": str(trial.number)}
    return replace(spec, campaign=f"bench {run.name}", tags=tags, idempotency_key=f"{KEY}{trial.id}")


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
