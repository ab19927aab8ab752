"""Faults of messages and of people: deliveries that nobody needs, messages that make no sense, cancels."""

from __future__ import annotations

import base64
import json
import time
from collections.abc import Iterator
from typing import Any

from inpaint_core.ids import new_id
from inpaint_core.job import TASK_NAME
from inpaint_core.queues import WakeUp, connect_redis, queue_name, redis_lists, send_wake_ups
from inpaint_core.status import JobStatus

from inpaint_benchmark.chaos.scene import MODELS
from inpaint_benchmark.chaos.stage import Hit, Stage


def deliver_again(stage: Stage) -> Iterator[float]:
    """Wake-ups for jobs that wait, run, or ended long ago: to both queues, so that one is always the wrong one."""
    yield from stage.until_busy()
    running = stage.running()
    known = sorted(stage.producer.accepted.values())
    chosen = [*running, *stage.rng.sample(known, min(12, len(known)))]
    stage.journal.hit("delivered again", running)
    steps = stage.app.conf.broker_transport_options["priority_steps"]
    wakes = (WakeUp(job_id, model, stage.rng.choice(steps)) for job_id in chosen for model in MODELS)
    send_wake_ups(stage.app, wakes)
    yield 0


def malformed_messages(stage: Stage) -> Iterator[float]:
    """Whatever a stranger with access to Redis may leave in a queue."""
    stage.journal.hit("malformed messages")
    refused = new_id()
    with connect_redis(stage.settings) as redis:
        for element in _nonsense(str(refused)):
            model = stage.rng.choice(MODELS)
            redis.lpush(stage.rng.choice(redis_lists(model)), json.dumps(element(queue_name(model))))
        # Celery's transport cannot even take this one apart: it costs its worker a restart.
        redis.lpush(redis_lists(stage.rng.choice(MODELS))[0], "this is not JSON")
    # A message that names a job but makes no sense is kept as a failed job: its sender should find out.
    stage.journal.refused.add(refused)
    yield 0


def cancel_some(stage: Stage) -> Iterator[float]:
    """A running job, a waiting one, one that ended perhaps; and the first of them twice."""
    chosen = [*list(stage.running())[:1], *list(stage.queued(sent=True))[-2:]]
    chosen += [stage.rng.choice(sorted(stage.producer.accepted.values()))] if stage.producer.accepted else []
    injection = stage.journal.hit("canceled")
    injection.jobs.update(dict.fromkeys(chosen, Hit(time.time(), None)))
    for job_id in (*chosen, *chosen[:1]):
        first = job_id not in stage.journal.cancels
        # Should the answer be lost on its way, either end is right: as for a job that was running.
        stage.journal.cancels.setdefault(job_id, JobStatus.RUNNING)
        answer = stage.client.cancel(job_id)
        if first:
            stage.journal.cancels[job_id] = answer
    yield 0


def _nonsense(refused: str) -> list[Any]:
    """Elements of a queue's list, each wrong in its own way, as functions of the queue's name."""
    stranger = str(new_id())
    return [
        lambda queue: _message(queue, "unknown.task", stranger, {}),
        lambda queue: _message(queue, TASK_NAME, "not-a-uuid", {"version": 1}),
        lambda queue: _message(queue, TASK_NAME, stranger, {"version": 1}),  # a job that nobody has submitted
        lambda queue: _message(queue, TASK_NAME, refused, {"version": 99}),
        lambda queue: {**_message(queue, TASK_NAME, stranger, {}), "body": "!! not base64 !!"},
        lambda queue: {**_message(queue, TASK_NAME, stranger, {}), "content-type": "application/x-python-serialize"},
        lambda queue: {**_message(queue, TASK_NAME, stranger, {}), "headers": {}},
    ]


def _message(queue: str, task: str, task_id: str, kwargs: dict[str, object]) -> dict[str, Any]:
    """As kombu writes it."""
    body = json.dumps([[], kwargs, {"callbacks": None, "errbacks": None, "chain": None, "chord": None}])
    return {
        "body": base64.b64encode(body.encode()).decode(),
        "content-encoding": "utf-8",
        "content-type": "application/json",
        "headers": {"lang": "py", "task": task, "id": task_id, "root_id": task_id, "retries": 0},
        "properties": {
            "correlation_id": task_id,
            "delivery_mode": 2,
            "delivery_info": {"exchange": "", "routing_key": queue},
            "priority": 0,
            "body_encoding": "base64",
            "delivery_tag": str(new_id()),
        },
    }
