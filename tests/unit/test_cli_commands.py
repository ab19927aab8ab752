"""The command line without any server: how it reads, how it ends, and what it does not load."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from inpaint_core.errors import (
    BrokerUnavailable,
    IdempotencyConflict,
    InvalidRequest,
    JobFailed,
    JobNotFound,
    SchemaBehind,
)
from inpaint_fleet.cli.app import app
from inpaint_fleet.cli.outcome import TimedOut, exit_code_of
from typer.main import get_command
from typer.testing import CliRunner

runner = CliRunner()


def every_command(command: Any, path: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    yield path
    for name, below in getattr(command, "commands", {}).items():
        yield from every_command(below, (*path, name))


@pytest.mark.parametrize("path", list(every_command(get_command(app))), ids=" ".join)
def test_every_command_explains_itself(path: tuple[str, ...]) -> None:
    result = runner.invoke(app, [*path, "--help"])
    assert result.exit_code == 0
    assert "Usage: inpaint" in result.stdout


def test_the_whole_surface_is_there() -> None:
    names = {" ".join(path) for path in every_command(get_command(app))}
    assert names >= {
        "submit", "submit-batch", "jobs list", "jobs get", "jobs wait", "jobs cancel", "jobs retry", "jobs download",
        "models", "models show", "worker", "relay", "flower", "storage init", "up", "down", "status", "doctor", "demo",
        "db upgrade", "db downgrade", "db current", "db query", "prices list", "prices set", "config show",
        "config path", "gc", "bench queue", "bench chaos",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["nix"], "No such command 'nix'"),
        (["submit"], "Missing argument"),
        (["submit", "a.png", "--mask", "b.png"], "--model"),
        (["submit", "a.png", "-m", "opencv-telea"], "Nothing says what to repaint. Give --mask IMAGE, --mask alpha"),
        (["submit", "a.png", "-m", "opencv-telea", "--box", "1,2,3,4", "--mask", "b.png"], "There are two masks"),
        (["submit", "a.png", "-m", "opencv-telea", "--box", "1,2,3"], "box '1,2,3' must be four whole numbers"),
        (["submit", "a.png", "-m", "opencv-telea", "--polygon", "1,2 3,4"], "must be three corners or more"),
        (["submit", "a.png", "-m", "opencv-telea", "--mask", "b.png", "--grow", "wide"], "--grow"),
        (["jobs", "list", "--status", "nix"], "'nix' is not one of 'queued'"),
        (["jobs", "list", "--limit", "0"], "--limit"),
        (["jobs", "retry"], "Name jobs by id"),
        (["submit", "--nix"], "No such option: --nix"),
        (["worker", "opencv-tela"], "Did you mean opencv-telea"),
        (["up", "--model", "opencv-tela"], "Did you mean opencv-telea"),
        (["models", "show", "lama-2"], "There is no model 'lama-2'"),
        (["db", "query", "SELECT 1", "--json", "--csv"], "Choose one of --json and --csv"),
        (["db", "downgrade", "-1"], "confirm it with --yes"),
        (["prices", "set", "cpu", "--usd-per-hour", "nan"], "usd-per-hour"),
        (["prices", "set", "cpu"], "A price is either"),
        (["prices", "set", "cpu", "--usd-per-image", "0.02"], "A price is either"),
        (["prices", "set", "--model", "dall-e-2", "--usd-per-image", "0.02", "--device", "x"], "A price is either"),
        (["prices", "set", "--model", "dall-e-2", "--usd-per-image", "inf"], "usd-per-image"),
        (["prices", "set", "--model", "dalle", "--usd-per-image", "1"], "Did you mean dall-e-2"),
        (["status", "--watch", "--json"], "choose one"),
    ],
)
def test_wrong_usage_is_one_sentence_and_exit_code_2(arguments: list[str], sentence: str) -> None:
    result = runner.invoke(app, arguments)
    assert result.exit_code == 2
    assert sentence in result.stderr
    assert result.stderr.startswith("error: ")
    assert result.stdout == ""


def test_without_anything_configured_every_client_command_says_what_to_do() -> None:
    for arguments in (
        ["jobs", "list"],
        ["db", "current"],
        ["storage", "init"],
        ["relay"],
        ["prices", "list"],
        ["status"],
    ):
        result = runner.invoke(app, arguments)
        assert result.exit_code == 7, arguments
        assert "inpaint up" in result.stderr
        assert "Traceback" not in result.stderr


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (InvalidRequest("x."), 2),
        (JobNotFound("x."), 3),
        (BrokerUnavailable("x."), 4),
        (JobFailed("x."), 5),
        (IdempotencyConflict("x."), 6),
        (SchemaBehind("x."), 7),
        (TimedOut("x."), 124),
    ],
)
def test_errors_end_with_the_documented_codes(error: Exception, code: int, capsys: pytest.CaptureFixture[str]) -> None:
    def run() -> None:
        raise error

    assert exit_code_of(run, debug=False) == code
    assert capsys.readouterr().err == "error: x.\n"


def test_an_interrupt_ends_with_130(capsys: pytest.CaptureFixture[str]) -> None:
    def run() -> None:
        raise KeyboardInterrupt

    assert exit_code_of(run, debug=False) == 130
    assert capsys.readouterr().err == "interrupted\n"


def test_the_unexpected_is_told_in_one_sentence_with_the_way_to_the_traceback(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def broken(_settings: object) -> None:
        raise RuntimeError("the moon\nis wrong")

    monkeypatch.setattr("inpaint_core.settings.load_settings", lambda: broken(None))
    result = runner.invoke(app, ["storage", "init"])
    assert result.exit_code == 1
    assert result.stderr == (
        "error: unexpected RuntimeError: the moon is wrong. Run again with --debug (or INPAINT_DEBUG=1) for the "
        "traceback.\n"
    )
    assert "Traceback" in runner.invoke(app, ["storage", "init", "--debug"]).stderr
    assert "Traceback" in runner.invoke(app, ["--debug", "storage", "init"]).stderr
    monkeypatch.setenv("INPAINT_DEBUG", "1")
    assert "Traceback" in runner.invoke(app, ["storage", "init"]).stderr


def test_a_wrong_setting_names_variable_value_and_fix(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("INPAINT_LEASE_S", "soon")
    result = runner.invoke(app, ["config", "show"])
    assert result.exit_code == 7
    assert "INPAINT_LEASE_S is 'soon'" in result.stderr


def test_config_show_hides_secrets_and_says_where_values_come_from(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    file = tmp_path / "inpaint.toml"
    file.write_text('s3_bucket = "pictures"\n', encoding="utf-8")
    monkeypatch.setenv("INPAINT_CONFIG", str(file))
    monkeypatch.setenv("INPAINT_POSTGRES_URL", "postgresql://me:geheim@db.example.com/x")
    monkeypatch.setenv("INPAINT_REDIS_ULR", "redis://x")
    result = runner.invoke(app, ["config", "show", "--json"])
    assert "geheim" not in result.output
    rows = {row["variable"]: row for row in json.loads(result.stdout)}
    assert rows["INPAINT_POSTGRES_URL"]["from"] == "environment (INPAINT_POSTGRES_URL)"
    assert rows["INPAINT_S3_BUCKET"]["from"] == str(file)
    assert rows["INPAINT_LEASE_S"]["from"] == "default"
    assert "INPAINT_REDIS_ULR is set, and nothing reads it" in result.stderr
    assert runner.invoke(app, ["config", "path"]).stdout.strip() == str(file)


def test_what_runs_for_long_says_in_its_log_which_settings_nothing_reads() -> None:
    program = (
        "from inpaint_core.log import setup_logging; from inpaint_core.settings import load_settings; "
        "from inpaint_fleet.cli.notes import warn_of_unread_settings; "
        "setup_logging(load_settings()); warn_of_unread_settings()"
    )
    environment = {"PATH": "/usr/bin:/bin", "INPAINT_COMPILE": "true", "INPAINT_LOG_FORMAT": "json"}
    command = [sys.executable, "-c", program]
    said = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60, check=True)
    (line,) = (said.stdout + said.stderr).splitlines()
    assert (json.loads(line)["variable"], json.loads(line)["level"]) == ("INPAINT_COMPILE", "warning")


def test_a_setting_of_the_local_stack_is_said_to_be_one(environment: Path) -> None:
    environment.mkdir(parents=True)
    (environment / "stack.toml").write_text('s3_url = "http://127.0.0.1:1"\n', encoding="utf-8")
    result = runner.invoke(app, ["config", "show", "--json"])
    rows = {row["variable"]: row for row in json.loads(result.stdout)}
    assert rows["INPAINT_S3_URL"]["from"].startswith("local stack (")


def test_models_are_listed_for_people_in_pipes_and_for_programs() -> None:
    lines = runner.invoke(app, ["models"]).stdout.splitlines()
    assert lines[0].split("\t")[0] == "model"
    assert {line.split("\t")[0] for line in lines[1:]} >= {"opencv-telea", "opencv-ns"}
    cards = json.loads(runner.invoke(app, ["models", "--json"]).stdout)
    assert {card["name"] for card in cards} >= {"opencv-telea", "opencv-ns"}
    shown = runner.invoke(app, ["models", "show", "opencv-telea"]).stdout
    assert "inpaint.opencv-telea" in shown and "radius" in shown
    assert "sizes\tany; paints at the scale of the source" in shown


def test_a_full_disk_is_told_before_a_stack_is_started(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr("inpaint_fleet.local.folder.free_bytes", lambda _path: 1000)
    result = runner.invoke(app, ["up", "--data-dir", str(tmp_path / "data"), "--no-flower"])
    assert result.exit_code == 7
    assert "is full" in result.stderr and "INPAINT_DATA_DIR" in result.stderr


def test_down_without_a_stack_says_so(tmp_path: Path) -> None:
    result = runner.invoke(app, ["down", "--data-dir", str(tmp_path)])
    assert result.exit_code == 0
    assert "no stack runs" in result.stdout


def test_doctor_fails_without_servers_and_says_what_to_do() -> None:
    result = runner.invoke(app, ["doctor", "--json"])
    assert result.exit_code == 1
    found = {finding["check"]: finding for finding in json.loads(result.stdout)["findings"]}
    assert found["python"]["level"] == "ok"
    assert "jpeg, png, webp" in found["image formats"]["found"]
    assert found["redis"]["level"] == found["postgres"]["level"] == found["s3"]["level"] == "fail"
    assert "inpaint up" in found["redis"]["found"]


@pytest.mark.parametrize(
    ("setting", "there", "level", "words"),
    [
        (None, {"pi_heif"}, "ok", "reads jpeg, png, webp, tiff, bmp, avif, heic"),
        (None, set(), "ok", 'avif; not heic (pip install "inpaint-fleet[heic]" if it is sent to you)'),
        ("png,heic", set(), "warn", "reads png; not heic"),
        ("png", set(), "ok", "reads png"),
    ],
)
def test_doctor_tells_which_images_can_be_read(
    monkeypatch: pytest.MonkeyPatch, setting: str | None, there: set[str], level: str, words: str
) -> None:
    if setting:
        monkeypatch.setenv("INPAINT_IMAGE_FORMATS", setting)
    monkeypatch.setattr("inpaint_fleet.doctor.installed", lambda name: name in there)
    findings = json.loads(runner.invoke(app, ["doctor", "--json"]).stdout)["findings"]
    (found,) = (finding for finding in findings if finding["check"] == "image formats")
    assert found["level"] == level and words in found["found"]


def test_a_pillow_without_a_format_is_worth_a_look(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("PIL.features.check", lambda name: name != "avif")
    findings = json.loads(runner.invoke(app, ["doctor", "--json"]).stdout)["findings"]
    (found,) = (finding for finding in findings if finding["check"] == "image formats")
    assert found["level"] == "warn" and "not avif: this Pillow was built without" in found["found"]


def test_model_names_complete_in_the_shell() -> None:
    env = {"_INPAINT_COMPLETE": "complete_bash", "COMP_WORDS": "inpaint submit --model open", "COMP_CWORD": "3"}
    result = runner.invoke(app, [], env=env, prog_name="inpaint")
    assert result.stdout.split() == ["opencv-ns", "opencv-telea"]


@pytest.mark.parametrize("command", ["submit", "submit-batch"])
def test_every_option_of_an_edit_is_one_of_both_commands(command: str) -> None:
    from inpaint_core.edit import EditOptions

    found = {name for parameter in get_command(app).commands[command].params for name in parameter.opts}  # type: ignore[attr-defined]
    assert found >= {"--" + name.replace("_", "-") for name in EditOptions.model_fields}


@pytest.mark.parametrize(
    ("option", "words"),
    [("--polarity", ["white", "black", "transparent"]), ("--format", ["png", "jpeg", "webp", "avif"])],
)
def test_choices_of_an_edit_complete_in_the_shell(option: str, words: list[str]) -> None:
    env = {"_INPAINT_COMPLETE": "complete_bash", "COMP_WORDS": f"inpaint submit {option} ", "COMP_CWORD": "3"}
    assert runner.invoke(app, [], env=env, prog_name="inpaint").stdout.split() == words


def test_the_command_line_loads_nothing_heavy() -> None:
    heavy = (
        "sqlalchemy",
        "celery",
        "kombu",
        "PIL",
        "minio",
        "redis",
        "pydantic",
        "numpy",
        "cv2",
        "alembic",
        "rich",
        "flower",
    )
    code = f"import sys, inpaint_fleet.cli.app; sys.exit(','.join(m for m in {heavy} if m in sys.modules) or 0)"
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (result.returncode, result.stderr) == (0, "")
