"""Guides and several outputs at the command line, with a worker: files, JSON, batches, and what is said of mistakes."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import structlog
from factories import count, encode, make_image, make_mask
from inpaint_core.settings import Settings
from inpaint_db.session import Database
from inpaint_fleet.cli.app import app
from PIL import Image
from processes import WorkerProcess
from typer.testing import CliRunner

Run = Callable[..., subprocess.CompletedProcess[str]]
TELEA = ("--model", "opencv-telea")
MINE = ("--model", "mine")
BOX = ("--box", "10,10,40,30")
#: Models that take guides, as far as their cards say, of a family that OpenCV paints for: it does not look at them.
FAMILY = "heedless"
CATALOGUE = f"""
[models.mine]
like = "opencv-telea"
family = "{FAMILY}"
title = "Mine"
reference = {{ by = "nothing", strength = 0.5 }}
control = {{ by = "nothing", types = ["canny", "depth"], strength = 1 }}
[models.half]
like = "opencv-telea"
family = "{FAMILY}"
title = "Half"
reference = {{ by = "nothing" }}
"""
WORKER = f"""
from inpaint_fleet.cli import main
from inpaint_worker.pipelines import FAMILIES
FAMILIES["{FAMILY}"] = FAMILIES["opencv"]
main()
"""


class HeedlessWorker(WorkerProcess):
    """`inpaint worker`, which knows one family more."""

    def _start(self, env: dict[str, str]) -> subprocess.Popen[bytes]:
        with self.log.open("wb") as output:
            return subprocess.Popen(
                [sys.executable, "-c", WORKER, "worker", self.model],
                env=env, stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT, start_new_session=True,
            )  # fmt: skip


@pytest.fixture
def mine(tmp_path: Path) -> dict[str, str]:
    """A deployment's own catalogue, as variables."""
    (tmp_path / "catalogue.toml").write_text(CATALOGUE, encoding="utf-8")
    return {"INPAINT_CATALOGUE": str(tmp_path / "catalogue.toml")}


@pytest.fixture
def pictures(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for seed, name in enumerate(("room", "room-2", "chair")):
        (tmp_path / f"{name}.png").write_bytes(encode(make_image(seed=seed)))
    (tmp_path / "lines.png").write_bytes(encode(make_mask(48, 32)))
    (tmp_path / "mask.png").write_bytes(encode(make_mask()))
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def run(stack_env: dict[str, str], mine: dict[str, str], pictures: None) -> Run:
    """The command as a process."""

    def inpaint(*arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "inpaint_fleet.cli", *arguments],
            env={**stack_env, **mine}, capture_output=True, text=True, timeout=90, check=False,
        )  # fmt: skip

    return inpaint


@pytest.fixture
def ask(stack_env: dict[str, str], mine: dict[str, str], pictures: None) -> Iterator[Run]:
    """The same in this process, which is quicker."""

    def inpaint(*arguments: str) -> subprocess.CompletedProcess[str]:
        result = CliRunner().invoke(app, list(arguments), env={**stack_env, **mine})
        return subprocess.CompletedProcess(arguments, result.exit_code, result.stdout, result.stderr)

    yield inpaint
    structlog.reset_defaults()


def document(said: subprocess.CompletedProcess[str]) -> Any:
    assert said.returncode == 0, said.stderr
    return json.loads(said.stdout)


# --- what is wrong ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (("--reference-image", "chair.png", *TELEA), "opencv-telea takes no reference image. These can: "),
        (("--control-image", "lines.png", "--control-type", "pose", *MINE), "only canny, depth. "),
        (("--control-image", "lines.png", *MINE), "The fields control_image and control_type go together; the types"),
        (("--control-image", "lines.png", "--control-type", "cany", *MINE), "control_type: must be 'canny', "),
        (("--reference-strength", "0.5", *MINE), "A reference_strength needs a reference_image."),
        (
            ("--reference-image", "chair.png", "--reference-strength", "2", *MINE),
            "reference_strength: must be from 0 to 1",
        ),
        (("--reference-image", "chair.png", "--reference-strength", "1", "--model", "half"), "has no strength"),
        (("--outputs", "9", *TELEA), "outputs: must be from 1 to 8 (found 9)."),
        (("--outputs", "0", *TELEA), "outputs: must be from 1 to 8 (found 0)."),
    ],
)
def test_what_is_wrong_is_one_sentence_and_nothing_is_submitted(
    ask: Run, database: Database, options: tuple[str, ...], words: str
) -> None:
    said = ask("submit", "room.png", *BOX, *options)
    assert (said.returncode, said.stdout) == (2, ""), said.stderr
    assert said.stderr.startswith("error: ") and said.stderr.count("\n") == 1, said.stderr
    assert words in said.stderr
    with database.read() as connection:
        assert [count(connection, table) for table in ("job", "image")] == [0, 0]


def test_models_of_ones_own_catalogue_are_offered(ask: Run) -> None:
    said = ask("submit", "room.png", *BOX, "--reference-image", "chair.png", *TELEA)
    assert "half, " in said.stderr and "mine, " in said.stderr
    said = ask("submit", "room.png", *BOX, "--reference-image", "chair.png", "--control-image", "lines.png",
               "--control-type", "canny", *TELEA)  # fmt: skip
    assert "mine, " in said.stderr and "half" not in said.stderr


def test_rows_that_are_wrong_are_named_and_the_others_wait(ask: Run, tmp_path: Path, database: Database) -> None:
    rows = [
        {"source": "room.png"},
        {"source": "room.png", "reference_image": "chair.png", "model": "opencv-telea"},
        {"source": "room.png", "control_image": "mask.png", "control_type": "pose"},
        {"source": "room.png", "outputs": 12},
        {"source": "room.png", "control_image": "tall.png", "control_type": "canny"},
        {"source": "room.png", "reference_image": "chair.png", "reference_strength": "0.9", "outputs": "2"},
    ]
    (tmp_path / "tall.png").write_bytes(encode(make_mask(64, 96)))
    (tmp_path / "jobs.jsonl").write_text("\n".join(json.dumps({**row, "mask": "mask.png"}) for row in rows))
    said = ask("submit-batch", "jobs.jsonl", *MINE)
    assert said.returncode == 2 and said.stdout == ""
    lines = [line for line in said.stderr.splitlines() if line.startswith("jobs.jsonl")]
    assert [line.split(": ")[0] for line in lines] == [f"jobs.jsonl line {number}" for number in (2, 3, 4, 5)]
    for line, words in zip(lines, (
        "opencv-telea takes no reference image. These can: ", "takes no control image of the type pose, only canny",
        "outputs: must be from 1 to 8 (found 12)", "The control image is 64x96 pixels and the source 96x64",
    ), strict=True):  # fmt: skip
        assert words in line
    with database.read() as connection:
        assert count(connection, "job") == 0
    told = document(ask("submit-batch", "jobs.jsonl", *MINE, "--skip-invalid", "--json"))
    assert [row["row"] for row in told["invalid"]] == [2, 3, 4, 5]
    assert [(job["row"], job["output_file"], job["output_files"]) for job in told["jobs"]] == [
        (1, None, []), (6, None, []),
    ]  # fmt: skip
    shown = json.loads(ask("jobs", "get", told["jobs"][1]["id"], "--json").stdout)
    assert (shown["outputs"], shown["reference_strength"]) == (2, 0.9)


def test_a_batch_is_gone_on_with_after_a_guide_of_an_option_has_changed(ask: Run, tmp_path: Path) -> None:
    (tmp_path / "jobs.csv").write_text("source,mask\nroom.png,mask.png\n", encoding="utf-8")
    command = ("submit-batch", "jobs.csv", *MINE, "--reference-image", "chair.png", "--resume-key", "k", "--json")
    first, second = document(ask(*command)), document(ask(*command))
    assert (second["jobs"][0]["id"], second["jobs"][0]["created"]) == (first["jobs"][0]["id"], False)
    (tmp_path / "chair.png").write_bytes(encode(make_image(seed=9)))
    third = document(ask(*command))
    assert third["jobs"][0]["created"] and third["jobs"][0]["id"] != first["jobs"][0]["id"]


# --- with a worker ----------------------------------------------------------------------------------------------------


@pytest.fixture
def working(
    stack_env: dict[str, str], mine: dict[str, str], settings: Settings, tmp_path: Path
) -> Iterator[HeedlessWorker]:
    worker = HeedlessWorker("mine", {**stack_env, **mine}, settings, tmp_path / "worker.log")
    try:
        worker.wait_ready()
        yield worker
    finally:
        worker.kill()


def pixels(path: Path) -> Any:
    with Image.open(path) as image:
        return np.asarray(image.convert("RGB"))


def test_several_outputs_are_written_beside_each_other_and_fetched_again(
    run: Run, working: HeedlessWorker, tmp_path: Path
) -> None:
    guides = ("--reference-image", "chair.png", "--control-image", "lines.png", "--control-type", "depth")
    said = run("submit", "room.png", *BOX, *MINE, *guides, "--seed", "4294967295", "--outputs", "3", "-o", "out.a.png",
               "--keep-raw", "--json")  # fmt: skip
    told = document(said)
    files = ["out.a.png", "out.a-2.png", "out.a-3.png"]
    assert (told["output_file"], told["output_files"], told["outputs"]) == (files[0], files, 3)
    assert (told["seed"], told["control_type"], told["reference_strength"]) == (4294967295, "depth", None)
    source = pixels(tmp_path / "room.png")
    for name in files:
        found = pixels(tmp_path / name)
        assert np.array_equal(found[:, 40:], source[:, 40:]) and not np.array_equal(found, source)

    job_id = told["id"]
    shown = dict(line.split("\t", 1) for line in run("jobs", "get", job_id).stdout.splitlines())
    assert shown["outputs"] == "3" and shown["control"].endswith("(depth)")
    assert shown["reference"].startswith("s3://")

    (tmp_path / "all").mkdir()
    said = run("jobs", "download", job_id, "-o", "all")
    assert said.stdout.split() == [f"all/{job_id}.png", f"all/{job_id}-2.png", f"all/{job_id}-3.png"]
    assert run("jobs", "download", job_id, "-o", "b.png", "--number", "2").stdout == "b.png\n"
    assert (tmp_path / "b.png").read_bytes() == (tmp_path / "out.a-2.png").read_bytes()
    assert run("jobs", "download", job_id, "-o", "r.png", "--kind", "region").stdout == "r.png\n"
    assert run("jobs", "download", job_id, "-o", "w.png", "--kind", "raw").stdout.split() == [
        "w.png",
        "w-2.png",
        "w-3.png",
    ]
    said = run("jobs", "download", job_id, "-o", "c.png", "--number", "4")
    assert said.returncode == 2 and "has 3 outputs, and no number 4" in said.stderr
    # Converted, it is said once what that loses, not for each.
    said = run("jobs", "download", job_id, "-o", "d.jpg")
    assert said.stdout.split() == ["d.jpg", "d-2.jpg", "d-3.jpg"] and said.stderr.count("note: ") == 1
    with Image.open(tmp_path / "d-3.jpg") as third:
        assert third.format == "JPEG"


def test_a_batch_with_several_outputs_writes_every_one_under_a_name_of_its_own(
    run: Run, working: HeedlessWorker, tmp_path: Path
) -> None:
    (tmp_path / "jobs.csv").write_text(
        "source,mask,outputs,seed,edit.format\nroom.png,mask.png,3,1,\nroom-2.png,mask.png,,1,\nchair.png,mask.png,2,1,jpeg\n",
        encoding="utf-8",
    )
    told = document(run("submit-batch", "jobs.csv", *MINE, "-o", "out", "--json"))
    assert told["summary"]["succeeded"] == 3
    files = [job["output_files"] for job in told["jobs"]]
    assert files == [
        ["out/room-1.png", "out/room-1-2.png", "out/room-1-3.png"], ["out/room-2-2.png"],
        ["out/chair.jpg", "out/chair-2.jpg"],
    ]  # fmt: skip
    assert [job["output_file"] for job in told["jobs"]] == [names[0] for names in files]
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == sorted(
        Path(name).name for names in files for name in names
    )
    assert np.array_equal(pixels(tmp_path / "out/room-2-2.png")[0], pixels(tmp_path / "room-2.png")[0])
    assert not np.array_equal(pixels(tmp_path / "room-2.png")[0], pixels(tmp_path / "room.png")[0])
    # For people, every file is on its row.
    lines = run("submit-batch", "jobs.csv", *MINE, "-o", "again").stdout.splitlines()
    assert lines[1].endswith("\tagain/room-1.png, again/room-1-2.png, again/room-1-3.png")
