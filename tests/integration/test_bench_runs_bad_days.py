"""Benchmark runs when something is gone: an object, a model of the catalogue, the process in the wrong moment."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from uuid import UUID

import pytest
from factories import LIMITS
from inpaint_benchmark.datasets import read_dataset
from inpaint_benchmark.runs.importing import import_dataset
from inpaint_benchmark.runs.measuring import measure_run
from inpaint_benchmark.runs.pictures import Pictures
from inpaint_benchmark.runs.running import follow, submit_missing
from inpaint_core.catalogue import Catalogue
from inpaint_core.errors import ObjectNotFound
from inpaint_core.s3 import S3Store
from inpaint_core.settings import Settings, as_environment
from inpaint_core.storage import ObjectRef, input_ref
from inpaint_db.dataset_queries import VersionRow, list_samples
from inpaint_db.measure_queries import unmeasured
from inpaint_db.run_queries import find_run, list_trials
from inpaint_producer import InpaintClient
from processes import WorkerProcess
from sqlalchemy import text
from test_bench_runs import MODEL, OTHER, begin, measures, quiet, run_to_its_end, write_dataset


@pytest.fixture
def version(client: InpaintClient, store: S3Store, tmp_path: Path) -> VersionRow:
    return import_dataset(read_dataset(write_dataset(tmp_path)), client.database, store, LIMITS, quiet)[0]


@pytest.fixture
def smaller(settings: Settings) -> Iterator[InpaintClient]:
    """A client whose catalogue has lost a model since."""
    with InpaintClient(settings) as known:
        cards = [(name, card) for name, card in known.catalogue.items() if name != OTHER]
    with InpaintClient(settings, catalogue=Catalogue(cards)) as client:
        yield client


def jobs_of(client: InpaintClient, run_id: UUID) -> dict[tuple[str, int], UUID | None]:
    with client.database.read() as connection:
        return {(trial.sample, trial.number): trial.job_id for trial in list_trials(connection, run_id)}


# --- measuring --------------------------------------------------------------------------------------------------------


def test_a_result_that_is_gone_keeps_no_other_from_being_measured(
    client: InpaintClient, settings: Settings, store: S3Store, worker: WorkerProcess, version: VersionRow
) -> None:
    begun = begin(client, version, seeds=[1, 2])
    submit_missing(client, begun.run, quiet)
    follow(client, begun.run, quiet, timeout_s=60)
    with client.database.read() as connection:
        first = unmeasured(connection, begun.run.id, again=True)[0]
    assert first.result_uri is not None
    kept = store.get(ObjectRef.parse(first.result_uri), 1 << 30)
    store.delete(ObjectRef.parse(first.result_uri))
    with pytest.raises(ObjectNotFound, match=r"1 of 4 trials could not be measured.*one.*opencv-telea"):
        measure_run(begun.run, settings, client.database, quiet)
    found = measures(client.database, begun.run.id)
    assert {(sample, number) for _, sample, number, _ in found if number} == {("one", 2), ("two", 1), ("two", 2)}
    # Brought back, it is measured, and so is what it has in common with the others.
    store.put(ObjectRef.parse(first.result_uri), kept, "image/png")
    assert found[MODEL, "one", None, "trials_delta_e_mean"] == "one_trial"
    measure_run(begun.run, settings, client.database, quiet)
    found = measures(client.database, begun.run.id)
    assert found[MODEL, "one", 1, "outside_exact"] == 1
    assert found[MODEL, "one", None, "trials_delta_e_mean"] == 0


def test_a_source_that_is_gone_is_told_with_its_sample(
    client: InpaintClient, settings: Settings, store: S3Store, worker: WorkerProcess, version: VersionRow
) -> None:
    begun = begin(client, version, seeds=[1])
    submit_missing(client, begun.run, quiet)
    follow(client, begun.run, quiet, timeout_s=60)
    with client.database.read() as connection:
        sha256 = list_samples(connection, version.id)[0].images["truth"][0]
    store.delete(input_ref(store.bucket, sha256, "png"))
    with pytest.raises(ObjectNotFound, match="1 of 2 trials could not be measured"):
        measure_run(begun.run, settings, client.database, quiet)
    assert {sample for _, sample, _, _ in measures(client.database, begun.run.id)} == {"two"}


def test_a_result_may_be_larger_than_an_input(store: S3Store, client: InpaintClient, worker: WorkerProcess,
                                              version: VersionRow) -> None:  # fmt: skip
    begun = begin(client, version, seeds=[1])
    submit_missing(client, begun.run, quiet)
    follow(client, begun.run, quiet, timeout_s=60)
    with client.database.read() as connection:
        trial = unmeasured(connection, begun.run.id, again=True)[0]
    tight = Pictures(store, replace(LIMITS, max_bytes=1024, formats=("jpeg",)))
    assert tight.result(trial).shape == (64, 96, 3)


def test_measuring_later_notes_the_versions_of_models_as_well(
    client: InpaintClient, settings: Settings, worker: WorkerProcess, version: VersionRow
) -> None:
    begun = begin(client, version, seeds=[1])
    submit_missing(client, begun.run, quiet)
    for job_id in jobs_of(client, begun.run.id).values():
        client.wait(job_id, timeout_s=60)  # type: ignore[arg-type]  # it was submitted
    measure_run(begun.run, settings, client.database, quiet)
    with client.database.read() as connection:
        unknown = connection.execute(text("SELECT count(*) FROM trial WHERE model_version_id IS NULL")).scalar_one()
    assert unknown == 0


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
def test_a_measuring_process_that_dies_leaves_none_behind(
    client: InpaintClient, settings: Settings, worker: WorkerProcess, version: VersionRow, number: signal.Signals
) -> None:
    begun = begin(client, version, seeds=[1])
    run_to_its_end(client, settings, begun)
    command = [sys.executable, "-m", "inpaint_fleet.cli", "bench", "measure", begun.run.name, "--again"]
    env = {**os.environ, **as_environment(settings)}
    with subprocess.Popen(command, env=env, start_new_session=True, stderr=subprocess.PIPE) as it:
        _until(lambda: len(_group(it.pid)) > 2)  # itself, the tracker of resources, and one that measures
        it.send_signal(number)
        it.wait(timeout=30)
        _until(lambda: not _group(it.pid))


def _group(leader: int) -> list[int]:
    """The processes of a group that have not ended."""
    found = []
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            state, _, group = stat.read_text().rpartition(")")[2].split()[:3]
        except OSError:
            continue
        if int(group) == leader and state != "Z":
            found.append(int(stat.parent.name))
    return found


def _until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.05)


# --- going on ---------------------------------------------------------------------------------------------------------


def test_a_model_that_the_catalogue_has_lost_keeps_no_other_from_being_finished(
    client: InpaintClient, smaller: InpaintClient, version: VersionRow
) -> None:
    begun = begin(client, version, OTHER, MODEL, seeds=[1])
    told: list[str] = []
    assert submit_missing(smaller, begun.run, quiet, told.append) == 2
    assert [OTHER in sentence for sentence in told] == [True]
    with client.database.read() as connection:
        trials = list_trials(connection, begun.run.id)
    assert {(trial.model, trial.job_id is not None) for trial in trials} == {(MODEL, True), (OTHER, False)}
    assert submit_missing(client, begun.run, quiet) == 2


def test_a_job_that_no_trial_names_is_found_again_although_its_model_has_changed(
    client: InpaintClient, settings: Settings, store: S3Store, version: VersionRow
) -> None:
    """The process died between submitting and noting; then the card came to take no references, say."""
    begun = begin(client, version, seeds=[1])
    submit_missing(client, begun.run, quiet)
    before = jobs_of(client, begun.run.id)
    with client.database.begin() as connection:
        connection.execute(text("UPDATE trial SET job_id = NULL"))
        connection.execute(text("UPDATE job SET request_hash = 'of another card'"))
    assert submit_missing(client, begun.run, quiet) == 0
    assert jobs_of(client, begun.run.id) == before
    with client.database.read() as connection:
        assert find_run(connection, begun.run.name).left == 2
