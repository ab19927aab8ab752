"""A worker process: load the model, say so, consume its queue until told to stop."""

from __future__ import annotations

import os
import signal
import socket
import sys
import threading
from types import FrameType
from uuid import UUID

from celery.signals import worker_shutting_down
from inpaint_core.card import ModelCard
from inpaint_core.catalogue import load_catalogue
from inpaint_core.errors import InpaintError, SettingsInvalid, StepHung
from inpaint_core.log import get_logger
from inpaint_core.patience import patiently
from inpaint_core.queues import broker_errors, connect_redis
from inpaint_core.s3 import S3Store
from inpaint_core.settings import Settings
from inpaint_core.status import WorkerState
from inpaint_core.storage import ObjectStore
from inpaint_core.tiers import Tier
from inpaint_db.migrate import require_current
from inpaint_db.presence import (
    EnvironmentFacts,
    WorkerIdentity,
    register_worker,
    set_worker_environment,
    set_worker_state,
)
from inpaint_db.session import Database

from inpaint_worker.app import make_consumer, make_worker_app
from inpaint_worker.attempt import Attempt
from inpaint_worker.device_thread import DeviceThread
from inpaint_worker.drain import Drain
from inpaint_worker.environment import describe_environment, package_version
from inpaint_worker.health import HealthServer
from inpaint_worker.heartbeat import Heartbeat
from inpaint_worker.intake import Intake
from inpaint_worker.leaving import EXIT_UNTRUSTED, leave
from inpaint_worker.outcome import Outcome
from inpaint_worker.pipelines import Pipeline, build_pipeline
from inpaint_worker.resident import Resident
from inpaint_worker.task import JobRunner
from inpaint_worker.wanted import offers
from inpaint_worker.watchdog import Watchdog

#: A worker that starts together with its servers waits for them.
_SERVICES_PATIENCE_S = 60
log = get_logger("inpaint.worker")


def serve(settings: Settings, model: str) -> int:
    """Serve `model` until SIGTERM or SIGINT; the exit status. Raises an `InpaintError` if it cannot begin."""
    card = load_catalogue(settings.catalogue).card(model)
    card.require_served()
    require_tier(settings, card)
    return run_worker(settings, card, build_pipeline(card, settings), S3Store(settings))


def require_tier(settings: Settings, card: ModelCard) -> None:
    """Raise `SettingsInvalid` if a worker is set to a tier that its model has not."""
    if not offers(card, settings.tier):
        has = " and ".join((Tier.EXACT, *card.tiers)) if card.tiers else f"{Tier.EXACT} alone"
        raise SettingsInvalid(
            f"INPAINT_TIER is {settings.tier}, and {card.name} runs in {has}. Set it to one of those for this worker, "
            "or leave it out.",
            names=["tier"],
        )


def run_worker(
    settings: Settings, card: ModelCard, pipeline: Pipeline, store: ObjectStore, device: DeviceThread | None = None
) -> int:
    """Serve `card` with `pipeline`; see `serve`. `device`: who runs the pipeline afterwards does so on this thread."""
    settings.need("Redis")
    require_tier(settings, card)
    signal.signal(signal.SIGTERM, _leave)  # until Celery takes the signals over: stop while loading
    with Database(settings, application=f"inpaint-worker {card.name}"[:63]) as database:
        patiently(lambda: _check_schema(database), for_s=_SERVICES_PATIENCE_S)
        with database.begin() as connection:
            worker = register_worker(
                connection,
                card,
                describe_environment(card, settings),
                host=socket.gethostname(),
                pid=os.getpid(),
                version=package_version("inpaint-fleet") or "unknown",
            )
        log.info("worker_loading", model=card.name, worker_id=str(worker.id))
        heartbeat = Heartbeat(
            settings, database, worker, on_unknown=lambda: leave(settings, database, heartbeat, EXIT_UNTRUSTED)
        )
        watchdog = Watchdog(settings, heartbeat, on_hang=lambda attempt: _hung(settings, database, heartbeat, attempt))
        drain = Drain(settings, database, heartbeat)
        resident = Resident(pipeline, device)
        health = None
        if settings.health_port:
            health = HealthServer(
                settings,
                alive=lambda: watchdog.healthy,
                ready=lambda: heartbeat.state is WorkerState.READY and watchdog.healthy,
            )
        heartbeat.start()
        watchdog.start()
        try:
            # A worker that could neither fetch nor hear of jobs must not say that it is ready.
            patiently(store.check, for_s=_SERVICES_PATIENCE_S)
            patiently(lambda: _check_broker(settings), for_s=_SERVICES_PATIENCE_S)
            resident.load()
            worker = _now_loaded(database, worker, describe_environment(card, settings, pipeline.described()))
            runner = JobRunner(settings, database, store, worker, resident, heartbeat)
            return _consume(settings, card, database, runner, drain)
        finally:
            watchdog.stop()
            heartbeat.stop()
            if health:
                health.close()
            _say_stopped(database, worker.id)
            log.info("worker_stopped")
            if heartbeat.state is WorkerState.LOADING and resident.device.busy:
                # Told to stop. The interpreter would end that thread amid a call of torch, which aborts the process.
                os._exit(0)


def _consume(settings: Settings, card: ModelCard, database: Database, runner: JobRunner, drain: Drain) -> int:
    app = make_worker_app(settings, card, Intake(settings, card, database, runner))
    consumer = make_consumer(app, card)
    worker_shutting_down.connect(drain.begin)
    runner.heartbeat.state = WorkerState.READY
    patiently(lambda: _say(database, runner.worker.id, WorkerState.READY), for_s=_SERVICES_PATIENCE_S)
    log.info("worker_ready", model=card.name, threads=settings.worker_threads)
    try:
        consumer.start()
    finally:
        worker_shutting_down.disconnect(drain.begin)
        app.close()
    # Celery reports a stop that was asked for as success, and one after a lost broker as failure.
    return 0 if drain.begun else int(consumer.exitcode or 0)


def _check_schema(database: Database) -> None:
    with database.read() as connection:
        require_current(connection)


def _check_broker(settings: Settings) -> None:
    with broker_errors(settings), connect_redis(settings) as redis:
        redis.ping()


def _now_loaded(database: Database, worker: WorkerIdentity, facts: EnvironmentFacts) -> WorkerIdentity:
    with database.begin() as connection:
        return set_worker_environment(connection, worker.id, facts)


def _say(database: Database, worker_id: UUID, state: WorkerState) -> None:
    with database.begin() as connection:
        set_worker_state(connection, worker_id, state)


def _say_stopped(database: Database, worker_id: UUID) -> None:
    try:
        _say(database, worker_id, WorkerState.STOPPED)
    except InpaintError as error:
        log.warning("stop_not_recorded", reason=error.message)


def _hung(settings: Settings, database: Database, heartbeat: Heartbeat, attempt: Attempt) -> None:
    limit = settings.step_timeout_s
    error = StepHung(
        f"A step made no progress for {limit:g} s (INPAINT_STEP_TIMEOUT_S); the worker process was ended.", limit=limit
    )
    log.error("step_hung", job_id=str(attempt.claimed.job_id), limit_s=limit)
    record = threading.Thread(target=Outcome(settings, database, attempt).again_or_failed, args=(error,), daemon=True)
    record.start()
    record.join(timeout=10)
    leave(settings, database, heartbeat, EXIT_UNTRUSTED, besides=attempt)


def _leave(_signal: int, _frame: FrameType | None) -> None:
    sys.exit(0)
