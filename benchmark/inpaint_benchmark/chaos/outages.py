"""Faults of servers and of the network in front of them."""

from __future__ import annotations

import functools
from collections.abc import Iterator
from signal import SIGKILL, SIGQUIT

from inpaint_core.queues import connect_redis

from inpaint_benchmark.chaos.proxy import Weather
from inpaint_benchmark.chaos.stage import Stage

_SHORT_S = (0.5, 1.5)
_LONG_S = 7.0
_WORDS: dict[Weather, str] = {
    "refuse": "S3 refuses connections",
    "slow": "S3 is slow",
    "cut_down": "S3 cuts what is fetched",
    "cut_up": "S3 cuts what is stored",
}


def kill_redis(stage: Stage, *, keep_data: bool) -> Iterator[float]:
    """Kill -9, and back after a moment; without its data, every message is gone."""
    # Not while nobody can tell what it holds; the other way round, both may be away at once.
    yield from _until_back(stage, "redis", "postgres")
    # What it had in its queues is lost or delayed; what runs is not, but the workers' connections are.
    words = "Redis killed, data kept" if keep_data else "Redis killed, data lost"
    stage.journal.hit(words, stage.running() | stage.queued(sent=True))
    stage.away.add("redis")
    stage.servers.end("redis", SIGKILL)
    if not keep_data:
        stage.servers.wipe_redis()
    yield stage.rng.uniform(*_SHORT_S)
    stage.servers.start("redis")
    stage.away.discard("redis")


def reset_redis_connections(stage: Stage) -> Iterator[float]:
    """CLIENT KILL: workers reconnect, and what they had not yet acknowledged is delivered once more."""
    yield from _until_back(stage, "redis")
    yield from stage.until_busy()
    stage.journal.hit("Redis connections reset", stage.running())
    with connect_redis(stage.settings) as redis:
        for kind in ("normal", "pubsub"):
            redis.client_kill_filter(_type=kind, skipme=True)


def stop_postgres(stage: Stage, *, down_s: float) -> Iterator[float]:
    """Immediate shutdown (SIGQUIT to the postmaster): every connection breaks, and recovery runs at the start."""
    yield from _until_back(stage, "postgres")
    yield from stage.until_busy()
    stage.journal.hit(f"Postgres down {down_s:g} s (SIGQUIT)", stage.running())
    stage.away.add("postgres")
    stage.servers.end("postgres", SIGQUIT)
    yield down_s
    stage.servers.start("postgres")
    stage.away.discard("postgres")


def bad_network(stage: Stage, *, weather: Weather) -> Iterator[float]:
    """Between everybody and S3."""
    yield from _until_back(stage, "s3")
    injection = stage.journal.hit(_WORDS[weather])
    stage.away.add("s3")
    stage.proxy.weather = weather
    yield from stage.while_it_lasts(injection, stage.running, stage.rng.uniform(1, 3))
    stage.proxy.weather = "pass"
    stage.away.discard("s3")


def _until_back(stage: Stage, *services: str) -> Iterator[float]:
    while stage.away.intersection(services):
        yield 0.5


redis_keeps_data = functools.partial(kill_redis, keep_data=True)
redis_loses_data = functools.partial(kill_redis, keep_data=False)
postgres_restarts = functools.partial(stop_postgres, down_s=0.5)
postgres_is_down = functools.partial(stop_postgres, down_s=_LONG_S)
s3_refuses = functools.partial(bad_network, weather="refuse")
s3_is_slow = functools.partial(bad_network, weather="slow")
s3_cuts_fetch = functools.partial(bad_network, weather="cut_down")
s3_cuts_store = functools.partial(bad_network, weather="cut_up")
