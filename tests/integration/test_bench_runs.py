"""Benchmark runs over the real queue: planned, stopped in the middle, gone on with, measured."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from uuid import UUID

import numpy as np
import pytest
from factories import LIMITS, encode, make_image, make_mask
from gc_scene import AgedStore
from inpaint_benchmark.datasets import read_dataset
from inpaint_benchmark.metrics import METRICS
from inpaint_benchmark.runs.importing import import_dataset
from inpaint_benchmark.runs.measuring import measure_run
from inpaint_benchmark.runs.planning import Wanted
from inpaint_benchmark.runs.running import follow, submit_missing
from inpaint_benchmark.runs.starting import Begun, begin_run, resolve_dataset
from inpaint_core.errors import CannotDo, InvalidRequest, ParameterInvalid, PromptRequired, RequestError
from inpaint_core.s3 import S3Store
from inpaint_core.settings import Settings
from inpaint_db.dataset_queries import VersionRow, list_samples, list_versions
from inpaint_db.run_queries import find_run, list_trials
from inpaint_db.session import Database
from inpaint_producer import InpaintClient
from inpaint_producer.cleaning import Cleaner
from inpaint_producer.relay import Relay
from PIL import Image
from processes import WorkerProcess
from sqlalchemy import text
from stored import objects

MODEL, OTHER = "opencv-telea", "opencv-ns"
SIZE = (96, 64)


@contextlib.contextmanager
def quiet(_what: str, _total: int) -> Iterator[Callable[[int], None]]:
    yield lambda _more: None


def write_dataset(folder: Path, *, ids: tuple[str, ...] = ("one", "two"), prompt: str = "a chair") -> Path:
    """A manifest with its pictures; of each sample also what it should become, which is the source with a grey box."""
    samples = []
    for seed, name in enumerate(ids):
        source, mask = make_image(*SIZE, seed=seed), make_mask(*SIZE)
        truth = np.asarray(source).copy()
        truth[np.asarray(mask) > 0] = 128
        pictures = {"source": source, "mask": mask, "truth": Image.fromarray(truth), "object_mask": mask}
        for role, picture in pictures.items():
            (folder / f"{name}-{role}.png").write_bytes(encode(picture))
        samples.append({"id": name, "prompt": prompt, **{role: f"{name}-{role}.png" for role in pictures}})
    path = folder / "manifest.json"
    path.write_text(json.dumps({"name": "boxes", "polarity": "white", "samples": samples}), encoding="utf-8")
    return path


def bring_in(database: Database, store: S3Store, path: Path) -> tuple[VersionRow, bool]:
    return import_dataset(read_dataset(path), database, store, LIMITS, quiet)


@pytest.fixture
def version(database: Database, store: S3Store, tmp_path: Path) -> VersionRow:
    return bring_in(database, store, write_dataset(tmp_path))[0]


@pytest.fixture
def sweeping(relay: Relay) -> Iterator[None]:
    """A relay at work: it sends jobs that are queued again, and those whose producer died before it sent them."""
    stop = threading.Event()
    thread = threading.Thread(target=relay.run, args=(stop,))
    thread.start()
    yield
    stop.set()
    thread.join()


def begin(client: InpaintClient, version: VersionRow, *models: str, name: str | None = None, **wanted: Any) -> Begun:
    request = Wanted(models or (MODEL,), **wanted)
    return begin_run(request, version, client.catalogue, client.database, name=name)


def run_to_its_end(client: InpaintClient, settings: Settings, begun: Begun) -> None:
    submit_missing(client, begun.run, quiet)
    follow(client, begun.run, quiet, timeout_s=60)
    measure_run(begun.run, settings, client.database, quiet)


def measures(database: Database, run_id: UUID) -> dict[tuple[str, str, int | None, str], float | str]:
    """(model, sample, trial, metric) -> value, or the reason why there is none."""
    with database.read() as connection:
        rows = connection.execute(
            text("""SELECT m.model, s.name, t.number, m.metric, coalesce(m.value::text, m.reason) AS found, m.value
                      FROM measure m JOIN sample s ON s.id = m.sample_id LEFT JOIN trial t ON t.id = m.trial_id
                     WHERE m.run_id = :id"""),
            {"id": run_id},
        ).all()
    return {(r.model, r.name, r.number, r.metric): r.found if r.value is None else r.value for r in rows}


# --- datasets ---------------------------------------------------------------------------------------------------------


def test_a_dataset_is_stored_by_content_and_once(database: Database, store: S3Store, tmp_path: Path) -> None:
    path = write_dataset(tmp_path)
    version, new = bring_in(database, store, path)
    assert (version.dataset, version.version, version.samples, new) == ("boxes", "1", 2, True)
    before = objects(store)
    again, new = bring_in(database, store, path)
    assert (again.id, new, objects(store)) == (version.id, False, before)
    with database.read() as connection:
        samples = list_samples(connection, version.id)
    assert [sample.name for sample in samples] == ["one", "two"]
    assert all(set(sample.images) == {"source", "mask", "truth", "object_mask"} for sample in samples)
    assert all(sample.coverage == pytest.approx(np.mean(np.asarray(make_mask(*SIZE)) > 0)) for sample in samples)


def test_other_content_is_the_next_version(database: Database, store: S3Store, tmp_path: Path) -> None:
    bring_in(database, store, write_dataset(tmp_path))
    version, new = bring_in(database, store, write_dataset(tmp_path, prompt="a table"))
    assert (version.version, new) == ("2", True)
    with database.read() as connection:
        assert [row.version for row in list_versions(connection)] == ["2", "1"]


def test_a_sample_that_cannot_be_used_leaves_no_version(database: Database, store: S3Store, tmp_path: Path) -> None:
    path = write_dataset(tmp_path)
    (tmp_path / "two-source.png").write_bytes(b"not a picture")
    with pytest.raises(RequestError, match="two"):
        bring_in(database, store, path)
    with database.read() as connection:
        assert list_versions(connection) == []


def test_a_dataset_is_found_by_name_and_version(database: Database, store: S3Store, version: VersionRow) -> None:
    for wanted in ("boxes", "boxes@1"):
        assert resolve_dataset(wanted, database, store, LIMITS, quiet).id == version.id
    with pytest.raises(InvalidRequest, match="has no version '7'; it has 1"):
        resolve_dataset("boxes@7", database, store, LIMITS, quiet)
    with pytest.raises(InvalidRequest, match="There is no dataset 'circles'"):
        resolve_dataset("circles", database, store, LIMITS, quiet)


# --- plans ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("models", "wanted", "error", "words"),
    [
        (("opencv-tela",), {}, InvalidRequest, "opencv-telea"),
        ((MODEL,), {"samples": ["three"]}, InvalidRequest, "has no sample three; it has one, two"),
        ((MODEL,), {"parameters": {"*": {"steps": 3}}}, ParameterInvalid, "None of the run's models"),
        ((MODEL,), {"parameters": {OTHER: {"radius": 3}}}, InvalidRequest, "none of the run's models"),
        ((MODEL,), {"parameters": {MODEL: {"radius": 5000}}}, ParameterInvalid, "radius"),
        ((MODEL,), {"seeds": []}, InvalidRequest, "1 to 100 trials"),
    ],
)
def test_what_could_not_run_is_refused_before_anything_is_written(
    client: InpaintClient, version: VersionRow, models: tuple[str, ...], wanted: dict[str, Any], error: type[Exception],
    words: str,
) -> None:  # fmt: skip
    with pytest.raises(error, match=words):
        begin(client, version, *models, **wanted)
    with client.database.read() as connection, pytest.raises(InvalidRequest, match="none yet"):
        find_run(connection, "latest")


def test_a_model_that_needs_prompts_refuses_samples_without(
    client: InpaintClient, database: Database, store: S3Store, tmp_path: Path
) -> None:
    bare, _ = bring_in(database, store, write_dataset(tmp_path, prompt=""))
    with pytest.raises(PromptRequired):
        begin(client, bare, "stable-diffusion-2-inpainting")


def test_a_negative_prompt_keeps_no_model_out(
    client: InpaintClient, database: Database, store: S3Store, tmp_path: Path
) -> None:
    path = write_dataset(tmp_path)
    document = json.loads(path.read_text())
    for sample in document["samples"]:
        sample["negative_prompt"] = "a dog"
    path.write_text(json.dumps(document))
    version, _ = bring_in(database, store, path)
    with pytest.raises(CannotDo):  # what a single job would be told
        client.submit(make_image(), make_mask(), model="flux-1-fill-dev", prompt="a", negative_prompt="a dog")
    assert begin(client, version, "flux-1-fill-dev", "stable-diffusion-2-inpainting").run.trials == 12


def test_every_model_meets_every_sample_with_every_seed(client: InpaintClient, version: VersionRow) -> None:
    run = begin(client, version, MODEL, OTHER, seeds=[5, 9, 5]).run
    with client.database.read() as connection:
        trials = list_trials(connection, run.id)
    found = {(t.model, t.sample, t.number, t.seed) for t in trials}
    assert len(trials) == len(found) == run.trials == 12
    assert found == {
        (model, sample, number, seed)
        for model in (MODEL, OTHER)
        for sample in ("one", "two")
        for number, seed in ((1, 5), (2, 9), (3, 5))
    }


def test_the_same_run_again_is_the_one_that_is_there(client: InpaintClient, version: VersionRow) -> None:
    first = begin(client, version, seeds=[1])
    assert first.new
    assert begin(client, version, seeds=[1]) == Begun(first.run, new=False)
    assert begin(client, version, seeds=[1, 2]).run.name != first.run.name
    named = begin(client, version, seeds=[1], name="spring")
    assert (named.run.name, named.new) == ("spring", True)
    assert not begin(client, version, seeds=[1], name="spring").new
    with pytest.raises(InvalidRequest, match="'spring' is there already, with other seeds"):
        begin(client, version, seeds=[2], name="spring")


@pytest.mark.parametrize("name", ["", "Spring", "a b", "-x", "../x", "x" * 101])
def test_a_name_that_could_not_be_a_file_is_refused(client: InpaintClient, version: VersionRow, name: str) -> None:
    with pytest.raises(InvalidRequest, match="must be 1 to 100"):
        begin(client, version, name=name)


# --- through the queue ------------------------------------------------------------------------------------------------


def test_a_run_is_carried_out_and_measured(
    client: InpaintClient, settings: Settings, worker: WorkerProcess, version: VersionRow
) -> None:
    begun = begin(client, version, seeds=[1, 1, 2])
    run_to_its_end(client, settings, begun)
    with client.database.read() as connection:
        run = find_run(connection, begun.run.name)
        trials = list_trials(connection, run.id)
        labels = connection.execute(text("SELECT label FROM model_version")).scalars().all()
    assert (run.trials, run.succeeded, run.failed, run.left) == (6, 6, 0, 0)
    found = measures(client.database, run.id)
    outputs = {name for name, metric in METRICS.items() if metric.scope == "output"}
    for trial in trials:
        assert {m for _, sample, number, m in found if (sample, number) == (trial.sample, trial.number)} == outputs
        here = {m: v for (_, sample, number, m), v in found.items() if (sample, number) == (trial.sample, trial.number)}
        assert here["outside_exact"] == 1 and here["outside_psnr"] == "identical"
        assert here["raw_outside_exact"] in (0, 1)  # the raw output was found and compared
        # The dataset marks no effect: the truth counts where the mask is, which here is where the object is.
        assert isinstance(here["truth_object_psnr"], float) and here["truth_effect_psnr"] == here["truth_object_psnr"]
    for sample in ("one", "two"):
        assert found[MODEL, sample, None, "trials_same_seed_identical"] == 1
        assert found[MODEL, sample, None, "trials_delta_e_mean"] == 0  # OpenCV knows no seeds
    assert len(labels) == 1 and labels[0].startswith("opencv ")


def test_measuring_again_changes_nothing_and_loses_nothing(
    client: InpaintClient, settings: Settings, worker: WorkerProcess, version: VersionRow
) -> None:
    begun = begin(client, version, seeds=[1, 2])
    run_to_its_end(client, settings, begun)
    before = measures(client.database, begun.run.id)
    assert measure_run(begun.run, settings, client.database, quiet) == 0
    assert measure_run(begun.run, settings, client.database, quiet, again=True) == 4
    assert measures(client.database, begun.run.id) == before


def test_what_failed_is_tried_again_and_nothing_else(
    client: InpaintClient, sweeping: None, start_worker: Callable[..., WorkerProcess], version: VersionRow
) -> None:
    begun = begin(client, version, seeds=[1])
    assert submit_missing(client, begun.run, quiet) == 2
    with client.database.read() as connection:
        first, second = (trial.job_id for trial in list_trials(connection, begun.run.id))
    assert first is not None
    client.cancel(first)
    start_worker()
    client.wait(second, timeout_s=60)  # type: ignore[arg-type]  # it was submitted
    assert submit_missing(client, begun.run, quiet) == 1
    assert follow(client, begun.run, quiet, timeout_s=60).succeeded == 2
    with client.database.read() as connection:
        assert [trial.job_id for trial in list_trials(connection, begun.run.id)] == [first, second]


def test_jobs_of_trials_are_kept_for_ever(
    client: InpaintClient, settings: Settings, worker: WorkerProcess, version: VersionRow
) -> None:
    store = AgedStore(settings)
    begun = begin(client, version, seeds=[1])
    run_to_its_end(client, settings, begun)
    before = objects(store)
    with client.database.begin() as connection:
        connection.execute(text("UPDATE job SET finished_at = finished_at - interval '9 years'"))
        connection.execute(text("UPDATE image SET last_used_at = last_used_at - interval '9 years'"))
    kept = settings.model_copy(update={"keep_succeeded_days": 1, "keep_failed_days": 1})
    cleaned = Cleaner(kept, client.database, store).run()
    assert cleaned is not None and cleaned.complete and cleaned.deleted == {}
    assert objects(store) == before
    with client.database.read() as connection:
        assert find_run(connection, begun.run.name).succeeded == 2


# --- killed in the middle ---------------------------------------------------------------------------------------------


def _environment(settings: Settings) -> dict[str, str]:
    from inpaint_core.settings import as_environment

    return {**os.environ, **as_environment(settings)}


def test_a_runner_that_is_killed_leaves_no_trial_out_and_does_none_twice(
    client: InpaintClient, settings: Settings, sweeping: None, worker: WorkerProcess, store: S3Store, tmp_path: Path
) -> None:
    ids = tuple(f"sample-{number}" for number in range(12))
    version, _ = bring_in(client.database, store, write_dataset(tmp_path, ids=ids))
    command = [
        sys.executable, "-m", "inpaint_fleet.cli", "bench", "run", "--dataset", "boxes", "--models", MODEL,
        "--seeds", ",".join(map(str, range(1, 7))), "--name", "killed",
    ]  # fmt: skip
    killed = 0
    for _ in range(20):
        pipe = subprocess.PIPE
        with subprocess.Popen(command, env=_environment(settings), stdout=pipe, stderr=pipe) as it:
            _await_more_jobs(client.database, it, than=killed)
            if it.poll() is None:
                it.send_signal(signal.SIGKILL)
            it.communicate(timeout=60)
        with client.database.read() as connection:
            killed = connection.execute(text("SELECT count(*) FROM job")).scalar_one()
        if killed >= 72:
            break
    end = subprocess.run(command, env=_environment(settings), capture_output=True, text=True, timeout=120, check=False)
    assert end.returncode == 0, end.stderr
    with client.database.read() as connection:
        run = find_run(connection, "killed")
        trials = list_trials(connection, run.id)
        jobs = connection.execute(text("SELECT count(*) FROM job")).scalar_one()
    assert (run.trials, run.succeeded) == (72, 72)
    assert len({trial.job_id for trial in trials}) == jobs == 72
    assert version.id == run.dataset_version_id


def _await_more_jobs(database: Database, process: subprocess.Popen[bytes], than: int) -> None:
    """Until the process has submitted something, or ended: then is the moment to kill it."""
    deadline = time.monotonic() + 60
    while process.poll() is None and time.monotonic() < deadline:
        with database.read() as connection:
            if connection.execute(text("SELECT count(*) FROM job")).scalar_one() > than:
                return
        time.sleep(0.02)
