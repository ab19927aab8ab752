"""The whole local stack as a process, over real servers; relay, workers and Flower are stubs that can be watched."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psycopg
import pytest
from inpaint_core.errors import StackError
from inpaint_core.s3 import S3Store
from inpaint_core.settings import load_settings
from inpaint_core.storage import ObjectRef
from inpaint_fleet.local import control, ports
from inpaint_fleet.local.folder import DataFolder
from inpaint_fleet.local.processes import ProcessId
from inpaint_fleet.local.servers import LocalServers
from inpaint_fleet.local.state import read_record
from redis import Redis

#: `inpaint up` without the command line. A worker of the model "deaf" ignores SIGTERM; "mortal" ends at once.
UP = """
import sys
from pathlib import Path
from inpaint_core.errors import InpaintError
from inpaint_fleet.local import ports
from inpaint_fleet.local.stack import Commands, LocalStack

ports.RANGE = RANGE
STUB = '''
import os, signal, sys, time
name = sys.argv[-1]
def stop(*_):
    print("leaving", flush=True)
    sys.exit(0)
signal.signal(signal.SIGTERM, signal.SIG_IGN if name == "deaf" else stop)
told = [os.environ.get("INPAINT_" + variable) for variable in ("DATA_DIR", "FLOWER_PORT", "TIER")]
print("up in", *told, flush=True)
if name == "mortal":
    sys.exit(1)
time.sleep(120)
'''
stub = (sys.executable, "-c", STUB)
folder, *models = sys.argv[1:]
stack = LocalStack(
    Path(folder), models, flower=True, echo=sys.stderr, migrate=lambda settings: None,
    commands=Commands(relay=(*stub, "relay"), worker=stub, flower=(*stub, "flower")),
)
try:
    stack.run()
except InpaintError as error:
    sys.exit(f"{type(error).__name__}: {error}")
""".replace("RANGE = RANGE", f"RANGE = {ports.RANGE}")  # of this process' own, as in conftest.py
SERVERS = ["postgres", "redis", "s3"]
ALL = [*SERVERS, "flower", "relay", "worker opencv-telea"]


class Up:
    """A stack in a process of its own."""

    def __init__(self, data_dir: Path, *models: str, **variables: str) -> None:
        self.data_dir = data_dir
        self.output = data_dir.with_name(f"up-{time.monotonic_ns()}.txt")
        with self.output.open("wb") as output:
            self.process = subprocess.Popen(
                [sys.executable, "-c", UP, str(data_dir), *models],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                env=os.environ | variables,
                start_new_session=True,
            )
        self.seen: set[ProcessId] = set()

    def text(self) -> str:
        return self.output.read_text()

    def until(self, condition: Callable[[control.StackState], bool], timeout_s: float = 30) -> control.StackState:
        end = time.monotonic() + timeout_s
        while not condition(now := self.state()):
            assert time.monotonic() < end, self.text()
            assert self.process.poll() is None, self.text()
            time.sleep(0.05)
        return now

    def until_said(self, words: str, timeout_s: float = 30) -> None:
        self.until(lambda _: words in self.text(), timeout_s)

    def ready(self) -> control.StackState:
        return self.until(lambda now: now.ready)

    def state(self) -> control.StackState:
        record = read_record(DataFolder(self.data_dir))
        if record is not None:
            self.seen.update(child.process for child in record.children)
        return control.state(self.data_dir)

    def pid(self, name: str) -> int:
        return next(child.pid for child in self.state().children if child.name == name)

    def stop(self, number: signal.Signals = signal.SIGTERM) -> int:
        self.state()
        self.process.send_signal(number)
        return self.process.wait(30)

    def assert_nothing_left(self) -> None:
        assert [process for process in self.seen if process.alive()] == []


@pytest.fixture
def data_dir(tmp_path: Path) -> Path:
    tmp_path.chmod(0o700)
    return tmp_path / "my data"


@pytest.fixture
def up(data_dir: Path) -> Iterator[Callable[..., Up]]:
    started: list[Up] = []

    def start(*models: str, **variables: str) -> Up:
        started.append(Up(data_dir, *(models or ("opencv-telea",)), **variables))
        return started[-1]

    yield start
    for one in started:
        one.state()
        if one.process.poll() is None:
            one.process.kill()
            one.process.wait()
        for process in one.seen:
            process.wait(2)
            process.kill_group()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_it_starts_all_and_stops_all_in_order(up: Callable[..., Up], number: signal.Signals) -> None:
    stack = up("opencv-telea", "opencv-ns")
    now = stack.ready()
    assert [child.name for child in now.children] == [*ALL, "worker opencv-ns"]
    assert all(child.alive and child.restarts == 0 for child in now.children)
    assert now.supervisor_pid == stack.process.pid
    assert set(now.addresses) == {"Redis", "Postgres", "S3", "Flower"}
    stack.until(lambda _: stack.text().count("up in") == 4)
    assert stack.stop(number) == 0
    stack.assert_nothing_left()
    left = [line.split(" | ")[0].split(" ", 1)[1].strip() for line in stack.text().splitlines() if "leaving" in line]
    assert set(left[:2]) == {"worker opencv-telea", "worker opencv-ns"}
    assert left[2:] == ["relay", "flower"]
    assert "stopped after" in stack.text()
    assert not control.state(stack.data_dir).running
    assert control.stop(stack.data_dir) is False


def test_children_find_the_stack_and_flower_its_login(up: Callable[..., Up]) -> None:
    stack = up()
    stack.ready()
    port = stack.state().addresses["Flower"].rpartition(":")[2]
    stack.until(lambda _: stack.text().count("up in") == 3)
    assert f"up in {stack.data_dir} {port}" in stack.text()
    login = control.flower_login(stack.data_dir)
    assert login
    environment = Path(f"/proc/{stack.pid('flower')}/environ").read_text()
    assert f"INPAINT_FLOWER_BASIC_AUTH={':'.join(login)}\0" in environment
    assert load_settings(data_dir=stack.data_dir).redis_url


def test_a_tier_is_for_those_models_that_have_it(up: Callable[..., Up]) -> None:
    stack = up("opencv-telea", "unheard-of", INPAINT_TIER="fast")
    stack.ready()
    stack.until(lambda _: stack.text().count("up in") == 4)
    assert "opencv-telea has no tier fast: its worker runs in exact what names none" in stack.text()
    told = {
        line.split(" | ")[0].split(" ", 1)[1].strip(): line.split()[-1]
        for line in stack.text().splitlines()
        if "up in" in line
    }
    assert (told["worker opencv-telea"], told["worker unheard-of"]) == ("exact", "fast")


def test_a_second_one_in_the_same_folder_is_refused(up: Callable[..., Up]) -> None:
    first = up()
    first.ready()
    second = up()
    assert second.process.wait(20) != 0
    assert f"already runs in {first.data_dir} (process {first.process.pid})" in second.text()
    assert "`inpaint down`" in second.text()
    assert all(child.alive for child in first.state().children)


@pytest.mark.parametrize("name", ["redis", "postgres", "s3", "worker opencv-telea"])
def test_a_killed_child_is_started_again_over_its_data(up: Callable[..., Up], name: str) -> None:
    stack = up()
    before = stack.ready()
    settings = load_settings(data_dir=stack.data_dir)
    ref = ObjectRef("inpaint", "a.png")
    assert settings.redis_url
    assert settings.postgres_url
    with Redis.from_url(settings.redis_url.get_secret_value()) as client:
        client.set("kept", "7")
    with psycopg.connect(settings.postgres_url.get_secret_value()) as connection:
        connection.execute("CREATE TABLE kept AS SELECT 7 AS n")
    S3Store(settings).put(ref, b"7", "image/png")

    os.kill(stack.pid(name), signal.SIGKILL)
    stack.until_said(f"{name} was ended by SIGKILL, starting it again in 0.5 s")
    after = stack.until(lambda now: all(c.alive for c in now.children) and any(c.restarts for c in now.children))
    assert after.addresses == before.addresses

    def kept() -> bool:
        with contextlib.suppress(Exception):
            with Redis.from_url(settings.redis_url.get_secret_value(), decode_responses=True) as client:  # type: ignore[union-attr]
                redis_has = client.get("kept") == "7"
            with psycopg.connect(settings.postgres_url.get_secret_value()) as connection:  # type: ignore[union-attr]
                postgres_has = connection.execute("SELECT n FROM kept").fetchone() == (7,)
            return redis_has and postgres_has and S3Store(settings).get(ref, 10) == b"7"
        return False

    stack.until(lambda _: kept())


def test_a_child_that_keeps_dying_gets_longer_pauses(up: Callable[..., Up]) -> None:
    stack = up("mortal")
    for pause in ("0.5", "1", "2"):
        stack.until_said(f"worker mortal exited with status 1, starting it again in {pause} s")


def test_after_kill_9_of_the_supervisor_its_children_end_and_the_next_start_heals(up: Callable[..., Up]) -> None:
    stack = up("opencv-telea", "deaf")
    stack.ready()
    stack.until(lambda _: stack.text().count("up in") == 4)
    settings = load_settings(data_dir=stack.data_dir)
    assert settings.redis_url
    with Redis.from_url(settings.redis_url.get_secret_value()) as client:
        client.set("kept", "7")
    deaf = ProcessId.of(stack.pid("worker deaf"))
    stack.process.kill()
    stack.process.wait()
    # The kernel tells them; only the one that does not listen is left.
    assert all(process.wait(10) for process in stack.seen if process != deaf)
    assert deaf.alive()
    now = control.state(stack.data_dir)
    assert not now.running
    assert [child.name for child in now.children if child.alive] == ["worker deaf"]

    again = up()
    again.ready()
    assert not deaf.alive()
    assert "had left running: worker deaf" in again.text()
    with Redis.from_url(settings.redis_url.get_secret_value(), decode_responses=True) as client:
        assert client.get("kept") == "7"
    again.stop()
    again.assert_nothing_left()


def test_down_after_kill_9_ends_what_is_left(up: Callable[..., Up]) -> None:
    stack = up("deaf")
    stack.ready()
    stack.until(lambda _: stack.text().count("up in") == 3)
    stack.process.kill()
    stack.process.wait()
    assert control.stop(stack.data_dir) is True
    stack.assert_nothing_left()
    assert control.stop(stack.data_dir) is False
    assert not (stack.data_dir / "stack.toml").exists()


def test_a_second_ctrl_c_hurries(up: Callable[..., Up]) -> None:
    stack = up("deaf")
    stack.ready()
    stack.until(lambda _: stack.text().count("up in") == 3)
    stack.process.send_signal(signal.SIGINT)
    stack.until_said("stopping; once more to stop at once")
    began = time.monotonic()
    assert stack.stop(signal.SIGINT) == 0
    assert time.monotonic() - began < 10
    stack.assert_nothing_left()


def test_a_deaf_worker_is_killed_after_its_grace(up: Callable[..., Up]) -> None:
    stack = up("deaf", INPAINT_GRACE_S="0.5")
    stack.ready()
    stack.until(lambda _: stack.text().count("up in") == 3)
    assert stack.stop() == 0
    assert "worker deaf did not stop within 20.5 s, killing it" in stack.text()
    stack.assert_nothing_left()


def test_ctrl_c_during_the_start_leaves_nothing(up: Callable[..., Up]) -> None:
    stack = up()
    stack.until(lambda now: bool(now.children))
    assert stack.stop(signal.SIGINT) == 0
    stack.assert_nothing_left()
    assert not control.state(stack.data_dir).running


def test_servers_of_the_users_own_are_used_and_not_started(up: Callable[..., Up], tmp_path: Path) -> None:
    with LocalServers(tmp_path / "elsewhere") as own:
        assert own.redis_url
        assert own.postgres_url
        stack = up(
            INPAINT_REDIS_URL=own.redis_url.get_secret_value(), INPAINT_POSTGRES_URL=own.postgres_url.get_secret_value()
        )
        now = stack.ready()
        assert [child.name for child in now.children] == ["s3", *ALL[3:]]
        assert own.redis_url.get_secret_value().endswith(f"@{now.addresses['Redis']}/0")
        assert "Redis is configured already, so none is started" in stack.text()
        assert "redis_url" not in (stack.data_dir / "stack.toml").read_text()
        assert stack.stop() == 0


def test_half_a_configuration_is_refused(up: Callable[..., Up]) -> None:
    stack = up(INPAINT_S3_URL="http://127.0.0.1:9000")
    assert stack.process.wait(20) != 0
    assert "NotConfigured: No S3 is configured: INPAINT_S3_ACCESS_KEY, INPAINT_S3_SECRET_KEY not set" in stack.text()
    stack.assert_nothing_left()


def test_detached_it_outlives_its_starter_and_down_stops_it(data_dir: Path) -> None:
    command = [sys.executable, "-c", UP, str(data_dir), "opencv-telea"]
    now = control.start_detached(data_dir, ["opencv-telea"], command=command)
    try:
        assert now.running
        assert now.ready
        assert now.supervisor_pid
        assert os.getsid(now.supervisor_pid) == now.supervisor_pid, "no terminal that could take it along"
        with pytest.raises(StackError, match="already runs"):
            control.start_detached(data_dir, ["opencv-telea"], command=command)
        record = read_record(DataFolder(data_dir))
        assert record
    finally:
        assert control.stop(data_dir) is True
    assert not any(child.process.alive() for child in record.children)
    os.waitpid(now.supervisor_pid, 0)


def test_a_detached_start_that_fails_says_why(data_dir: Path) -> None:
    with pytest.raises(StackError, match=r"ended with status 3 before it was ready. It said:\nno such model"):
        control.start_detached(data_dir, [], command=[sys.executable, "-c", "print('no such model'); exit(3)"])
    slow = [sys.executable, "-c", "import time; time.sleep(60)"]
    with pytest.raises(StackError, match=r"not ready after 0.5 s and was stopped"):
        control.start_detached(data_dir, [], command=slow, timeout_s=0.5)


def test_nothing_runs_in_a_folder_that_does_not_exist(data_dir: Path) -> None:
    assert control.state(data_dir) == control.StackState(running=False)
    assert control.stop(data_dir) is False
    assert control.flower_login(data_dir) is None
    assert not data_dir.exists()
