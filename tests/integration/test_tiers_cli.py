"""Tiers at the command line, with a worker: one edit, many, benchmarks, and what is said of mistakes."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import structlog
from factories import count, encode, make_image, make_mask
from inpaint_core.s3 import S3Store
from inpaint_core.settings import Settings
from inpaint_db.session import Database
from inpaint_fleet.cli.app import app
from processes import WorkerProcess
from test_bench_runs import bring_in, write_dataset
from test_guides_cli import FAMILY, HeedlessWorker
from typer.testing import CliRunner

Run = Callable[..., subprocess.CompletedProcess[str]]
#: A model with a tier, as far as its card says, of a family that OpenCV paints for: it leaves nothing out.
CATALOGUE = f"""
[models.mine]
like = "opencv-telea"
family = "{FAMILY}"
title = "Mine"
tiers.fast = {{ step_cache = 0.1 }}
"""
PICTURE = ("submit", "room.png", "--mask", "mask.png")


@pytest.fixture
def variables(stack_env: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """A deployment's own catalogue, and two pictures where the command runs."""
    (tmp_path / "catalogue.toml").write_text(CATALOGUE, encoding="utf-8")
    (tmp_path / "room.png").write_bytes(encode(make_image()))
    (tmp_path / "mask.png").write_bytes(encode(make_mask()))
    monkeypatch.chdir(tmp_path)
    return {**stack_env, "INPAINT_CATALOGUE": str(tmp_path / "catalogue.toml")}


@pytest.fixture
def ask(variables: dict[str, str]) -> Iterator[Run]:
    """The command, in this process."""

    def inpaint(*arguments: str) -> subprocess.CompletedProcess[str]:
        result = CliRunner().invoke(app, list(arguments), env=variables)
        return subprocess.CompletedProcess(arguments, result.exit_code, result.stdout, result.stderr)

    yield inpaint
    structlog.reset_defaults()


@pytest.fixture
def mine(variables: dict[str, str], settings: Settings, tmp_path: Path) -> Iterator[WorkerProcess]:
    """A worker of the model with a tier."""
    worker = HeedlessWorker("mine", variables, settings, tmp_path / "mine.log")
    worker.wait_ready()
    yield worker
    worker.kill()


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (("--tier", "fast", "-m", "opencv-telea"), "opencv-telea has no tier fast. These can: "),
        (("--tier", "turbo", "-m", "mine"), "mine has no tier turbo."),
        (("--tier", "quick", "-m", "mine"), "tier: must be 'exact', 'fast' or 'turbo' (found 'quick')."),
    ],
)
def test_a_tier_that_is_not_there_is_refused_in_one_sentence(
    ask: Run, database: Database, options: tuple[str, ...], words: str
) -> None:
    said = ask(*PICTURE, *options)
    assert said.returncode == 2 and words in said.stderr and said.stderr.count("\n") == 1
    with database.read() as connection:
        assert count(connection, "job") == 0


def test_jobs_show_their_tier_where_it_is_not_exact(ask: Run, mine: WorkerProcess) -> None:
    fast = ask(*PICTURE, "--tier", "fast", "-m", "mine", "--wait")
    assert fast.returncode == 0 and "  mine (fast)  in " in fast.stdout, fast.stderr
    exact = ask(*PICTURE, "-m", "mine", "--wait")
    assert "  mine  in " in exact.stdout
    job_id = fast.stdout.split()[0]
    assert "tier\tfast\n" in ask("jobs", "get", job_id).stdout
    assert json.loads(ask("jobs", "get", job_id, "--json").stdout)["tier"] == "fast"
    listed = [line.split("\t")[2] for line in ask("jobs", "list").stdout.splitlines()]
    assert listed == ["model", "mine", "mine (fast)"]


def test_a_batch_has_a_column_for_it_and_an_option_for_rows_without(ask: Run, mine: WorkerProcess) -> None:
    rows = ["source,mask,tier", "room.png,mask.png,exact", "room.png,mask.png,", "room.png,mask.png,fast"]
    Path("jobs.csv").write_text("\n".join(rows), encoding="utf-8")
    batch = ("submit-batch", "jobs.csv", "-m", "mine", "--resume-key", "k", "--tier", "fast", "--json")
    first = json.loads(ask(*batch).stdout)
    ids = [job["id"] for job in first["jobs"]]
    views = [json.loads(ask("jobs", "get", job_id, "--json").stdout) for job_id in ids]
    assert [view["tier"] for view in views] == ["exact", "fast", "fast"]
    assert [job["id"] for job in json.loads(ask(*batch).stdout)["jobs"]] == ids
    Path("jobs.csv").write_text("source,mask,tier\nroom.png,mask.png,quick", encoding="utf-8")
    assert "jobs.csv line 2: tier: must be 'exact', 'fast' or 'turbo' (found 'quick')." in ask(*batch).stderr


def test_a_run_in_a_tier_leaves_out_models_without_it_and_names_them(
    ask: Run, mine: WorkerProcess, worker: WorkerProcess, database: Database, store: S3Store, tmp_path: Path
) -> None:
    folder = tmp_path / "dataset"
    folder.mkdir()
    bring_in(database, store, write_dataset(folder))
    named = ask("bench", "run", "-d", "boxes", "-m", "mine,opencv-telea", "--tier", "fast")
    assert named.returncode == 2 and "opencv-telea has no tier fast. These can: " in named.stderr
    assert ask("bench", "runs").stdout.count("\n") == 1  # its head alone
    turbo = ask("bench", "run", "-d", "boxes", "-m", "all", "--tier", "turbo")
    assert (
        turbo.returncode == 2
        and "No model that a worker serves now has a tier turbo: mine, opencv-telea." in turbo.stderr
    )
    fast = ask("bench", "run", "-d", "boxes", "-m", "all", "--trials", "1", "--tier", "fast", "--name", "less")
    assert fast.returncode == 0, fast.stderr
    assert "left out, having no tier fast: opencv-telea" in fast.stderr
    assert "1 model x 2 samples x 1 seed = 2 trials, tier fast" in fast.stderr
    exact = ask("bench", "run", "-d", "boxes", "-m", "mine", "--trials", "1", "--name", "all")
    assert "2 trials of less measured beside these" in exact.stderr, exact.stderr
    runs = [dict(zip(*pair)) for pair in _rows(ask("bench", "runs").stdout)]  # noqa: B905
    assert {run["run"]: run["tier"] for run in runs} == {"all": "", "less": "fast"}
    assert {run["tier"] for run in json.loads(ask("bench", "runs", "--json").stdout)} == {"exact", "fast"}
    assert "Made in the tier fast" in ask("bench", "report", "less").stdout
    resumed = ask("bench", "resume", "less", "--json")
    assert json.loads(resumed.stdout)["tier"] == "fast"


def _rows(table: str) -> list[tuple[list[str], list[str]]]:
    head, *lines = [line.split("\t") for line in table.splitlines()]
    return [(head, line) for line in lines]


def test_results_of_other_systems_may_be_said_to_be_of_a_tier(
    ask: Run, database: Database, store: S3Store, tmp_path: Path
) -> None:
    folder, results = tmp_path / "dataset", tmp_path / "results"
    for each in (folder, results):
        each.mkdir()
    bring_in(database, store, write_dataset(folder))
    (results / "one.png").write_bytes(encode(make_image()))
    command = ("bench", "import-results", str(results), "-d", "boxes", "-m", "dall-e-2", "--run", "old")
    assert "tier must be exact, fast, turbo, found 'quick'." in ask(*command, "--tier", "quick").stderr
    assert ask(*command, "--tier", "turbo").returncode == 0
    other = ask(*command)
    assert other.returncode == 2 and "with results of the tier turbo, and these are exact" in other.stderr
    rows: list[dict[str, Any]] = json.loads(
        ask("db", "query", "SELECT tier, exact_delta_e FROM bench.trial_wide", "--json").stdout
    )
    assert rows == [{"tier": "turbo", "exact_delta_e": None}]
    assert "dall-e-2 (turbo)" in ask("bench", "report", "old").stdout.replace("\\", "")
