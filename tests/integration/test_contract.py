"""The contract as docs/contract.md tells it: its own examples, run against a real worker."""

from __future__ import annotations

import base64
import json
import os
import re
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import pytest
from factories import count, encode, job_row, make_image, make_mask
from inpaint_core.catalogue import load_catalogue
from inpaint_core.edit import EditOptions
from inpaint_core.queues import WakeUp, make_celery, redis_lists, send_wake_ups
from inpaint_core.s3 import S3Store
from inpaint_core.settings import Settings
from inpaint_core.status import JobStatus
from inpaint_core.storage import ObjectRef
from inpaint_db.queries import JobView, get_jobs
from inpaint_db.session import Database
from inpaint_producer import InpaintClient
from processes import WorkerProcess
from redis import Redis
from redis import exceptions as redis_exceptions

DOCUMENT = Path(__file__).parents[2] / "docs" / "contract.md"
QUEUE = "inpaint:inpaint.opencv-telea"
NORMAL = QUEUE + "\x06\x166"


def block(language: str, number: int = 0) -> str:
    """A code block of the document."""
    return re.findall(rf"```{language}\n(.*?)```", DOCUMENT.read_text(encoding="utf-8"), re.DOTALL)[number]


@pytest.fixture
def pictures(store: S3Store) -> Any:
    """The two objects that the document's examples name."""
    store.put(ObjectRef(store.bucket, "in/room.jpg"), encode(make_image(), "JPEG"), "image/jpeg")
    store.put(ObjectRef(store.bucket, "in/mask.png"), encode(make_mask()), "image/png")
    return lambda text: text.replace("s3://inpaint/", f"s3://{store.bucket}/")


def wait_for(database: Database, job_id: UUID, timeout_s: float = 20) -> JobView:
    """Wait until the job is there and has ended."""
    deadline = time.monotonic() + timeout_s
    while time.monotonic() < deadline:
        with database.read() as connection:
            found = get_jobs(connection, [job_id])
        if job_id in found and found[job_id].status.is_final:
            return found[job_id]
        time.sleep(0.05)
    raise AssertionError(f"job {job_id} has not ended after {timeout_s:g} s: {found.get(job_id)}")


def message(job_id: UUID | str, body: str, **properties: Any) -> str:
    """The documented element of a list, with another id and body."""
    element = json.loads(block("json", 2))
    element["body"] = body
    element["headers"]["id"] = str(job_id)
    element["properties"] |= {"delivery_tag": str(uuid4()), **properties}
    return json.dumps(element)


def kwargs_body(kwargs: object) -> str:
    return json.dumps([[], kwargs, {}])


# --- the examples -----------------------------------------------------------------------------------------------------


def send_by_the_documented_celery(pictures: Any, broker_url: str, tmp_path: Path) -> UUID:
    program = tmp_path / "marketing.py"
    program.write_text(pictures(block("python")), encoding="utf-8")
    # Nothing but Celery: neither this project's settings nor its packages on the path.
    env = {"PATH": os.environ["PATH"], "BROKER_URL": broker_url}
    said = subprocess.run(
        [sys.executable, "-I", "-W", "error", str(program)], env=env, capture_output=True, text=True, timeout=30
    )
    assert said.returncode == 0, said.stderr
    return UUID(said.stdout.strip())


def test_the_documented_program_uses_nothing_of_this_project() -> None:
    assert "inpaint_" not in block("python")


def test_a_job_sent_with_nothing_but_celery_succeeds(
    worker: WorkerProcess, pictures: Any, settings: Settings, database: Database, client: InpaintClient, tmp_path: Path
) -> None:
    assert settings.redis_url is not None
    job_id = send_by_the_documented_celery(pictures, settings.redis_url.get_secret_value(), tmp_path)
    job = wait_for(database, job_id)
    assert job.status is JobStatus.SUCCEEDED, job.error_message
    assert client.result(job_id).size == (96, 64)


def test_a_job_pushed_with_nothing_but_redis_succeeds(
    worker: WorkerProcess, pictures: Any, redis: Redis, database: Database, client: InpaintClient
) -> None:
    element = pictures(block("json", 2))
    redis.lpush(NORMAL, element)
    job_id = UUID(json.loads(element)["headers"]["id"])
    job = wait_for(database, job_id)
    assert job.status is JobStatus.SUCCEEDED, job.error_message
    assert client.result(job_id).size == (96, 64)
    # A delivery more changes nothing.
    redis.lpush(NORMAL, element)
    wait_until_read(redis)
    with database.read() as connection:
        assert job_row(connection, job_id)["attempt"] == 1


def test_the_documented_mask_of_boxes_and_its_options_are_carried_out(
    worker: WorkerProcess, pictures: Any, redis: Redis, database: Database, client: InpaintClient
) -> None:
    request, job_id = json.loads(pictures(block("json", 3))), uuid4()
    redis.lpush(NORMAL, message(job_id, kwargs_body({"version": 1, "request": request})))
    job = wait_for(database, job_id)
    assert job.status is JobStatus.SUCCEEDED, job.error_message
    assert (job.mask_kind, job.edit, job.output_format) == ("shapes", request["edit"], "WEBP")
    assert client.result(job_id).format == "WEBP"


def test_every_option_of_an_edit_is_documented_with_its_default() -> None:
    section = document().split("## Masks and edits")[1].split("\n## ")[0]
    rows = re.findall(r"^\| (`[^|]+`) \| ([^|]+) \| ([^|]+) \|$", section, re.MULTILINE)
    documented = {name: default for names, _, default in rows for name in re.findall(r"`(\w+)`", names)}
    assert set(documented) == set(EditOptions.model_fields)
    for name, default in EditOptions().model_dump(mode="json").items():
        if default is not None:
            said = f"{default:g}" if isinstance(default, float) else str(default).lower()
            assert documented[name].strip("`") == said, name


def test_the_documented_bytes_go_where_the_fleet_and_celery_put_theirs(redis: Redis, settings: Settings) -> None:
    lists = [name.encode().decode("unicode_escape") for name in re.findall(r"\| `(inpaint:[^`]+)` \|", document())]
    assert lists == [redis_lists("opencv-telea")[step] for step in (0, 3, 6, 9)]
    app = make_celery(settings, load_catalogue(), for_producer=True)
    send_wake_ups(app, [WakeUp(UUID(int=step), "opencv-telea", step) for step in (0, 3, 6, 9)])
    for step, name in zip((0, 3, 6, 9), lists, strict=True):
        [sent] = map(json.loads, redis.lrange(name, 0, -1))  # type: ignore[arg-type]
        assert sent["headers"]["id"] == str(UUID(int=step)) and sent["headers"]["task"] == "inpaint.run"
        assert sent["properties"]["priority"] == step
        assert json.loads(base64.b64decode(sent["body"]))[:2] == [[], {"version": 1}]
    app.close()


def test_every_documented_field_of_the_element_is_one_that_celery_sends(redis: Redis, settings: Settings) -> None:
    app = make_celery(settings, load_catalogue(), for_producer=True)
    send_wake_ups(app, [WakeUp(uuid4(), "opencv-telea")])
    app.close()
    [sent] = map(json.loads, redis.lrange(NORMAL, 0, -1))  # type: ignore[arg-type]
    documented = json.loads(block("json", 2))
    assert set(documented) <= set(sent)
    assert set(documented["headers"]) <= set(sent["headers"])
    assert set(documented["properties"]) <= set(sent["properties"])
    assert sent["properties"]["delivery_info"] == documented["properties"]["delivery_info"]


def test_the_normal_message_tells_nothing_but_the_job(client: InpaintClient, redis: Redis) -> None:
    job = client.submit(make_image(), make_mask(), model="opencv-telea", prompt="a very secret sofa")
    [raw] = redis.lrange(redis_lists("opencv-telea")[4], 0, -1)  # type: ignore[misc]
    sent = json.loads(raw)
    assert sent["headers"]["id"] == str(job.id)
    assert json.loads(base64.b64decode(sent["body"]))[1] == {"version": 1}
    assert b"secret" not in raw


def test_the_prompt_of_a_whole_request_is_in_no_event_that_flower_hears(
    worker: WorkerProcess, pictures: Any, redis: Redis, settings: Settings, database: Database
) -> None:
    app = make_celery(settings, ["opencv-telea"])
    heard: list[dict[str, Any]] = []
    job_id = uuid4()
    with app.connection_for_read() as connection:
        receiver = app.events.Receiver(connection, handlers={"*": heard.append})
        listening = receiver.itercapture(limit=None, timeout=10, wakeup=False)
        next(listening)
        request = REQUEST | {"prompt": "a very secret sofa"}
        redis.lpush(NORMAL, pictures(message(job_id, kwargs_body({"version": 1, "request": request}))))
        while not any(event["type"] == "task-succeeded" for event in heard):
            next(listening)
    app.close()
    assert str(job_id) in str(heard)
    assert "secret" not in str(heard) and "room.jpg" not in str(heard)
    assert wait_for(database, job_id).prompt == "a very secret sofa"


# --- who may do what --------------------------------------------------------------------------------------------------


@contextmanager
def documented_user(redis: Redis) -> Iterator[str]:
    """The address of Redis for the producer that the document sets up."""
    name, password = f"test-{uuid4().hex[:8]}", uuid4().hex
    line = re.search(r"ACL SETUSER marketing .*", document())
    assert line is not None
    redis.execute_command(*line[0].replace("marketing", name).replace("a-long-password", password).split())
    options = redis.connection_pool.connection_kwargs
    try:
        yield f"redis://{name}:{password}@{options['host']}:{options['port']}/{options['db']}"
    finally:
        redis.execute_command("ACL", "DELUSER", name)


def test_the_documented_user_can_send_with_celery(redis: Redis, pictures: Any, tmp_path: Path) -> None:
    with documented_user(redis) as url:
        job_id = send_by_the_documented_celery(pictures, url, tmp_path)
    [raw] = redis.lrange(NORMAL, 0, -1)  # type: ignore[misc]
    assert json.loads(raw)["headers"]["id"] == str(job_id)


@pytest.mark.parametrize(
    "command",
    [
        ("LRANGE", NORMAL, "0", "-1"),
        ("RPOP", NORMAL),
        ("DEL", NORMAL),
        ("LPUSH", "inpaint:unacked", "x"),
        ("LPUSH", "somebody:else", "x"),
        ("FLUSHDB",),
        ("KEYS", "*"),
        ("CONFIG", "GET", "*"),
        ("PUBLISH", "x", "y"),
    ],
    ids=lambda command: " ".join(command[:2]).replace("\x06\x16", "/"),
)
def test_the_documented_user_can_do_nothing_else(redis: Redis, command: tuple[str, ...]) -> None:
    with documented_user(redis) as url, Redis.from_url(url) as producer:
        producer.lpush(NORMAL, "{}")
        with pytest.raises(redis_exceptions.NoPermissionError):
            producer.execute_command(*command)


# --- messages that nobody should send ---------------------------------------------------------------------------------

REQUEST = {"model": "opencv-telea", "source": "s3://inpaint/in/room.jpg", "mask": "s3://inpaint/in/mask.png"}
BAD = {
    "another version": ({"version": 2}, "invalid_request", "version"),
    "an unknown field": ({"version": 1, "prompt": "x"}, "invalid_request", "prompt is not a field"),
    "a field with an unprintable name": ({"version": 1, "a\x00\x1b": 1}, "invalid_request", "a?? is not a field"),
    "no source": ({"version": 1, "request": {"model": "opencv-telea"}}, "invalid_request", "source is missing"),
    "a path": ({"version": 1, "request": REQUEST | {"source": "/tmp/x"}}, "invalid_request", "s3://bucket/key"),
    "no number": (
        {"version": 1, "request": REQUEST | {"parameters": {"radius": float("nan")}}}, "invalid_request", "finite"),
    "NUL in a choice": ({"version": 1, "request": REQUEST | {"parameters": {"x": "\x00"}}}, "invalid_request", "NUL"),
    "NUL in a prompt": ({"version": 1, "request": REQUEST | {"prompt": "\x00"}}, "invalid_request", "NUL"),
    "half a character": ({"version": 1, "request": REQUEST | {"prompt": "\ud800"}}, "invalid_request", "unicode"),
    "an unknown parameter": (
        {"version": 1, "request": REQUEST | {"parameters": {"steps": 1}}}, "parameter_invalid", "it has: radius"),
    "a parameter out of range": (
        {"version": 1, "request": REQUEST | {"parameters": {"radius": 999}}}, "parameter_invalid", "from 1 to 32"),
    "a misspelt option": (
        {"version": 1, "request": REQUEST | {"edit": {"feahter": 3}}},
        "invalid_request",
        "edit.feahter is not a field of edit; the fields are polarity",
    ),
    "half a box": (
        {"version": 1, "request": REQUEST | {"mask": {"boxes": [[1, 2, 3]]}}}, "invalid_request", "mask.boxes.0.3 is"),
    "another model's queue": (
        {"version": 1, "request": REQUEST | {"model": "opencv-ns"}}, "invalid_request", "inpaint.opencv-ns"),
    "a huge message": ({"version": 1, "junk": "x" * 100_000}, "invalid_request", "65,536 bytes"),
    "a missing object": (
        {"version": 1, "request": REQUEST | {"source": "s3://inpaint/in/none.jpg"}}, "object_not_found", "none.jpg"),
    "a foreign bucket": (
        {"version": 1, "request": REQUEST | {"source": "s3://foreign/x.jpg"}}, "invalid_request", "READ_BUCKETS"),
}  # fmt: skip


def wait_until_read(redis: Redis, timeout_s: float = 10) -> None:
    """Wait until no message is in any list nor in a worker's hands."""
    deadline = time.monotonic() + timeout_s
    while any(redis.llen(name) for name in redis_lists("opencv-telea")) or redis.hlen("inpaint:unacked"):
        assert time.monotonic() < deadline, "messages were not read"
        time.sleep(0.05)


def test_every_bad_message_is_kept_as_a_failed_job_with_its_reason(
    worker: WorkerProcess, pictures: Any, redis: Redis, database: Database
) -> None:
    sent = {name: uuid4() for name in BAD}
    for name, (kwargs, _, _) in BAD.items():
        redis.lpush(NORMAL, pictures(message(sent[name], kwargs_body(kwargs))))
    for name, (_, code, words) in BAD.items():
        job = wait_for(database, sent[name])
        assert (name, job.status, job.error_code) == (name, JobStatus.FAILED, code), job.error_message
        assert words in str(job.error_message), name
        assert "request." not in str(job.error_message), name


def test_positional_arguments_are_refused_with_a_sentence(
    worker: WorkerProcess, redis: Redis, database: Database
) -> None:
    job_id = uuid4()
    redis.lpush(NORMAL, message(job_id, json.dumps([["prompt"], {}, {}])))
    assert "keyword arguments only" in str(wait_for(database, job_id).error_message)


GOOD = kwargs_body({"version": 1, "request": REQUEST})


def altered(*, body: str = GOOD, **parts: dict[str, Any] | str) -> str:
    """A good element with some of its parts replaced; a header that is None is left out."""
    element = json.loads(message(uuid4(), body))
    for part, value in parts.items():
        name = part.replace("_", "-")
        if isinstance(value, dict):
            element[name] = {key: kept for key, kept in (element[name] | value).items() if kept is not None}
        else:
            element[name] = value
    return json.dumps(element)


def assert_dropped(elements: list[str], pictures: Any, redis: Redis, database: Database) -> None:
    """The elements make no job, and one behind them is served."""
    for element in elements:
        redis.lpush(NORMAL, element)
    last = uuid4()
    redis.lpush(NORMAL, pictures(message(last, GOOD)))
    assert wait_for(database, last, timeout_s=5).status is JobStatus.SUCCEEDED
    with database.read() as connection:
        assert count(connection, "job") == 1
    wait_until_read(redis)


def test_what_celery_cannot_read_is_dropped_and_the_worker_goes_on(
    worker: WorkerProcess, pictures: Any, redis: Redis, database: Database
) -> None:
    unreadable = [
        altered(headers={"task": "os.system"}),
        altered(headers={"id": "not-a-uuid"}),
        altered(content_type="application/x-python-serialize", body="gASVAAAAAAA="),
        altered(body="this is not JSON"),
        altered(properties={"delivery_tag": None}),
        altered(properties={"delivery_info": None}),
    ]
    assert_dropped(unreadable, pictures, redis, database)
    assert worker.process.poll() is None


@pytest.mark.parametrize("element", [altered(headers={"id": None}), altered(body='"a string"')], ids=["no id", "body"])
def test_a_message_from_which_celery_can_make_no_task_does_not_stop_the_queue(
    worker: WorkerProcess, pictures: Any, redis: Redis, database: Database, element: str
) -> None:
    assert_dropped([element], pictures, redis, database)


def document() -> str:
    return DOCUMENT.read_text(encoding="utf-8")
