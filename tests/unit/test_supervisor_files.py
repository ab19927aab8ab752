"""What the supervisor keeps on disk: log, lock, passwords, records."""

from __future__ import annotations

import errno
import io
import os
import shutil
import socket
import stat
import subprocess
import sys
from collections import namedtuple
from pathlib import Path
from signal import SIGTERM

import pytest
from inpaint_core.errors import DiskFull, StackError
from inpaint_fleet.local import folder as folder_module
from inpaint_fleet.local import ports, private, stacklog, state
from inpaint_fleet.local.folder import DataFolder, disk_errors, write_private
from inpaint_fleet.local.lock import hold_lock
from inpaint_fleet.local.processes import ProcessId
from inpaint_fleet.local.stack_file import write_stack_file
from inpaint_fleet.local.stacklog import StackLog


@pytest.fixture
def folder(tmp_path: Path) -> DataFolder:
    folder = DataFolder(tmp_path / "data")
    folder.prepare()
    return folder


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_everything_is_for_the_owner_alone_whatever_the_umask(tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        folder = DataFolder(tmp_path / "data")
        folder.prepare()
        write_stack_file(folder, {"s3_bucket": 'a"b\\'})
        private.write_private_file(folder, private.Private())
        state.write_record(folder, state.new_record())
        with StackLog(folder.log_file) as log:
            log.say("hello")
        with hold_lock(folder):
            pass
    finally:
        os.umask(before)
    assert mode(folder.root) == mode(folder.log_file.parent) == 0o700
    files = [path for path in folder.root.rglob("*") if path.is_file()]
    assert {path.name for path in files} == {"stack.toml", "private.json", "state.json", "lock", "inpaint.log"}
    assert {mode(path) for path in files} == {0o600}


def test_a_failed_write_leaves_the_old_file_and_no_other(folder: DataFolder, monkeypatch: pytest.MonkeyPatch) -> None:
    write_private(folder.private_file, "old")

    def full(_descriptor: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(DiskFull, match=r"The disk of .* is full .* INPAINT_DATA_DIR"):
        write_private(folder.private_file, "new")
    assert folder.private_file.read_text() == "old"
    assert {path.name for path in folder.root.iterdir()} == {"private.json", "logs"}


def test_too_little_space_is_refused_at_the_start(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    usage = namedtuple("usage", "total used free")(10**9, 9 * 10**8, 10**8)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage)
    with pytest.raises(DiskFull, match="100 MB are free, 200 MB are needed"):
        DataFolder(tmp_path / "data").prepare()


def test_a_folder_that_cannot_be_made_is_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(StackError, match=r"cannot be used.*--data-dir"):
        DataFolder(tmp_path / "file" / "data").prepare()
    with pytest.raises(StackError, match=r"cannot be used.*--data-dir"):
        DataFolder(tmp_path / "file").prepare()


def test_other_errors_of_the_file_system_pass(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError), disk_errors(tmp_path):
        (tmp_path / "missing").read_text()


def test_the_lock_is_refused_to_a_second_process_and_names_the_first(folder: DataFolder) -> None:
    wanted = rf"process {os.getpid()}.*inpaint down"
    with hold_lock(folder), pytest.raises(StackError, match=wanted) as caught, hold_lock(folder):
        pass
    assert caught.value.pid == os.getpid()
    with hold_lock(folder):
        pass


def test_a_child_does_not_keep_the_lock(folder: DataFolder) -> None:
    code = "import time; print('up', flush=True); time.sleep(60)"
    with hold_lock(folder):
        child = subprocess.Popen([sys.executable, "-c", code], close_fds=False, stdout=subprocess.PIPE)
        assert child.stdout
        child.stdout.readline()
    try:
        with hold_lock(folder):
            pass
    finally:
        child.kill()
        child.communicate()


def test_passwords_and_ports_are_kept(folder: DataFolder) -> None:
    first = private.Private()
    first.choose_ports()
    private.write_private_file(folder, first)
    again = private.read_private(folder)
    assert again == first
    assert first.redis_password not in repr(first)
    assert len({first.redis_password, first.postgres_password, first.s3_secret_key, first.flower_password}) == 4


def test_a_port_that_somebody_took_is_replaced(folder: DataFolder) -> None:
    mine = private.Private()
    mine.choose_ports()
    before = (mine.redis_port, mine.postgres_port, mine.s3_port)
    with socket.create_server(("127.0.0.1", mine.redis_port)):
        mine.choose_ports()
    assert mine.redis_port != before[0]
    assert (mine.postgres_port, mine.s3_port) == before[1:]
    assert len({mine.redis_port, mine.postgres_port, mine.s3_port, mine.flower_port}) == 4
    assert mine.redis_port in ports.RANGE


def test_damaged_passwords_are_not_silently_replaced(folder: DataFolder) -> None:
    folder.private_file.write_text("{")
    with pytest.raises(StackError, match="damaged"):
        private.read_private(folder)


def test_a_record_survives_writing_and_reading(folder: DataFolder) -> None:
    record = state.new_record()
    child = state.ChildRecord("relay", ProcessId.of(os.getpid()), record.started_at, 2, SIGTERM)
    record = state.StackRecord(record.supervisor, record.started_at, {"Redis": "127.0.0.1:1"}, (child,), ready=True)
    state.write_record(folder, record)
    assert state.read_record(folder) == record
    folder.state_file.write_text('{"supervisor": 3}')
    assert state.read_record(folder) is None


def test_orphans_are_ended_but_not_whoever_has_their_pid_now() -> None:
    sleep = "import signal, time; signal.signal(15, signal.SIG_IGN); print('up', flush=True); time.sleep(60)"
    orphan, stranger = (
        subprocess.Popen([sys.executable, "-c", sleep], stdout=subprocess.PIPE, start_new_session=True)
        for _ in range(2)
    )
    now = state.new_record().started_at
    theirs = ProcessId.of(stranger.pid)
    earlier = ProcessId(theirs.pid, theirs.start_ticks - 1, theirs.boot)
    other_boot = ProcessId(theirs.pid, theirs.start_ticks, "another boot")
    try:
        for process in (orphan, stranger):
            assert process.stdout
            process.stdout.readline()
        records = [
            state.ChildRecord(name, process, now, 0, SIGTERM)
            for name, process in (("worker", ProcessId.of(orphan.pid)), ("relay", earlier), ("redis", other_boot))
        ]
        assert state.end_orphans(records, grace_s=0.2) == ["worker"]
        assert orphan.wait(5) == -9
        assert stranger.poll() is None
    finally:
        for process in (orphan, stranger):
            process.kill()
            process.communicate()


def test_the_log_is_set_aside_when_it_grows(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stacklog, "MAX_BYTES", 1000)
    with StackLog(tmp_path / "log") as log:
        for number in range(201):
            log.line("redis", f"line {number}")
        log.say("the last")
    assert {path.name for path in tmp_path.iterdir()} == {"log", "log.1", "log.2", "log.3"}
    assert all(path.stat().st_size < 1200 for path in tmp_path.iterdir())
    assert "the last" in (tmp_path / "log").read_text()
    assert "line 200" in (tmp_path / "log").read_text() + (tmp_path / "log.1").read_text()


@pytest.mark.parametrize(
    ("said", "logged"),
    [
        ("2026-11-22T10:51:56.123456Z [info ] job_finished", "[info ] job_finished"),
        ("11082:M 22 Nov 2026 10:51:56.123 # Server started", "# Server started"),
        ('{"event": "x", "timestamp": "2026-11-22T10:51:56Z"}', '{"event": "x", "timestamp": "2026-11-22T10:51:56Z"}'),
    ],
)
def test_a_childs_own_time_is_not_repeated(tmp_path: Path, said: str, logged: str) -> None:
    echo = io.StringIO()
    with StackLog(tmp_path / "log", echo) as log:
        log.line("x", said)
    assert echo.getvalue().split(" | ", 1)[1] == logged + "\n"
    assert "\x1b" not in echo.getvalue(), "no colors where there is no terminal"


def test_a_full_disk_or_a_closed_terminal_does_not_stop_the_log(tmp_path: Path) -> None:
    class Closed(io.StringIO):
        def write(self, _text: str) -> int:
            raise BrokenPipeError(errno.EPIPE, "Broken pipe")

    log = StackLog(tmp_path / "no" / "such" / "folder", Closed())
    log.say("one")
    log.say("two")


def test_free_bytes_of_a_folder_that_does_not_exist_yet(tmp_path: Path) -> None:
    assert folder_module.free_bytes(tmp_path / "a" / "b") > 0
