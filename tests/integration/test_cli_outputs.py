"""Outputs at the command line: names that cannot be written, notes of a batch, and what a job did."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from uuid import UUID

import pytest
from factories import count, encode, make_image
from inpaint_core.s3 import S3Store
from inpaint_db.session import Database
from PIL import Image
from sqlalchemy import text
from stored import complete, objects

Run = Callable[..., subprocess.CompletedProcess[str]]
MODEL = ("--model", "opencv-telea")
BOX = ("--box", "10,10,40,30")


@pytest.fixture
def run(stack_env: dict[str, str], tmp_path: Path) -> Run:
    (tmp_path / "room.png").write_bytes(encode(make_image()))

    def inpaint(*arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "inpaint_fleet.cli", *arguments],
            env=stack_env, cwd=tmp_path, capture_output=True, text=True, timeout=60, check=False,
        )  # fmt: skip

    return inpaint


def is_one_sentence(said: subprocess.CompletedProcess[str], *words: str) -> None:
    assert (said.returncode, said.stdout) == (2, ""), said.stderr
    assert said.stderr.startswith("error: ") and said.stderr.count("\n") == 1, said.stderr
    for word in words:
        assert word in said.stderr, said.stderr


def test_an_output_that_nothing_is_written_as_is_refused_before_anything_is_submitted(
    run: Run, database: Database, store: S3Store
) -> None:
    said = run("submit", "room.png", *BOX, *MODEL, "-o", "x.gif")
    is_one_sentence(said, "x.gif ends in .gif, which is no format that results are written as. There are: .png, .jpg")
    assert objects(store) == set()
    with database.read() as connection:
        assert [count(connection, table) for table in ("job", "image")] == [0, 0]


def test_a_result_that_is_too_large_for_the_format_of_its_name_is_told_so_and_stays_to_be_fetched(
    run: Run, tmp_path: Path, database: Database, store: S3Store
) -> None:
    job_id = UUID(run("submit", "room.png", *BOX, *MODEL).stdout.strip())
    complete(database, store, job_id, Image.new("RGB", (16_384, 2)))
    said = run("jobs", "download", str(job_id), "-o", "big.webp")
    is_one_sentence(said, "big.webp: WEBP cannot hold this picture of 16384x2 pixels", "fetch its output as .png")
    assert not [path for path in tmp_path.iterdir() if path.name.startswith("big")]
    assert run("jobs", "download", str(job_id), "-o", "big.png").returncode == 0
    with Image.open(tmp_path / "big.png") as fetched:
        assert fetched.size == (16_384, 2)


def test_notes_of_a_batch_name_their_rows(run: Run, tmp_path: Path) -> None:
    boxes = [[0, 0, 3, 3], [10, 10, 40, 30], [5, 5, 8, 8], [0, 0, 96, 63]]
    rows = [{"source": "room.png", "mask": {"boxes": [box]}} for box in boxes]
    (tmp_path / "jobs.jsonl").write_text("\n".join(map(json.dumps, rows)), encoding="utf-8")
    said = run("submit-batch", "jobs.jsonl", *MODEL)
    assert said.returncode == 0, said.stderr
    notes = sorted(line for line in said.stderr.splitlines() if line.startswith("note: "))
    little = "the mask marks only 9 of 6,144 pixels; is that meant?"
    assert [note for note in notes if note.endswith(little)] == [
        f"note: jobs.jsonl line 1: {little}", f"note: jobs.jsonl line 3: {little}",
    ]  # fmt: skip
    assert "jobs.jsonl line 4: the mask marks 98.4% of the picture" in notes[-1] and len(notes) == 3


def test_how_what_was_painted_sits_and_what_the_model_did_besides_is_shown(
    run: Run, database: Database, store: S3Store
) -> None:
    job_id = UUID(run("submit", "room.png", *BOX, *MODEL).stdout.strip())
    complete(database, store, job_id)
    shown = run("jobs", "get", str(job_id)).stdout
    assert "painted\t" not in shown and "drift" not in shown
    with database.begin() as connection:
        connection.execute(
            text("""UPDATE output SET inside_change_mean = 41.26, seam_step = 7.04, ring_step = 6.5,
                    raw_outside_mean = 1.234, raw_outside_max = 88, raw_outside_changed_share = 0.456""")
        )
    shown = run("jobs", "get", str(job_id)).stdout
    assert "painted\tchanged by 41.3 levels of 255, steps of 7.0 across the border (6.5 just outside)\n" in shown
    assert "model's own drift\tmean 1.23, largest 88 levels of 255, in 45.6% of the pixels; put back\n" in shown
