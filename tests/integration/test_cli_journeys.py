"""The command line at work, on real servers with a real worker."""

from __future__ import annotations

import base64
import csv
import http.client
import io
import json
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from factories import encode, make_image, make_mask
from inpaint_core.settings import Settings
from inpaint_producer import InpaintClient
from outages import closed_port
from PIL import Image, ImageChops
from processes import WorkerProcess

Run = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Three rooms and their masks."""
    (tmp_path / "masks").mkdir()
    (tmp_path / "rooms").mkdir()
    for number in range(3):
        (tmp_path / "rooms" / f"room{number}.png").write_bytes(encode(make_image(seed=number)))
        (tmp_path / "masks" / f"room{number}.png").write_bytes(encode(make_mask()))
    return tmp_path


@pytest.fixture
def run(stack_env: dict[str, str], folder: Path) -> Run:
    """`inpaint ARGUMENTS`."""

    def inpaint(*arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "inpaint_fleet.cli", *arguments],
            env={**stack_env, **variables}, cwd=folder, capture_output=True, text=True, timeout=90, check=False,
        )  # fmt: skip

    return inpaint


def answer(result: subprocess.CompletedProcess[str]) -> Any:
    assert result.returncode == 0, result.stderr
    return json.loads(result.stdout)


SUBMIT = ("submit", "rooms/room0.png", "--mask", "masks/room0.png", "--model", "opencv-telea")


def test_submit_and_wait_writes_the_result_and_says_how_it_went(run: Run, folder: Path, worker: WorkerProcess) -> None:
    result = run(*SUBMIT, "-p", "radius=7", "--tag", "room=kitchen", "-o", "edited.png")
    assert result.returncode == 0, result.stderr
    job_id, status, model, *_ = result.stdout.split()
    assert (status, model) == ("succeeded", "opencv-telea")
    assert "inference" in result.stdout and result.stdout.endswith("-> edited.png\n")
    with Image.open(folder / "edited.png") as edited, Image.open(folder / "rooms/room0.png") as source:
        changed = ImageChops.difference(edited.convert("RGB"), source.convert("RGB")).getbbox()
        assert edited.size == source.size and changed is not None
    job = answer(run("jobs", "get", job_id, "--json"))
    assert job["parameters"] == {"radius": 7} and job["tags"] == {"room": "kitchen"}
    assert job["seconds"]["inference_s"] > 0
    shown = run("jobs", "get", job_id).stdout
    assert "cost\tunknown: no price for cpu" in shown
    assert run("jobs", "download", job_id, "-o", "again.png").returncode == 0
    assert (folder / "again.png").read_bytes() == (folder / "edited.png").read_bytes()


def test_without_a_worker_waiting_says_so_and_times_out(run: Run) -> None:
    result = run(*SUBMIT, "--wait", "--timeout", "1")
    assert result.returncode == 124
    assert "no worker for opencv-telea has ever run. Start one with `inpaint worker opencv-telea`" in result.stderr
    assert "go on waiting with `inpaint jobs wait" in result.stderr
    (job,) = answer(run("jobs", "list", "--status", "queued", "--json"))
    assert run("jobs", "cancel", job["id"]).stdout == f"{job['id']}\tcanceled\n"
    waited = run("jobs", "wait", job["id"])
    assert waited.returncode == 5 and "was canceled" in waited.stderr
    retried = answer(run("jobs", "retry", "--status", "canceled", "--yes", "--json"))
    assert retried == {"retried": [job["id"]], "not_retried": {}}
    left = answer(run("jobs", "retry", job["id"], "--json"))
    assert left == {"retried": [], "not_retried": {job["id"]: "queued"}}


def test_ctrl_c_ends_the_waiting_and_not_the_job(
    stack_env: dict[str, str], folder: Path, client: InpaintClient
) -> None:
    process = subprocess.Popen(
        [sys.executable, "-m", "inpaint_fleet.cli", *SUBMIT, "--wait"],
        env=stack_env, cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    assert process.stderr is not None
    assert "no worker" in process.stderr.readline()
    process.send_signal(signal.SIGINT)
    _, said = process.communicate(timeout=30)
    assert process.returncode == 130
    assert "the job goes on without you" in said and "Traceback" not in said
    assert [job.status for job in client.list_jobs()] == ["queued"]


def test_a_repeated_key_returns_the_first_job(run: Run) -> None:
    first = answer(run(*SUBMIT, "--idempotency-key", "k", "--json"))
    again = run(*SUBMIT, "--idempotency-key", "k", "--json")
    second = answer(again)
    assert (first["created"], second["created"]) == (True, False)
    assert first["id"] == second["id"]
    assert "was submitted before" in again.stderr


def test_a_batch_is_submitted_followed_fetched_and_resumed(run: Run, folder: Path, worker: WorkerProcess) -> None:
    lines = [f"sofa{n},rooms/room{n}.png,masks/room{n}.png,{n + 3}" for n in range(3)]
    (folder / "jobs.csv").write_text("\n".join(["id,source,mask,param.radius", *lines]), encoding="utf-8")
    batch = ("submit-batch", "jobs.csv", "--model", "opencv-telea", "--campaign", "spring", "--resume-key", "spring")
    report = answer(run(*batch, "--output-dir", "out", "--json"))
    assert report["summary"]["submitted"] == report["summary"]["succeeded"] == 3
    assert sorted(path.name for path in (folder / "out").iterdir()) == ["sofa0.png", "sofa1.png", "sofa2.png"]
    assert {job["job"]["tags"]["sample"] for job in report["jobs"]} == {"sofa0", "sofa1", "sofa2"}
    again = run(*batch, "--wait")
    assert again.returncode == 0
    assert "0 submitted, 3 there already, 3 succeeded" in again.stderr
    assert len(answer(run("jobs", "list", "--campaign", "spring", "--json"))) == 3


def test_a_batch_with_mistakes_names_all_of_them_and_submits_nothing(run: Run, folder: Path) -> None:
    lines = ["rooms/room0.png,masks/room0.png,", "nix.png,masks/room0.png,", "rooms/room1.png,masks/room1.png,99"]
    (folder / "jobs.csv").write_text("\n".join(["source,mask,param.radius", *lines]), encoding="utf-8")
    refused = run("submit-batch", "jobs.csv", "--model", "opencv-telea")
    assert refused.returncode == 2
    assert "jobs.csv line 3: There is no file nix.png" in refused.stderr
    assert "jobs.csv line 4: radius of opencv-telea must be from 1 to 32" in refused.stderr
    assert "2 of 3 rows cannot be submitted, so nothing was submitted" in refused.stderr
    assert answer(run("jobs", "list", "--json")) == []
    report = answer(run("submit-batch", "jobs.csv", "--model", "opencv-telea", "--skip-invalid", "--json"))
    assert (report["summary"]["submitted"], report["summary"]["invalid"]) == (1, 2)
    assert [entry["row"] for entry in report["invalid"]] == [2, 3]


def test_a_folder_with_its_masks_for_two_models(run: Run) -> None:
    models = ("--model", "opencv-telea", "--model", "opencv-ns")
    report = answer(run("submit-batch", "rooms", "--masks", "masks", *models, "--json"))
    assert report["summary"]["submitted"] == 6
    assert [job["model"] for job in report["jobs"]][:2] == ["opencv-telea", "opencv-ns"]


def test_questions_in_sql_are_answered_for_people_and_programs_and_only_read(run: Run) -> None:
    assert answer(run("db", "query", "SELECT 1 AS a, NULL AS b, 'x%' AS c", "--json")) == [
        {"a": 1, "b": None, "c": "x%"}
    ]
    rows = list(csv.reader(io.StringIO(run("db", "query", "SELECT 'a,b' AS x, 2 AS y", "--csv").stdout)))
    assert rows == [["x", "y"], ["a,b", "2"]]
    assert run("db", "query", "SELECT 1 AS a, 2 AS b").stdout == "a\tb\n1\t2\n"
    for statement in (
        "DELETE FROM job", "SELECT 1; DROP TABLE job", "SELECT nix", "COPY job TO STDOUT", "SELEC", "SELECT 1/0"
    ):  # fmt: skip
        result = run("db", "query", statement)
        assert result.returncode == 2, result.stderr
        assert result.stderr.startswith("error: ") and "Traceback" not in result.stderr
    slow = run("db", "query", "SELECT pg_sleep(20)", "--timeout", "0.2")
    assert slow.returncode == 2 and "took longer than 0.2 s" in slow.stderr


def test_a_price_gives_jobs_a_cost(run: Run, worker: WorkerProcess) -> None:
    assert run("prices", "set", "cpu", "--usd-per-hour", "0.5", "--note", "list price").returncode == 0
    (price,) = answer(run("prices", "list", "--json"))
    assert (price["device_kind"], price["usd_per_hour"], price["note"]) == ("cpu", 0.5, "list price")
    job = answer(run(*SUBMIT, "--wait", "--json"))
    assert job["cost_usd"] == pytest.approx(job["seconds"]["inference_s"] * 0.5 / 3600)


def test_status_shows_queue_worker_and_job(run: Run, worker: WorkerProcess) -> None:
    assert run(*SUBMIT, "--wait").returncode == 0
    seen = answer(run("status", "--json"))
    (queue,) = seen["queues"]
    assert (queue["model"], queue["messages"], queue["workers_ready"]) == ("opencv-telea", 0, 1)
    assert seen["workers"][0]["live"] and seen["jobs"][0]["status"] == "succeeded"
    assert seen["problems"] == [] and seen["disk"]["free_bytes"] > 0
    shown = run("status")
    assert shown.returncode == 0 and "opencv-telea" in shown.stdout


def test_status_and_doctor_count_what_waits_without_a_worker(run: Run) -> None:
    job_id = run(*SUBMIT).stdout.strip()
    (queue,) = answer(run("status", "--json"))["queues"]
    assert (queue["messages"], queue["queued"], queue["workers_ready"]) == (1, 1, 0)
    result = run("doctor", "--json")
    found = {finding["check"]: finding for finding in json.loads(result.stdout)["findings"]}
    assert found["schema"]["level"] == found["s3 rights"]["level"] == "ok"
    assert found["relay"]["level"] == "warn" and "inpaint relay" in found["relay"]["found"]
    assert found["workers opencv-telea"]["level"] == "warn"
    assert len(job_id) == 36


def test_the_relay_sends_what_a_producer_could_not_and_stops_on_sigterm(
    run: Run, stack_env: dict[str, str], settings: Settings, client: InpaintClient
) -> None:
    port = closed_port()
    accepted = run(*SUBMIT, INPAINT_REDIS_URL=f"redis://127.0.0.1:{port}/0")
    assert accepted.returncode == 0
    assert answer(run("status", "--json"))["queues"][0]["messages"] == 0
    relay = subprocess.Popen(
        [sys.executable, "-m", "inpaint_fleet.cli", "relay"], env=stack_env, stderr=subprocess.PIPE, text=True
    )
    try:
        deadline = time.monotonic() + 20
        while answer(run("status", "--json"))["queues"][0]["messages"] == 0:
            assert time.monotonic() < deadline
        doctor = json.loads(run("doctor", "--json").stdout)
        assert {f["check"]: f["level"] for f in doctor["findings"]}["relay"] == "ok"
    finally:
        relay.terminate()
        _, said = relay.communicate(timeout=20)
    assert relay.returncode == 0
    assert "relay_stopped" in said and "Traceback" not in said


def test_flower_asks_for_a_password_and_shows_no_prompt(
    run: Run, stack_env: dict[str, str], settings: Settings, worker: WorkerProcess, client: InpaintClient
) -> None:
    pytest.importorskip("flower")
    port = closed_port()
    env = {**stack_env, "INPAINT_FLOWER_PORT": str(port), "INPAINT_FLOWER_BASIC_AUTH": "me:geheim"}
    flower = subprocess.Popen(
        [sys.executable, "-m", "inpaint_fleet.cli", "flower"], env=env, stderr=subprocess.PIPE, text=True
    )
    try:
        assert flower.stderr is not None
        assert "flower_started" in flower.stderr.readline()
        assert ask(port, "/", None)[0] == 401
        assert ask(port, "/api/workers?refresh=1", "me:geheim")[0] == 200
        job = answer(run(*SUBMIT, "--wait", "--json", "--prompt", "a violet sofa"))
        whole = send_whole_request(settings, client, job["id"], prompt="a violet sofa")
        client.wait(whole, timeout_s=20)
        deadline = time.monotonic() + 10
        while whole not in (tasks := ask(port, "/api/tasks", "me:geheim")[1]):
            assert time.monotonic() < deadline
        assert job["id"] in tasks
        assert settings.redis_url is not None and settings.postgres_url is not None
        for path in ("/", "/tasks", f"/task/{whole}", "/broker", "/api/tasks", "/api/workers?refresh=1"):
            status, page = ask(port, path, "me:geheim")
            assert status == 200
            assert "violet" not in page
            assert settings.redis_url.get_secret_value() not in page
        assert ask(port, "/api/worker/shutdown/x", "me:geheim", "POST")[0] == 403
    finally:
        flower.terminate()
        _, said = flower.communicate(timeout=20)
    assert flower.returncode == 0
    assert "geheim" not in said and "Traceback" not in said


def ask(port: int, path: str, login: str | None, method: str = "GET") -> tuple[int, str]:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    headers = {"Authorization": "Basic " + base64.b64encode(login.encode()).decode()} if login else {}
    try:
        connection.request(method, path, headers=headers)
        response = connection.getresponse()
        return response.status, response.read().decode()
    finally:
        connection.close()


def send_whole_request(settings: Settings, client: InpaintClient, like: str, prompt: str) -> str:
    """As a tool does that has nothing but Celery; the job's id, once it has its row."""
    from inpaint_core.ids import new_id
    from inpaint_core.queues import make_celery, queue_name

    view = client.get(like)
    request = {"model": view.model, "source": view.source_uri, "mask": view.mask_uri, "prompt": prompt}
    job_id = str(new_id())
    app = make_celery(settings, [view.model], for_producer=True)
    app.send_task(
        "inpaint.run", kwargs={"version": 1, "request": request}, task_id=job_id, queue=queue_name(view.model)
    )
    app.close()
    deadline = time.monotonic() + 15
    while job_id not in {str(job.id) for job in client.list_jobs()}:
        assert time.monotonic() < deadline, "the worker did not take the request in"
        time.sleep(0.1)
    return job_id
