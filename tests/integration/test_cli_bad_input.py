"""What people get wrong at the command line: one clear sentence, the right exit code, nothing half-written."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from factories import count, encode, make_image, make_mask
from inpaint_core.settings import Settings
from inpaint_db.session import Database
from outages import closed_port
from PIL import Image

Run = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def pictures(tmp_path: Path) -> Path:
    """A folder with a good source and mask, and bad ones of every kind."""
    folder = tmp_path / "pictures"
    folder.mkdir()
    (folder / "room.png").write_bytes(encode(make_image()))
    (folder / "mask.png").write_bytes(encode(make_mask()))
    (folder / "small.png").write_bytes(encode(make_mask(40, 30)))
    (folder / "empty.png").write_bytes(encode(Image.new("L", (96, 64), 0)))
    (folder / "notes.txt").write_text("not an image", encoding="utf-8")
    (folder / "cut.jpg").write_bytes(encode(make_image(640, 480), "JPEG")[:5000])
    return folder


@pytest.fixture
def run(stack_env: dict[str, str], pictures: Path) -> Run:
    """`inpaint ARGUMENTS` in the folder of pictures."""

    def inpaint(*arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "inpaint_fleet.cli", *arguments],
            env={**stack_env, **variables}, cwd=pictures, capture_output=True, text=True, timeout=60, check=False,
        )  # fmt: skip

    return inpaint


def refused(result: subprocess.CompletedProcess[str], code: int, *words: str) -> None:
    """One sentence on stderr, nothing on stdout."""
    assert result.returncode == code, result.stderr
    assert result.stdout == ""
    assert result.stderr.startswith("error: ") and result.stderr.count("\n") == 1, result.stderr
    assert "Traceback" not in result.stderr and "unexpected" not in result.stderr
    for word in words:
        assert word in result.stderr, result.stderr


def nothing_stored(settings: Settings, database: Database) -> None:
    from inpaint_core.s3 import S3Store

    store = S3Store(settings)
    assert list(store._client.list_objects(store.bucket, recursive=True)) == []
    with database.read() as connection:
        assert (count(connection, "job"), count(connection, "image")) == (0, 0)


GOOD = {"source": "room.png", "mask": "mask.png", "model": "opencv-telea"}


def submit(run: Run, *more: str, **changed: str) -> subprocess.CompletedProcess[str]:
    values = {**GOOD, **changed}
    return run("submit", values["source"], "--mask", values["mask"], "--model", values["model"], *more)


@pytest.mark.parametrize(
    ("changed", "more", "code", "words"),
    [
        ({"source": "nix.png"}, [], 3, ["There is no file nix.png", "given as the source"]),
        ({"mask": "nix.png"}, [], 3, ["There is no file nix.png", "given as the mask"]),
        ({"source": "notes.txt"}, [], 2, ["notes.txt is not an image", "jpeg"]),
        ({"source": "cut.jpg"}, [], 2, ["cannot be decoded", "truncated"]),
        ({"source": "."}, [], 2, ["is a folder", "submit-batch"]),
        ({"mask": "small.png"}, [], 2, ["40x30", "96x64"]),
        ({"mask": "empty.png"}, [], 2, ["marks nothing to repaint", "white"]),
        ({"model": "opencv-tela"}, [], 2, ["no model 'opencv-tela'", "Did you mean opencv-telea"]),
        ({}, ["-p", "radius=900"], 2, ["radius", "from 1 to 32", "900"]),
        ({}, ["-p", "radius=wide"], 2, ["radius", "must be a number"]),
        ({}, ["-p", "size=9"], 2, ["no parameter 'size'", "radius"]),
        ({}, ["-p", "radius"], 2, ["name=value"]),
        ({}, ["--tag", "x"], 2, ["name=value"]),
        ({}, ["--seed", "-1"], 2, ["seed", "-1"]),
        ({}, ["--seed", "x"], 2, ["--seed", "integer"]),
        ({}, ["--prompt", "x" * 5000], 2, ["prompt", "4000"]),
        ({}, ["--deadline", "yesterday"], 2, ["deadline", "2h"]),
        ({}, ["--deadline", "2001-01-01T00:00Z"], 2, ["has passed"]),
        ({}, ["-o", "no/such/folder/x.png"], 2, ["There is no folder no/such/folder"]),
        ({"source": "s3://nix"}, [], 2, ["s3://bucket/key"]),
        ({"source": "s3://elsewhere/x.png"}, [], 2, ["INPAINT_S3_READ_BUCKETS"]),
    ],
    ids=lambda value: "-".join(value)[:40] if isinstance(value, dict | list) else str(value),
)
def test_a_wrong_request_is_refused_before_anything_is_stored(
    run: Run,
    settings: Settings,
    database: Database,
    changed: dict[str, str],
    more: list[str],
    code: int,
    words: list[str],
) -> None:
    refused(submit(run, *more, **changed), code, *words)
    nothing_stored(settings, database)


def test_an_object_that_does_not_exist(run: Run, settings: Settings, database: Database) -> None:
    refused(submit(run, source=f"s3://{settings.s3_bucket}/nix.png"), 3, "There is no object", "nix.png")
    nothing_stored(settings, database)


def test_jobs_that_do_not_exist(run: Run) -> None:
    nobody = "019a9f0e-0000-7000-8000-000000000000"
    for command in ("get", "wait", "cancel", "retry"):
        refused(run("jobs", command, nobody), 3, "There is no job", nobody)
    refused(run("jobs", "download", nobody, "-o", "x.png"), 3, "There is no job")
    refused(run("jobs", "get", "42"), 2, "'42' is not a job id")


def test_an_idempotency_key_of_another_request(run: Run) -> None:
    assert submit(run, "--idempotency-key", "k").returncode == 0
    refused(submit(run, "--idempotency-key", "k", "--seed", "5"), 6, "'k' belongs to job", "new key")


@pytest.mark.parametrize(
    ("variable", "service"),
    [("INPAINT_POSTGRES_URL", "Postgres"), ("INPAINT_S3_URL", "S3")],
)
def test_a_service_that_is_away_is_named_with_its_address(
    run: Run, stack_env: dict[str, str], variable: str, service: str
) -> None:
    port = closed_port()
    parts = urlsplit(stack_env[variable])
    login = f"{parts.netloc.rpartition('@')[0]}@" if "@" in parts.netloc else ""
    away = parts._replace(netloc=f"{login}127.0.0.1:{port}").geturl()
    result = run("submit", "room.png", "--mask", "mask.png", "--model", "opencv-telea", **{variable: away})
    refused(result, 4, f"{service} at ", f"127.0.0.1:{port}", "does not answer", variable)


def test_without_redis_a_job_is_accepted_and_the_note_says_what_happens_next(run: Run, database: Database) -> None:
    port = closed_port()
    result = run(
        "submit", "room.png", "--mask", "mask.png", "--model", "opencv-telea",
        INPAINT_REDIS_URL=f"redis://:geheim@127.0.0.1:{port}/0",
    )  # fmt: skip
    assert result.returncode == 0
    assert len(result.stdout.strip()) == 36
    assert f"Redis at 127.0.0.1:{port} does not answer" in result.stderr
    assert result.stderr.startswith("note: 1 job is accepted and stored")
    assert "geheim" not in result.stderr
    with database.read() as connection:
        assert count(connection, "job") == 1


def test_without_redis_what_needs_it_says_so(run: Run) -> None:
    port = closed_port()
    for command in (["status", "--json"], ["flower", "--no-auth"]):
        result = run(*command, INPAINT_REDIS_URL=f"redis://127.0.0.1:{port}/0")
        assert result.returncode == 4, result.stderr
        assert f"Redis at 127.0.0.1:{port} does not answer" in result.stdout + result.stderr
        assert "Traceback" not in result.stderr


def test_a_wrong_password_is_told_from_a_service_that_is_away(run: Run, stack_env: dict[str, str]) -> None:
    url = urlsplit(stack_env["INPAINT_POSTGRES_URL"])
    wrong = url._replace(netloc=f"{url.username}:wrong@{url.hostname}:{url.port}").geturl()
    refused(run("jobs", "list", INPAINT_POSTGRES_URL=wrong), 7, "Postgres at", "refused the user or password")
    refused(run("storage", "init", INPAINT_S3_SECRET_KEY="wrong-secret-key"), 7, "S3 at", "refused the credentials")
    redis = urlsplit(stack_env["INPAINT_REDIS_URL"])
    if redis.password:
        wrong = redis._replace(netloc=f":wrong@{redis.hostname}:{redis.port}").geturl()
        result = run("doctor", "--json", INPAINT_REDIS_URL=wrong)
        assert result.returncode == 1 and "refused the password" in result.stdout


def test_a_schema_that_is_behind(run: Run, empty_database: Settings) -> None:
    assert empty_database.postgres_url is not None
    url = empty_database.postgres_url.get_secret_value()
    for command in (["jobs", "list"], ["db", "query", "SELECT * FROM job"], ["prices", "list"]):
        refused(
            run(*command, INPAINT_POSTGRES_URL=url),
            7 if command[0] != "db" else 2,
            "job" if "db" in command else "inpaint db upgrade",
        )
    result = run("db", "current", INPAINT_POSTGRES_URL=url)
    assert (result.returncode, result.stdout) == (7, "(empty)\n")
    assert "inpaint db upgrade" in result.stderr
    assert run("db", "upgrade", INPAINT_POSTGRES_URL=url).returncode == 0
    assert run("db", "current", INPAINT_POSTGRES_URL=url).returncode == 0
    refused(run("db", "downgrade", "-1", INPAINT_POSTGRES_URL=url), 2, "--yes")
    assert run("db", "downgrade", "-1", "--yes", INPAINT_POSTGRES_URL=url).returncode == 0


def test_a_database_or_bucket_that_does_not_exist(run: Run, stack_env: dict[str, str]) -> None:
    url = urlsplit(stack_env["INPAINT_POSTGRES_URL"])._replace(path="/nix").geturl()
    refused(run("jobs", "list", INPAINT_POSTGRES_URL=url), 7, "nix", "does not exist")
    result = run("doctor", INPAINT_S3_BUCKET="no-such-bucket")
    assert result.returncode == 1 and "inpaint storage init" in result.stdout


def test_settings_that_are_wrong_or_missing(run: Run) -> None:
    refused(run("jobs", "list", INPAINT_REDIS_URL="http://x"), 7, "INPAINT_REDIS_URL", "redis://")
    refused(run("jobs", "list", INPAINT_LEASE_S="1"), 7, "INPAINT_LEASE_S")
    refused(run("jobs", "list", INPAINT_S3_SECRET_KEY=""), 7, "INPAINT_S3_SECRET_KEY not set", "inpaint up")
    refused(run("jobs", "list", INPAINT_CONFIG="/nix.toml"), 7, "/nix.toml", "no such file")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
def test_a_full_disk_under_stdout_is_told(stack_env: dict[str, str]) -> None:
    with Path("/dev/full").open("w") as full:
        result = subprocess.run(
            [sys.executable, "-m", "inpaint_fleet.cli", "models"],
            env=stack_env, stdout=full, stderr=subprocess.PIPE, text=True, timeout=60, check=False,
        )  # fmt: skip
    assert result.returncode == 7
    assert result.stderr.startswith("error: ") and "full" in result.stderr
    assert "Traceback" not in result.stderr and "Exception ignored" not in result.stderr


def test_a_reader_that_goes_away_is_no_error(stack_env: dict[str, str]) -> None:
    process = subprocess.Popen(
        [sys.executable, "-m", "inpaint_fleet.cli", "db", "query", "SELECT generate_series(1, 200000)"],
        env=stack_env, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    )  # fmt: skip
    assert process.stdout is not None and process.stderr is not None
    process.stdout.close()
    said = process.stderr.read()
    process.stderr.close()
    assert (process.wait(30), said) == (141, b"")


def test_a_folder_that_cannot_be_written(run: Run, pictures: Path) -> None:
    (pictures / "file").write_text("", encoding="utf-8")
    refused(submit(run, "-o", "file/x.png"), 2, "file")
    if os.geteuid() != 0:
        (pictures / "shut").mkdir(mode=0o500)
        refused(submit(run, "-o", "shut/x.png"), 2, "shut")
