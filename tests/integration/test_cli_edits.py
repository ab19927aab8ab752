"""Masks of every kind, options of the edit and outputs by kind at the command line; no worker is needed."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from factories import encode, make_image, make_mask
from inpaint_core.s3 import S3Store
from inpaint_core.storage import ObjectRef
from inpaint_db.session import Database
from PIL import Image, ImageChops
from processes import WorkerProcess
from sqlalchemy import text
from stored import complete

Run = Callable[..., subprocess.CompletedProcess[str]]
MODEL = ("--model", "opencv-telea")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A room, its mask, and the room with the masked part erased."""
    (tmp_path / "room.png").write_bytes(encode(make_image()))
    (tmp_path / "mask.png").write_bytes(encode(make_mask()))
    erased = make_image().convert("RGBA")
    erased.putalpha(ImageChops.invert(make_mask()))
    (tmp_path / "erased.png").write_bytes(encode(erased))
    return tmp_path


@pytest.fixture
def run(stack_env: dict[str, str], folder: Path) -> Run:
    def inpaint(*arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "inpaint_fleet.cli", *arguments],
            env=stack_env, cwd=folder, capture_output=True, text=True, timeout=60, check=False,
        )  # fmt: skip

    return inpaint


def queued(run: Run, *arguments: str) -> dict[str, Any]:
    """The job that `inpaint submit ARGUMENTS` made, without a note."""
    said = run("submit", *arguments, *MODEL)
    assert said.returncode == 0 and said.stderr.startswith("queued; "), said.stderr
    job: dict[str, Any] = json.loads(run("jobs", "get", said.stdout.strip(), "--json").stdout)
    return job


def test_boxes_and_polygons_are_typed_and_shown(run: Run) -> None:
    shapes = ("--box", "10,10,40,30", "--box", "-5,50,20,80", "--polygon", "50,10 90,10 70.5,40")
    job = queued(run, "room.png", *shapes)
    assert job["mask_kind"] == "shapes" and job["mask_shapes"] == {
        "boxes": [[10, 10, 40, 30], [-5, 50, 20, 80]],
        "polygons": [[[50, 10], [90, 10], [70.5, 40]]],
    }
    shown = run("jobs", "get", job["id"]).stdout
    assert "mask\t2 boxes, 1 polygon\n" in shown


def test_the_word_alpha_is_the_transparency_and_a_path_is_a_file(run: Run, folder: Path) -> None:
    job = queued(run, "erased.png", "--mask", "alpha")
    assert job["mask_kind"] == "alpha"
    assert "mask\talpha\n" in run("jobs", "get", job["id"]).stdout
    (folder / "alpha").write_bytes(encode(make_mask()))
    assert queued(run, "room.png", "--mask", "./alpha")["mask_kind"] == "object"
    refused = run("submit", "room.png", "--mask", "alpha", *MODEL)
    assert refused.returncode == 2 and "The source room.png has no transparency" in refused.stderr


def test_every_option_arrives(run: Run) -> None:
    job = queued(
        run, "room.png", "--mask", "mask.png", "--polarity", "black", "--threshold", "99", "--resize-mask",
        "--fill-holes", "--grow", "2.5", "--feather", "3", "--padding", "12", "--detail", "full",
        "--format", "webp", "--quality", "77", "--keep-raw",
    )  # fmt: skip
    assert job["edit"] == {
        "polarity": "black", "threshold": 99, "resize_mask": True, "fill_holes": True, "grow": 2.5, "feather": 3,
        "padding": 12, "detail": "full", "format": "webp", "quality": 77, "keep_raw": True,
    }  # fmt: skip
    assert "edit\tpolarity=black, threshold=99, resize_mask=yes" in run("jobs", "get", job["id"]).stdout
    assert queued(run, "room.png", "--mask", "mask.png", "--fit", "whole")["edit"] == {"fit": "whole"}


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--mask", "mask.png", "--polarity", "red"], "edit.polarity: must be 'white', 'black' or 'transparent'"),
        (["--mask", "mask.png", "--grow", "5000"], "edit.grow: must be from 0 to 1024 (found 5000"),
        (["--mask", "mask.png", "--quality", "90"], "quality is for jpeg, webp and avif"),
        (["--mask", "mask.png", "--fit", "whole", "--padding", "12"], "padding is for the fit crop"),
        (["--box", "30,10,20,40"], "box [30, 10, 20, 40] is empty"),
        (
            ["--box", "500,10,600,40"],
            "The box [500, 10, 600, 40] of the mask lies outside of the picture, which is 96x64",
        ),
    ],
)
def test_a_wrong_option_is_one_sentence(run: Run, arguments: list[str], words: str) -> None:
    said = run("submit", "room.png", *arguments, *MODEL)
    assert (said.returncode, said.stdout) == (2, "") and said.stderr.startswith("error: ")
    assert words in said.stderr and said.stderr.count("\n") == 1


@pytest.mark.parametrize(
    ("arguments", "note"),
    [
        (["room.png", "--box", "0,0,3,3"], "note: the mask marks only 9 of 6,144 pixels; is that meant?"),
        (
            ["room.png", "--box", "0,0,96,63"],
            "note: the mask marks 98.4% of the picture, and what it marks is repainted",
        ),
        (["room.png", "--box", "0,0,9,9", "--polarity", "black"], "note: polarity says how the picture of a mask is"),
        (["erased.png", "--mask", "mask.png", "--format", "jpeg"], "note: JPEG has no transparency"),
    ],
)
def test_what_looks_like_a_mistake_is_a_note(run: Run, arguments: list[str], note: str) -> None:
    said = run("submit", *arguments, *MODEL)
    assert said.returncode == 0 and said.stderr.startswith(note), said.stderr


def test_rows_of_a_batch_have_masks_and_options_of_their_own(run: Run, folder: Path) -> None:
    rows = [
        {"source": "erased.png", "mask": "alpha"},
        {"source": "room.png", "mask": {"boxes": [[1, 2, 30, 40]]}, "edit": {"format": "png"}},
        {"source": "room.png", "mask": "mask.png", "edit.polarity": "black"},
        {"source": "room.png", "mask": "mask.png", "edit.grw": 3},
        {"source": "room.png", "mask": {"boxes": [[1, 2, 1, 40]]}},
    ]
    (folder / "jobs.jsonl").write_text("\n".join(map(json.dumps, rows)), encoding="utf-8")
    batch = ("submit-batch", "jobs.jsonl", *MODEL, "--format", "webp", "--resume-key", "k", "--json")
    refused = run(*batch)
    assert refused.returncode == 2
    assert "line 4: There is no column 'edit.grw': there are edit.polarity, edit.threshold" in refused.stderr
    assert "line 5: mask: box [1, 2, 1, 40] is empty" in refused.stderr
    report = json.loads(run(*batch, "--skip-invalid").stdout)
    jobs = [json.loads(run("jobs", "get", job["id"], "--json").stdout) for job in report["jobs"]]
    assert [job["mask_kind"] for job in jobs] == ["alpha", "shapes", "object"]
    assert [job["edit"] for job in jobs] == [{"format": "webp"}, {}, {"polarity": "black", "format": "webp"}]
    again = json.loads(run(*batch, "--skip-invalid").stdout)
    assert [job["created"] for job in again["jobs"]] == [False, False, False]


def test_what_a_job_did_is_shown_and_its_outputs_are_fetched_in_any_format(
    run: Run, folder: Path, database: Database, store: S3Store
) -> None:
    job_id = UUID(queued(run, "room.png", "--box", "10,10,40,30")["id"])
    complete(database, store, job_id)
    region = f"s3://{store.bucket}/outputs/{job_id}/1/region.png"
    store.put(ObjectRef.parse(region), encode(make_mask()), "image/png")
    with database.begin() as connection:
        for statement in (
            "UPDATE output SET exact = true, outside_changed_pixels = 0",
            """INSERT INTO output (id, job_id, attempt, kind, uri, sha256, format, width, height, size_bytes)
               SELECT gen_random_uuid(), job_id, attempt, 'region', :uri, sha256, 'PNG', 96, 64, 9 FROM output""",
            """UPDATE attempt SET region_pixels = 1536, warnings = '["The edit region is small.", "It is dark."]',
                      windows = '[{"box": [8, 4, 72, 52], "size": [512, 384]}]',
                      normalised = '{"mode": {"before": "CMYK", "after": "RGB"}}'""",
        ):
            connection.execute(text(statement), {"uri": region} if ":uri" in statement else {})
    shown = run("jobs", "get", str(job_id)).stdout
    for line in (
        "normalised\tmode CMYK to RGB",
        "mask\t1 box",
        "edit region\t25.0% of the picture",
        "windows\t64x48 at (8, 4), painted at 512x384",
        "kept\texact: 0 pixels changed outside the edit region",
        "warning\tThe edit region is small.",
        "warning\tIt is dark.",
    ):
        assert line + "\n" in shown
    for name, kind in (("a.png", "PNG"), ("a.jpg", "JPEG"), ("a.webp", "WEBP"), ("a.avif", "AVIF"), ("a.tif", "TIFF")):
        said = run("jobs", "download", str(job_id), "-o", name)
        assert (said.returncode, said.stdout) == (0, name + "\n"), said.stderr
        assert ("which is not exact" in said.stderr) is (kind in ("JPEG", "WEBP", "AVIF"))
        with Image.open(folder / name) as written:
            assert written.format == kind
    assert run("jobs", "download", str(job_id), "-o", ".", "--kind", "region").stdout == f"{job_id}-region.png\n"
    refused = run("jobs", "download", str(job_id), "-o", ".", "--kind", "raw")
    assert refused.returncode == 2 and "no output of the kind 'raw'; it has region, result." in refused.stderr


def test_a_result_is_stored_in_the_format_that_was_asked_for_and_written_as_it_is(
    run: Run, folder: Path, worker: WorkerProcess, store: S3Store
) -> None:
    shape = ("--box", "10,10,40,30", "--grow", "2", "--format", "jpeg", "--quality", "90", "--keep-raw")
    said = run("submit", "room.png", *shape, *MODEL, "-o", "edited.jpg", "--json")
    assert said.returncode == 0, said.stderr
    job = json.loads(said.stdout)
    assert (job["exact"], job["output_format"], job["edit"]["quality"]) == (False, "JPEG", 90)
    assert (folder / "edited.jpg").read_bytes() == store.get(ObjectRef.parse(job["output_uri"]), 1 << 20)
    assert "which is not exact" not in said.stderr
    shown = run("jobs", "get", job["id"]).stdout
    assert "mask\t1 box\n" in shown and "kept\tnot exact (JPEG): " in shown and "windows\t" in shown
    for kind in ("region", "raw"):
        assert run("jobs", "download", job["id"], "--kind", kind, "-o", f"{kind}.png").returncode == 0
        with Image.open(folder / f"{kind}.png") as image:
            assert image.format == "PNG"
    (folder / "jobs.csv").write_text("id,source,mask,edit.format\na,erased.png,alpha,webp\nb,room.png,mask.png,\n")
    assert run("submit-batch", "jobs.csv", *MODEL, "--output-dir", "out").returncode == 0
    assert sorted(path.name for path in (folder / "out").iterdir()) == ["a.webp", "b.png"]
