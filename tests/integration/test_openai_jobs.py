"""Jobs for DALL-E 2 through queue, worker process and database, done by the substitute that a deployment chose."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from factories import make_image, make_mask
from inpaint_core.errors import ModelRetired
from inpaint_core.settings import Settings
from inpaint_core.status import JobStatus
from inpaint_db.prices import set_per_image
from inpaint_db.session import Database
from inpaint_producer import InpaintClient
from openai_server import KEY, PAINT, OpenAiServer, refusal
from processes import WorkerProcess
from slow_jobs import LONG_S, until
from sqlalchemy import text

MODEL = "dall-e-2"
SOURCE = make_image(300, 200)
MASK = make_mask(300, 200)


@pytest.fixture
def server() -> Iterator[OpenAiServer]:
    """The API."""
    server = OpenAiServer()
    yield server
    server.close()


@pytest.fixture
def catalogue(tmp_path: Path) -> Path:
    """The deployment's choice."""
    file = tmp_path / "catalogue.toml"
    file.write_text('[models.dall-e-2]\nserve_by = "gpt-image-2"\n', encoding="utf-8")
    return file


@pytest.fixture
def variables(server: OpenAiServer, catalogue: Path) -> dict[str, str]:
    """What a worker of the model is given beside the addresses of its stack. Everything that is logged is shown."""
    return {
        "INPAINT_CATALOGUE": str(catalogue),
        "INPAINT_OPENAI_API_KEY": KEY,
        "INPAINT_OPENAI_BASE_URL": server.url,
        "INPAINT_LOG_LEVEL": "debug",
        "NO_PROXY": "127.0.0.1",
    }


@pytest.fixture
def served(settings: Settings, catalogue: Path) -> Iterator[InpaintClient]:
    """A client of the same deployment."""
    with InpaintClient(settings.model_copy(update={"catalogue": catalogue})) as client:
        yield client


def test_a_job_for_a_retired_model_is_done_by_its_substitute_and_the_record_names_both(
    start_worker: Callable[..., WorkerProcess],
    served: InpaintClient,
    server: OpenAiServer,
    variables: dict[str, str],
    stack_env: dict[str, str],
    database: Database,
) -> None:
    command = ["prices", "set", "--model", MODEL, "--usd-per-image", "0.02", "--note", "gpt-image-2, medium"]
    told = subprocess.run(
        [sys.executable, "-m", "inpaint_fleet.cli", *command], env=stack_env, capture_output=True, text=True, check=True
    )
    assert told.stdout == "dall-e-2: $0.020 per image from now on\n"
    worker = start_worker(MODEL, **variables)
    assert server.calls == [], "starting costs nothing"
    job_id = served.submit(SOURCE, MASK, model=MODEL, prompt="a red chair").id
    view = served.wait(job_id, timeout_s=LONG_S)
    assert view.status is JobStatus.SUCCEEDED, (view, worker.tail())

    result, source, marked = np.asarray(served.result(job_id)), np.asarray(SOURCE), np.asarray(MASK) > 0
    assert np.array_equal(result[~marked], source[~marked])
    assert (result[marked] == PAINT).all()
    [call] = server.calls
    assert (call.fields["model"], call.fields["prompt"], call.fields["size"]) == (
        "gpt-image-2", "a red chair", "1024x1024"
    )  # fmt: skip
    assert call.picture("mask").size == call.picture("image").size == (1024, 1024)

    assert (view.model, view.cost_usd, view.cost_unknown_reason) == (MODEL, 0.02, None)
    assert (view.steps_done, view.steps_total) == (1, 1)
    with database.read() as connection:
        attempt = connection.execute(text("SELECT * FROM attempt")).mappings().one()
        ran = connection.execute(
            text("SELECT e.* FROM environment e WHERE id = :id"), {"id": attempt["environment_id"]}
        )
        environment = ran.mappings().one()
        output = connection.execute(text("SELECT * FROM output WHERE kind = 'result'")).mappings().one()
    assert attempt["parameters"] == {"api_model": "gpt-image-2"}
    assert (environment["device_kind"], environment["device_name"]) == ("api", "openai")
    assert environment["runtime"]["api_model"] == "gpt-image-2" and "openai" in environment["packages"]
    assert (output["exact"], output["outside_changed_pixels"]) == (True, 0)
    assert output["raw_outside_changed_share"] > 0.9, "the API repaints everything; the source's pixels are put back"
    assert KEY not in worker.tail(1_000_000)


def test_a_refusal_by_the_policy_fails_the_job_and_costs_nothing(
    start_worker: Callable[..., WorkerProcess],
    served: InpaintClient,
    server: OpenAiServer,
    variables: dict[str, str],
    database: Database,
) -> None:
    server.answers.append(refusal(400, "moderation_blocked", "Rejected by the safety system."))
    start_worker(MODEL, **variables)
    with database.begin() as connection:
        set_per_image(connection, MODEL, 0.02)
    job_id = served.submit(SOURCE, MASK, model=MODEL, prompt="something else").id
    view = served.wait(job_id, timeout_s=LONG_S)
    assert (view.status, view.error_code) == (JobStatus.FAILED, "content_refused")
    assert "Rejected by the safety system." in (view.error_message or "")
    assert (view.cost_usd, view.cost_unknown_reason) == (0, None)
    assert len(server.calls) == 1


def test_a_wrong_key_keeps_jobs_waiting_and_is_never_written_down(
    start_worker: Callable[..., WorkerProcess], served: InpaintClient, variables: dict[str, str], database: Database
) -> None:
    wrong = KEY[::-1].replace("-", "")
    worker = start_worker(MODEL, **(variables | {"INPAINT_OPENAI_API_KEY": wrong}))
    job_id = served.submit(SOURCE, MASK, model=MODEL, prompt="a red chair").id
    view = until(served, job_id, lambda view: view.error_code is not None or view.status is JobStatus.FAILED)
    assert (view.status, view.error_code) == (JobStatus.QUEUED, "access_denied")
    assert "Check INPAINT_OPENAI_API_KEY" in (view.error_message or "")
    with database.read() as connection:
        rows = [dict(row) for row in connection.execute(text("SELECT * FROM attempt")).mappings()]
    assert wrong not in worker.tail(1_000_000) + repr(rows) + repr(view)


def test_without_a_choice_of_the_deployment_neither_jobs_nor_workers_are_taken(
    start_worker: Callable[..., WorkerProcess], client: InpaintClient, variables: dict[str, str]
) -> None:
    with pytest.raises(ModelRetired, match="Its vendor offers gpt-image-2 instead"):
        client.submit(SOURCE, MASK, model=MODEL, prompt="a red chair")
    worker = start_worker(MODEL, wait=False, **(variables | {"INPAINT_CATALOGUE": ""}))
    assert worker.process.wait(timeout=30) == ModelRetired.exit_code
    assert "dall-e-2 is retired and no longer served" in worker.tail()
