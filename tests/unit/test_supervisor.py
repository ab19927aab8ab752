"""The supervisor over real child processes, small ones."""

from __future__ import annotations

import signal
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from inpaint_fleet.local import supervisor as supervisor_module
from inpaint_fleet.local.child import ChildSpec, describe_exit
from inpaint_fleet.local.processes import ProcessId
from inpaint_fleet.local.stacklog import StackLog
from inpaint_fleet.local.state import ChildRecord
from inpaint_fleet.local.supervisor import Supervisor


def make_spec(name: str, code: str, **changes: object) -> ChildSpec:
    return ChildSpec(name, (sys.executable, "-c", code), {}, **changes)  # type: ignore[arg-type]


SLEEP = "import time; print('hello', flush=True); time.sleep(60)"
STUBBORN = "import signal, time; signal.signal(15, signal.SIG_IGN); print('deaf', flush=True); time.sleep(60)"


class Watched:
    """A supervisor with its log, and what it recorded."""

    def __init__(self, folder: Path) -> None:
        self.log = StackLog(folder / "log")
        self.records: list[tuple[ChildRecord, ...]] = []
        self.hurry = False
        self.supervisor = Supervisor(self.log, on_change=self.records.append, hurried=lambda: self.hurry)

    def text(self) -> str:
        return self.log.path.read_text() if self.log.path.exists() else ""

    def until(self, condition: Callable[[], bool], timeout_s: float = 10) -> None:
        end = time.monotonic() + timeout_s
        while not condition():
            assert time.monotonic() < end, self.text()
            self.supervisor.tend()
            time.sleep(0.02)


@pytest.fixture
def watched(tmp_path: Path) -> Iterator[Watched]:
    watched = Watched(tmp_path)
    yield watched
    watched.hurry = True
    watched.supervisor.stop()
    watched.log.close()


def test_what_children_say_is_logged_with_their_names(watched: Watched) -> None:
    watched.supervisor.add(make_spec("one", SLEEP), make_spec("two", "import sys; sys.stderr.write('bad\\x1b[2J\\n')"))
    watched.until(lambda: "hello" in watched.text() and "bad" in watched.text())
    lines = [line.split(" ", 2)[2] for line in watched.text().splitlines()]
    assert "one                  | hello" in lines
    assert "two                  | bad[2J" in lines, "control characters are removed"


def test_a_child_that_dies_is_started_again_and_said_so(watched: Watched) -> None:
    (child,) = watched.supervisor.add(make_spec("worker opencv-telea", SLEEP))
    child.kill()
    watched.until(lambda: watched.supervisor.child("worker opencv-telea") is not child)
    assert "worker opencv-telea was ended by SIGKILL, starting it again in 0.5 s" in watched.text()
    (record,) = watched.records[-1]
    assert record.restarts == 1
    assert record.process.alive()


def test_a_child_that_leaves_with_status_0_is_started_again(watched: Watched) -> None:
    watched.supervisor.add(make_spec("worker", "pass"))
    watched.until(lambda: bool(watched.records) and watched.records[-1][0].restarts == 1)
    assert "worker exited with status 0, starting it again in 0.5 s" in watched.text()


def test_pauses_double_up_to_the_longest(watched: Watched, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(supervisor_module, "FIRST_PAUSE_S", 0.01)
    monkeypatch.setattr(supervisor_module, "LONGEST_PAUSE_S", 0.05)
    watched.supervisor.add(make_spec("w", "raise SystemExit(3)"))
    watched.until(lambda: watched.text().count("exited") >= 5)
    pauses = [line.rsplit(" in ", 1)[1] for line in watched.text().splitlines() if "exited with status 3" in line]
    assert pauses[:5] == ["0.01 s", "0.02 s", "0.04 s", "0.05 s", "0.05 s"]


def test_the_pause_begins_anew_after_a_steady_time(watched: Watched, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(supervisor_module, "FIRST_PAUSE_S", 0.01)
    monkeypatch.setattr(supervisor_module, "STEADY_AFTER_S", 0.0)
    watched.supervisor.add(make_spec("w", "raise SystemExit(3)"))
    watched.until(lambda: watched.text().count("exited") >= 3)
    assert watched.text().count("again in 0.01 s") >= 3


def test_stages_stop_in_the_opposite_order(watched: Watched) -> None:
    # os.write and not print: the signal may arrive while another print is under way, which cannot be entered twice.
    note = "import os, signal, sys, time\ndef stop(*_):\n os.write(1, b'leaving\\n'); sys.exit()\n"
    note += "signal.signal(15, stop); print('up', flush=True); time.sleep(60)"
    for name in ("server", "relay", "worker"):
        watched.supervisor.add(make_spec(name, note))
    watched.until(lambda: watched.text().count("| up") == 3)
    watched.supervisor.stop()
    left = [line.split()[2] for line in watched.text().splitlines() if "leaving" in line]
    assert left == ["worker", "relay", "server"]
    assert not any(record.process.alive() for records in watched.records for record in records)
    assert watched.records[-1] == ()


def test_a_child_that_does_not_stop_is_killed_after_its_grace(watched: Watched) -> None:
    watched.supervisor.add(make_spec("deaf", STUBBORN, grace_s=0.3))
    watched.until(lambda: "| deaf" in watched.text())
    began = time.monotonic()
    watched.supervisor.stop()
    assert 0.3 <= time.monotonic() - began < 5
    assert watched.text().count("deaf did not stop within 0.3 s, killing it") == 1


def test_a_second_request_to_stop_does_not_wait(watched: Watched) -> None:
    watched.supervisor.add(make_spec("deaf", STUBBORN, grace_s=60))
    watched.until(lambda: "| deaf" in watched.text())
    watched.hurry = True
    began = time.monotonic()
    watched.supervisor.stop()
    assert time.monotonic() - began < 5


def test_what_a_child_leaves_behind_is_ended_with_it(watched: Watched) -> None:
    code = (
        "import subprocess, sys\n"
        "print(subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(60)']).pid, flush=True)\n"
        "import time; time.sleep(60)"
    )
    (child,) = watched.supervisor.add(make_spec("parent", code))
    watched.until(lambda: bool(child.said))
    grandchild = ProcessId.of(int(child.said[0]))
    assert grandchild.alive()
    watched.supervisor.stop()
    assert grandchild.wait(5)


def test_a_program_that_is_not_there_is_said_in_the_log(watched: Watched) -> None:
    watched.supervisor.add(ChildSpec("ghost", ("/nowhere/ghost",), {}))
    watched.until(lambda: "exited with status 127" in watched.text())
    assert "cannot start /nowhere/ghost: [Errno 2] No such file or directory" in watched.text()


def test_children_have_default_signal_handling_and_no_terminal(watched: Watched) -> None:
    # Not Python: it changes some of these itself.
    script = "grep -E 'Sig(Ign|Blk)' /proc/self/status; readlink /proc/self/fd/0"
    (child,) = watched.supervisor.add(ChildSpec("sh", ("/bin/sh", "-c", script), {"PATH": "/usr/bin:/bin"}))
    watched.until(lambda: len(child.said) == 3)
    # Signals from 32 on belong to the C library, and are as whoever runs the tests has them.
    blocked, ignored = (int(line.split()[1], 16) & 0x7FFF_FFFF for line in list(child.said)[:2])
    assert (blocked, ignored) == (0, 0)
    assert child.said[2] == "/dev/null"


def test_exits_are_described_in_words() -> None:
    assert describe_exit(0) == "exited with status 0"
    assert describe_exit(-signal.SIGSEGV) == "was ended by SIGSEGV"
    assert describe_exit(-60) == "was ended by signal 60"
