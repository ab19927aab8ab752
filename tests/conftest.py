"""Fixtures: real servers once per session, and for each test a database, a bucket and a Redis of its own.

Without anything set, `LocalServers` starts the three on loopback, for each process of pytest-xdist anew.
`INPAINT_TEST_SERVERS=env` takes those that the INPAINT_* variables name instead: databases are made and dropped there,
and Redis database 6 is flushed (and 7, 8, ... if several processes run tests).
"""

from __future__ import annotations

import os
import shutil
import signal
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.parse import urlsplit
from uuid import uuid4

import psycopg
import pytest
from inpaint_core.s3 import S3Store
from inpaint_core.settings import PREFIX, Settings, as_environment, load_settings
from inpaint_db.migrate import upgrade
from inpaint_db.session import Database
from inpaint_fleet.local import ports
from inpaint_producer import InpaintClient
from minio.error import MinioException
from outages import Gate
from processes import WorkerProcess
from redis import Redis
from sqlalchemy import Connection

#: Which of the processes of pytest-xdist this is.
NUMBER = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw"))
REDIS_DATABASE = 6 + NUMBER
# Between finding a free port and listening on it lies the making of a database cluster: long enough for two stacks that
# start together to find the same one. So each process looks in a range of its own.
_SHARES = 10
ports.RANGE = ports.RANGE[NUMBER % _SHARES :: _SHARES]
#: Quick, so that tests do not wait, and slow enough for a machine that has other things to do.
QUICK = {
    "lease_s": 6,
    "heartbeat_s": 1,
    "sweep_s": 0.2,
    "publish_grace_s": 0.3,
    "republish_after_s": 0.5,
    "backoff_s": 0.1,
    "backoff_max_s": 1,
    "grace_s": 5,
}

# A shell ignores Ctrl-C for what it runs in the background, and so would every process that a test starts there.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

# A developer's own stack must not decide what tests see, nor they what it holds.
_FOUND = {name: os.environ.pop(name) for name in list(os.environ) if name.startswith(PREFIX)}


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Every test starts without INPAINT_* and without the configuration of whoever runs it; its empty data folder."""
    for name in [name for name in os.environ if name.startswith(PREFIX)]:
        monkeypatch.delenv(name)
    home = tmp_path_factory.mktemp("home", numbered=True)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(home / "config"))
    monkeypatch.setenv("INPAINT_DATA_DIR", str(home / "data"))
    return home / "data"


# --- servers ----------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="session")
def servers() -> Iterator[Settings]:
    """Settings of a running Redis, Postgres and S3."""
    if _FOUND.get("INPAINT_TEST_SERVERS") == "env":
        with pytest.MonkeyPatch.context() as patch:
            for name, value in _FOUND.items():
                patch.setenv(name, value)
            yield load_settings()
        return
    from inpaint_fleet.local.servers import LocalServers

    # Not below pytest's own folder: that is closed to the account under which root has to run Postgres.
    folder = Path(tempfile.mkdtemp(prefix="inpaint-test-"))
    folder.chmod(0o711)
    try:
        with LocalServers(folder) as settings:
            assert settings.postgres_url is not None
            with psycopg.connect(settings.postgres_url.get_secret_value(), autocommit=True) as connection:
                # What a power cut would leave of a database that lives for one test is no matter.
                connection.execute("ALTER SYSTEM SET fsync = off")
                connection.execute("SELECT pg_reload_conf()")
            yield settings
    finally:
        shutil.rmtree(folder, ignore_errors=True)


class Databases:
    """Makes and drops databases on the session's Postgres."""

    def __init__(self, servers: Settings) -> None:
        assert servers.postgres_url is not None
        self._url = servers.postgres_url.get_secret_value()

    def url(self, name: str) -> str:
        """The address of the database `name`."""
        return urlsplit(self._url)._replace(path=f"/{name}").geturl()

    def create(self, template: str | None = None) -> str:
        """A new database, a copy of `template` if one is given; its name."""
        name = f"test_{uuid4().hex[:12]}"
        self._execute(f"CREATE DATABASE {name}" + (f" TEMPLATE {template}" if template else ""))
        return name

    def drop(self, name: str) -> None:
        """Drop it, whoever is still connected."""
        self._execute(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")

    def _execute(self, statement: str) -> None:
        with psycopg.connect(self._url, autocommit=True) as connection:
            connection.execute(statement)  # type: ignore[arg-type]


@pytest.fixture(scope="session")
def databases(servers: Settings) -> Databases:
    """Where databases are made."""
    return Databases(servers)


@pytest.fixture(scope="session")
def template(servers: Settings, databases: Databases) -> Iterator[str]:
    """A database with the schema and no rows. Nobody stays connected to it, so that it can be copied."""
    name = databases.create()
    upgrade(servers.model_copy(update=_secret(postgres_url=databases.url(name))))
    yield name
    databases.drop(name)


@pytest.fixture
def empty_database(servers: Settings, databases: Databases) -> Iterator[Settings]:
    """Settings of a database without a schema."""
    name = databases.create()
    yield servers.model_copy(update=_secret(postgres_url=databases.url(name)))
    databases.drop(name)


# --- for questions: one database, rolled back after each test ---------------------------------------------------------


@pytest.fixture(scope="session")
def shared_database(servers: Settings, databases: Databases, template: str) -> Iterator[Database]:
    """One database for all tests that leave nothing behind."""
    name = databases.create(template)
    settings = servers.model_copy(update=_secret(postgres_url=databases.url(name)))
    with Database(settings, application="inpaint-test") as database:
        yield database
    databases.drop(name)


@pytest.fixture
def connection(shared_database: Database) -> Iterator[Connection]:
    """A connection in a transaction that is rolled back. now() stands still in it."""
    with shared_database.engine.connect() as connection, connection.begin() as transaction:
        yield connection
        transaction.rollback()


# --- for several processes: a database, a bucket and a Redis of one's own ---------------------------------------------


@pytest.fixture
def settings(servers: Settings, databases: Databases, template: str, environment: Path) -> Iterator[Settings]:
    """A stack of this test's own on the session's servers: fresh database, fresh bucket, empty Redis."""
    assert servers.redis_url is not None
    redis_url = urlsplit(servers.redis_url.get_secret_value())._replace(path=f"/{REDIS_DATABASE}").geturl()
    name = databases.create(template)
    settings = load_settings(
        **servers.model_dump(include={"s3_url", "s3_access_key", "s3_secret_key", "s3_region"}),
        **QUICK,
        data_dir=environment,
        redis_url=redis_url,
        postgres_url=databases.url(name),
        s3_bucket=f"test-{uuid4().hex[:12]}",
    )
    with Redis.from_url(redis_url) as redis:
        redis.flushdb()
    store = S3Store(settings)
    store.ensure_bucket()
    yield settings
    _remove_bucket(store)
    databases.drop(name)


@pytest.fixture
def stack_env(settings: Settings) -> dict[str, str]:
    """The environment for a process that belongs to this test's stack."""
    others = {name: value for name, value in os.environ.items() if not name.startswith(PREFIX)}
    return {**others, **as_environment(settings)}


@pytest.fixture
def database(settings: Settings) -> Iterator[Database]:
    """This test's database."""
    with Database(settings, application="inpaint-test") as database:
        yield database


@pytest.fixture
def store(settings: Settings) -> S3Store:
    """This test's bucket."""
    return S3Store(settings)


@pytest.fixture
def redis(settings: Settings) -> Iterator[Redis]:
    """This test's Redis."""
    assert settings.redis_url is not None
    with Redis.from_url(settings.redis_url.get_secret_value()) as redis:
        yield redis


@pytest.fixture
def client(settings: Settings) -> Iterator[InpaintClient]:
    """A client of this test's stack."""
    with InpaintClient(settings) as client:
        yield client


@pytest.fixture
def start_worker(
    stack_env: dict[str, str], settings: Settings, tmp_path: Path
) -> Iterator[Callable[..., WorkerProcess]]:
    """Start `inpaint worker MODEL` as a process and wait until it is ready; all are killed at the end."""
    started: list[WorkerProcess] = []

    def start(model: str = "opencv-telea", *, wait: bool = True, **variables: str) -> WorkerProcess:
        log = tmp_path / f"worker-{model}-{len(started) + 1}.log"
        worker = WorkerProcess(model, {**stack_env, **variables}, settings, log)
        started.append(worker)
        if wait:
            worker.wait_ready()
        return worker

    yield start
    for worker in started:
        # A graceful stop takes a second, and there is nothing left to be graceful about.
        worker.kill()


@pytest.fixture
def worker(start_worker: Callable[..., WorkerProcess]) -> WorkerProcess:
    """A ready worker of opencv-telea."""
    return start_worker("opencv-telea")


@pytest.fixture
def gate() -> Iterator[Callable[[str], Gate]]:
    """Put a gate in front of a server's URL: closed, it is as if the server were away."""
    gates: list[Gate] = []

    def put(url: str) -> Gate:
        gates.append(Gate(url))
        return gates[-1]

    yield put
    for each in gates:
        each.close()


def _secret(**urls: str) -> dict[str, object]:
    # model_copy does not validate: the type has to be right already.
    from pydantic import SecretStr

    return {name: SecretStr(url) for name, url in urls.items()}


def _remove_bucket(store: S3Store) -> None:
    """Remove it with all that is in it, also what a killed worker had sent and the server has only now."""
    client = store._client
    for _ in range(20):
        for entry in client.list_objects(store.bucket, recursive=True):
            client.remove_object(store.bucket, str(entry.object_name))
        try:
            client.remove_bucket(store.bucket)
        except MinioException as error:
            if "BucketNotEmpty" not in str(error):
                raise
            time.sleep(0.1)
        else:
            return
    # rclone now and then keeps a folder whose objects were put or removed at the same time, and lists nothing in it.
