"""Processes that measure, seen from the one that began them: what they found, and how they ended."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from inpaint_benchmark.gpu.child import Request
from inpaint_benchmark.gpu.scratch import compiled_folder

_MOST_REASON = 600


@dataclass(slots=True)
class Ending:
    """What a child told until it ended."""

    found: dict[str, Any] = field(default_factory=dict)
    #: Why it did not come to its end; None if it did.
    failed: str | None = None
    timed_out: bool = False
    wall_s: float = 0.0


def run_child(
    request: Request,
    told: Callable[[str], None],
    log: Path,
    scratch: Path,
    *,
    timeout_s: float | None = None,
    module: str = "inpaint_benchmark.gpu.child",
    variables: Mapping[str, str] | None = None,
    started: Callable[[int], None] = lambda _pid: None,
) -> Ending:
    """Run it to its end, or for `timeout_s`. What it writes to stderr is added to `log`; `started` gets its pid.

    What it compiles lies in `scratch` meanwhile.
    """
    began = time.monotonic()
    ending = Ending()
    over = threading.Event()
    log.parent.mkdir(parents=True, exist_ok=True)
    with compiled_folder(scratch) as compiled, log.open("ab") as stderr:
        order = request.order
        stderr.write(f"\n== {request.task}: {order.model}, {order.mode}, {order.what}\n".encode())
        stderr.flush()
        begins_at = stderr.tell()
        process = subprocess.Popen(
            [sys.executable, "-m", module, request.model_dump_json()],
            env=_environment(compiled, variables or {}),
            stdout=subprocess.PIPE,
            stderr=stderr,
            text=True,
            # Ctrl-C is for this process, which then ends the child.
            start_new_session=True,
        )

        def end() -> None:
            over.set()
            _kill(process)

        timer = threading.Timer(timeout_s, end) if timeout_s is not None else None
        if timer is not None:
            timer.start()
        complete = False
        try:
            started(process.pid)
            assert process.stdout is not None  # noqa: S101  (piped above)
            for line in process.stdout:
                complete |= _take(line, ending, told)
            process.wait()
        finally:
            if timer is not None:
                timer.cancel()
            _kill(process)
            process.wait()
            if process.stdout is not None:
                process.stdout.close()
    ending.wall_s = time.monotonic() - began
    if over.is_set() and not complete:
        ending.timed_out = True
        ending.failed = f"It did not end within {timeout_s:.0f} s and was ended."
    elif not complete and ending.failed is None:
        ending.failed = _death(process.returncode, log, begins_at)
    return ending


def _environment(compiled: Path, variables: Mapping[str, str]) -> dict[str, str]:
    found = {**os.environ, "HF_HUB_OFFLINE": "1", **variables}
    if "INPAINT_COMPILE_CACHE" not in found:
        # What another process has compiled would make the first image look quicker than that of a new machine.
        found |= {"TORCHINDUCTOR_CACHE_DIR": str(compiled), "TRITON_CACHE_DIR": str(compiled / "triton")}
    return found


def _take(line: str, ending: Ending, told: Callable[[str], None]) -> bool:
    """Heed a line of the child; whether it was the last."""
    try:
        event = json.loads(line)
    except ValueError:  # cut off by its death
        return False
    if "told" in event:
        told(event["told"])
    if "found" in event:
        unknown = {**ending.found.get("unknown", {}), **event["found"].pop("unknown", {})}
        ending.found |= event["found"] | ({"unknown": unknown} if unknown else {})
    if "failed" in event:
        ending.failed = str(event["failed"])
    return "ended" in event


def _kill(process: subprocess.Popen[str]) -> None:
    """With all that it has started: compilers, and what they started."""
    if process.poll() is None:
        try:
            os.killpg(process.pid, signal.SIGKILL)
        except ProcessLookupError:
            process.kill()


def _death(status: int, log: Path, begins_at: int) -> str:
    """How it ended, in words."""
    if status == -signal.SIGKILL:
        return "The process was killed (SIGKILL): the machine's memory did not suffice, or somebody ended it."
    if status < 0:
        return f"The process was ended by {signal.Signals(-status).name}. {_last_words(log, begins_at)}".strip()
    return f"The process ended with status {status}. {_last_words(log, begins_at)}".strip()


def _last_words(log: Path, begins_at: int) -> str:
    """What it wrote last into the log that others write into as well."""
    text = log.read_bytes()[begins_at:].decode(errors="replace")
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return " ".join(lines[-3:])[-_MOST_REASON:]
