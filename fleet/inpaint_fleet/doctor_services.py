"""The servers and the fleet over them, as `inpaint doctor` examines them."""

from __future__ import annotations

import time
from collections.abc import Iterator
from email.utils import parsedate_to_datetime
from typing import Any

from inpaint_core.settings import Settings, address

from inpaint_fleet.doctor import Finding, Level

#: A queued job that nobody sent for this long: there is no relay, or it cannot work.
_UNSENT_S = 10
#: S3 refuses requests whose time is off by 15 minutes.
_CLOCK_WARN_S, _CLOCK_FAIL_S = 60, 900
_POSTGRES = range(15, 19)


def redis(settings: Settings) -> Iterator[Finding]:
    """Reachable, keeps what it is given, and asks for a password."""
    from inpaint_core.queues import broker_errors, connect_redis

    with broker_errors(settings), connect_redis(settings) as client:
        began = time.monotonic()
        client.ping()
        took = time.monotonic() - began
        info: Any = client.info()
        version = info.get("redis_version", "?")
        yield Finding(
            "redis", Level.OK, f"version {version} at {_redis_address(settings)}, answers in {took * 1e3:.1f} ms"
        )
        if not info.get("aof_enabled"):
            yield Finding(
                "redis keeps messages", Level.WARN,
                "its append-only file is off: a restart loses what waits, and the relay has to send it again. "
                "Set `appendonly yes`",
            )  # fmt: skip
        else:
            yield Finding("redis keeps messages", Level.OK, "append-only file is on")
        policy = info.get("maxmemory_policy", "noeviction")
        if policy != "noeviction":
            yield Finding(
                "redis memory", Level.FAIL,
                f"maxmemory-policy is {policy}: a full Redis would throw messages away. Set `noeviction`",
            )  # fmt: skip
        else:
            yield Finding("redis memory", Level.OK, "noeviction")
    url = settings.redis_url.get_secret_value() if settings.redis_url else ""
    if "@" not in url and not url.startswith("unix"):
        yield Finding(
            "redis password", Level.WARN,
            "none: whoever reaches it can send jobs. Set `requirepass`, and put the password into INPAINT_REDIS_URL",
        )  # fmt: skip


def postgres(settings: Settings) -> Iterator[Finding]:
    """Reachable, of a supported version, with the schema of this program."""
    from inpaint_db.migrate import require_current
    from inpaint_db.session import Database

    with Database(settings, application="inpaint-doctor", pool_size=1) as database:
        began = time.monotonic()
        with database.read() as connection:
            took = time.monotonic() - began
            number = int(connection.exec_driver_sql("SHOW server_version_num").scalar_one())
            version = str(connection.exec_driver_sql("SHOW server_version").scalar_one()).split()[0]
            major = number // 10_000
            found = f"version {version} at {database.address}, answers in {took * 1e3:.0f} ms"
            if major < _POSTGRES.start:
                yield Finding("postgres", Level.FAIL, f"{found}; {_POSTGRES.start} or newer is needed")
            elif major not in _POSTGRES:
                yield Finding("postgres", Level.WARN, f"{found}; newer than the {_POSTGRES[-1]} that was tried")
            else:
                yield Finding("postgres", Level.OK, found)
            require_current(connection)
            yield Finding("schema", Level.OK, "current")


def s3(settings: Settings) -> Iterator[Finding]:
    """Reachable, with the bucket and the rights to write, read and delete; clocks that agree."""
    from inpaint_core.ids import new_id
    from inpaint_core.s3 import S3Store
    from inpaint_core.storage import ObjectRef

    store = S3Store(settings)
    store.check()
    yield Finding("s3", Level.OK, f"bucket {store.bucket} at {store.address}")
    ref = ObjectRef(store.bucket, f"probes/{new_id()}")
    store.put(ref, b"inpaint doctor", "text/plain")
    try:
        same = store.get(ref, 1024) == b"inpaint doctor"
    finally:
        store.delete(ref)
    if same:
        yield Finding("s3 rights", Level.OK, "wrote, read and deleted a probe")
    else:
        yield Finding(
            "s3 rights", Level.FAIL, "a probe came back different from what was written; is a cache before it?"
        )
    off_s = _clock_off_s(settings.s3_url or "")
    if off_s is None:
        return
    if off_s > _CLOCK_WARN_S:
        level = Level.FAIL if off_s > _CLOCK_FAIL_S else Level.WARN
        yield Finding(
            "s3 clock", level, f"{off_s:.0f} s away from this machine's; S3 refuses 900 s. Mend the clocks (NTP)"
        )
    else:
        yield Finding("s3 clock", Level.OK, "agrees with this machine's")


def fleet(settings: Settings) -> Iterator[Finding]:
    """A relay, workers, and nothing that waits in vain."""
    from inpaint_db.queries import list_queues
    from inpaint_db.session import Database
    from sqlalchemy import text

    from inpaint_fleet.overview import live_after_s

    with Database(settings, application="inpaint-doctor", pool_size=1) as database, database.read() as connection:
        relays = connection.execute(
            text(
                "SELECT count(DISTINCT coalesce(client_addr::text, '') || application_name) FROM pg_stat_activity "
                "WHERE application_name = 'inpaint-relay' AND datname = current_database()"
            )
        ).scalar_one()
        unsent = connection.execute(
            text(
                "SELECT count(*) FROM job WHERE status = 'queued' AND published_at IS NULL "
                "AND greatest(not_before, queued_at) < now() - make_interval(secs => :unsent_s)"
            ),
            {"unsent_s": _UNSENT_S},
        ).scalar_one()
        queues = list_queues(connection, live_s=live_after_s(settings))
    if unsent:
        yield Finding(
            "relay", Level.WARN,
            f"{unsent:,} queued jobs were not sent for {_UNSENT_S} s: "
            + ("it is connected but cannot send, see its log" if relays else "start one with `inpaint relay`"),
        )  # fmt: skip
    elif not relays:
        yield Finding(
            "relay", Level.WARN, "none is connected: lost jobs stay lost until one runs. Start it with `inpaint relay`"
        )
    else:
        yield Finding("relay", Level.OK, "connected, and nothing waits to be sent")
    if not any(queue.workers_ready or queue.workers_loading for queue in queues):
        yield Finding("workers", Level.WARN, "none runs. Start one with `inpaint worker MODEL`")
    for queue in queues:
        if queue.workers_ready or queue.workers_loading:
            loading = f", {queue.workers_loading} loading" if queue.workers_loading else ""
            yield Finding(f"workers {queue.model}", Level.OK, f"{queue.workers_ready} ready{loading}")
        elif queue.queued:
            yield Finding(
                f"workers {queue.model}", Level.WARN,
                f"none, and {queue.queued:,} jobs wait. Start one with `inpaint worker {queue.model}`",
            )  # fmt: skip


def _redis_address(settings: Settings) -> str:
    return address(settings.redis_url.get_secret_value()) if settings.redis_url else ""


def _clock_off_s(url: str) -> float | None:
    """How far the server's clock is from ours, by the Date of any answer; None if it does not say."""
    import urllib3

    try:
        with urllib3.PoolManager(timeout=3, retries=False) as pool:
            date = pool.request("GET", url, redirect=False).headers.get("Date")
    except urllib3.exceptions.HTTPError:
        return None
    try:
        return abs(parsedate_to_datetime(date).timestamp() - time.time()) if date else None
    except ValueError:
        return None
