from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest

PROGRAM = """
import logging
from inpaint_core.log import get_logger, setup_logging
from inpaint_core.settings import load_settings
import structlog

setup_logging(load_settings())
log = get_logger("inpaint.test")
structlog.contextvars.bind_contextvars(job_id="0199")
log.info("job_claimed", attempt=1)
log.debug("too_quiet")
log.info("connected", url="redis://:hunter2@redis:6379/0")
logging.getLogger("celery").info("chatter of celery")
logging.getLogger("elsewhere").warning("postgresql://me:hunter2@db/x is slow")
try:
    raise ValueError("cannot reach s3://key:hunter2@minio")
except ValueError:
    log.exception("attempt_failed")
"""


def run(**variables: str) -> subprocess.CompletedProcess[str]:
    # In a process of its own: logging is set up once for a whole process.
    env = {**os.environ, **variables}
    return subprocess.run([sys.executable, "-c", PROGRAM], env=env, capture_output=True, text=True, check=True)


@pytest.fixture(scope="module")
def lines() -> list[dict[str, str]]:
    return [json.loads(line) for line in run(INPAINT_LOG_FORMAT="json").stderr.splitlines()]


def test_logs_go_to_stderr_and_leave_stdout_to_results() -> None:
    said = run()
    assert said.stdout == ""
    assert "job_claimed" in said.stderr


def test_each_line_for_machines_is_an_event_with_its_facts(lines: list[dict[str, str]]) -> None:
    assert lines[0]["event"] == "job_claimed"
    assert lines[0]["attempt"] == 1
    assert lines[0]["level"] == "info"
    assert lines[0]["timestamp"].endswith("Z")


def test_a_job_id_that_was_bound_once_is_on_every_line(lines: list[dict[str, str]]) -> None:
    assert {line["job_id"] for line in lines if line["event"] != "elsewhere"} == {"0199"}


def test_passwords_in_urls_are_hidden_wherever_they_stand(lines: list[dict[str, str]]) -> None:
    assert "hunter2" not in json.dumps(lines)
    assert [line["url"] for line in lines if line["event"] == "connected"] == ["redis://:***@redis:6379/0"]
    assert "postgresql://me:***@db/x is slow" in [line["event"] for line in lines]
    assert "ValueError: cannot reach s3://key:***@minio" in lines[-1]["exception"]


def test_what_is_below_the_level_is_not_said(lines: list[dict[str, str]]) -> None:
    assert "too_quiet" not in [line["event"] for line in lines]
    assert "too_quiet" in run(INPAINT_LOG_LEVEL="debug").stderr


def test_celery_does_not_repeat_what_the_fleet_says(lines: list[dict[str, str]]) -> None:
    assert "chatter of celery" not in [line["event"] for line in lines]
