"""`inpaint bench gpu` from end to end with tiny models on the CPU: rows, deaths, going on, and a whole worker."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import nullcontext
from pathlib import Path

import jsonschema
import pytest
from inpaint_benchmark.gpu.cards import choose_cards
from inpaint_benchmark.gpu.journal import Journal
from inpaint_benchmark.gpu.modes import parse_modes
from inpaint_benchmark.gpu.orders import make_orders
from inpaint_benchmark.gpu.report import Report
from inpaint_benchmark.gpu.rows import Seconds, Throughput
from inpaint_benchmark.gpu.running import Run
from inpaint_core.catalogue import load_catalogue
from inpaint_core.settings import Settings

pytest.importorskip("diffusers")
MODEL, FIRST, SECOND = "stable-diffusion-2-inpainting", "none", "fuse-qkv"
_COMMAND = [sys.executable, "-m", "inpaint_fleet.cli", "bench", "gpu", "--tiny", "--device", "cpu"]
_QUICK = ["--models", MODEL, "--modes", f"{FIRST} {SECOND}", "--size", "256x256", "--steps", "2", "--repeats", "2"]
_HANG_S = 240


class Command:
    """The command as a process whose words can be waited for."""

    def __init__(self, *words: str) -> None:
        self.said: list[str] = []
        # Libraries say a lot, and a full pipe would stop who writes into it: it is read until its end.
        self.process = subprocess.Popen(
            [*_COMMAND, *words], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
        )
        assert self.process.stdout is not None
        self._lines: Iterator[str] = iter(self.process.stdout)

    def until(self, words: str) -> None:
        """Wait for a line that ends in these words."""
        for line in self._lines:
            self.said.append(line.rstrip())
            if self.said[-1].endswith(words):
                return
        raise AssertionError(f"ended before it said {words!r}:\n" + "\n".join(self.said))

    def end(self) -> int:
        """The exit code."""
        self.said += [line.rstrip() for line in self._lines]
        return self.process.wait(timeout=_HANG_S)

    def child(self) -> int:
        """The process id of its one child."""
        tasks = Path(f"/proc/{self.process.pid}/task").iterdir()
        (pid,) = (int(pid) for task in tasks for pid in (task / "children").read_text().split())
        return pid


@pytest.fixture
def command() -> Iterator[Callable[..., Command]]:
    """Start the command; what still runs at the end is killed."""
    started: list[Command] = []

    def start(*words: str) -> Command:
        started.append(Command(*words))
        return started[-1]

    yield start
    for each in started:
        if each.process.poll() is None:
            each.process.kill()
        each.process.wait()
        assert each.process.stdout is not None
        each.process.stdout.close()


def gone(pid: int) -> bool:
    """Whether the process is no more, or only waits to be told of."""
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        try:
            state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
        except (FileNotFoundError, ProcessLookupError):
            return True
        if state == "Z":
            return True
        time.sleep(0.05)
    return False


@pytest.mark.timeout(900)
def test_deaths_cost_a_row_at_most_and_the_same_command_goes_on(
    command: Callable[..., Command], tmp_path: Path
) -> None:
    out, scratch = tmp_path / "out", tmp_path / "scratch"
    out.mkdir()
    words = [*_QUICK, "--out", str(out), "--scratch", str(scratch)]
    killed = command(*words)
    killed.until(f"1 of 2: {MODEL}, {FIRST}, seconds: loading")
    os.kill(killed.child(), signal.SIGKILL)
    killed.until(f"2 of 2: {MODEL}, {SECOND}, seconds: loading")
    child = killed.child()
    killed.process.kill()
    assert gone(child), "what measures outlived the command"
    assert list(scratch.glob("compiled-*"))  # nobody was left who could remove it: the next call does
    (row,) = Journal(out).rows
    assert row.order.mode == FIRST
    assert row.failed is not None and "SIGKILL" in row.failed
    assert isinstance(row.measured, Seconds)
    assert row.measured.import_s is not None  # known before it died
    assert row.measured.unknown["image_s"]

    going_on = command(*words, "--usd-per-hour", "2")
    assert going_on.end() == 0, going_on.said
    assert not [line for line in going_on.said if f"{MODEL}, {FIRST}" in line]
    assert not list(scratch.glob("compiled-*"))
    assert going_on.said[-1] == str(out / "report.md")
    rows = Journal(out).rows
    assert [row.order.mode for row in rows] == [FIRST, SECOND]
    measured = rows[1].measured
    assert isinstance(measured, Seconds)
    assert rows[1].failed is None
    assert rows[1].painted == [(256, 256)]
    assert rows[1].parameters["steps"] == 2
    assert measured.image_s is not None and measured.image_s.min > 0
    assert measured.first_image_s is not None and measured.warm_s is not None
    assert measured.first_image_s > measured.warm_s
    assert measured.step_ms is not None and measured.load_s is not None
    assert measured.recompilations == 0
    assert measured.matmul is not None
    # A CPU has no GPU memory, and tiny models are not counted: null, never 0.
    assert measured.peak_allocated_gb is None and measured.tflop is None

    report = json.loads((out / "report.json").read_text())
    jsonschema.validate(report, Report.model_json_schema(mode="serialization"))
    assert report["sections"][0]["rows"][1]["derived"]["usd_per_1k"] == pytest.approx(
        measured.image_s.median / 3600 * 2 * 1000
    )
    text = (out / "report.md").read_text()
    assert "Random weights: time and memory only." in text
    assert "A CPU: what stands here shows that it works, and says nothing of a GPU." in text
    assert f"| `{MODEL}` | `{SECOND}` | 2 | 256x256 |" in text
    assert "Tiny models: these numbers show that it works" in text
    assert f"| `{MODEL}` | `{FIRST}` | seconds |" in text
    # Random weights are removed when their model is done, and what processes that were killed had compiled.
    assert not scratch.exists()
    assert {path.name for path in out.iterdir()} == {
        "rows.jsonl", "rows.lock", "report.md", "report.json", "times.json", "log.txt"
    }  # fmt: skip


@pytest.mark.timeout(900)
def test_a_whole_worker_with_a_tiny_model(settings: Settings, tmp_path: Path) -> None:
    orders, _ = make_orders(
        choose_cards([MODEL], load_catalogue()),
        parse_modes([FIRST]),
        ["throughput"],
        (256, 256),
        steps=2,
        repeats=2,
        tiny=True,
        device="cpu",
        weights="random",
    )
    told: list[str] = []
    journal = Journal(tmp_path)
    weights, scratch = tmp_path / "weights", tmp_path / "scratch"
    run = Run(journal, tmp_path, weights, scratch, load_catalogue(), lambda: nullcontext(settings), told.append)
    assert run.carry_out(orders) == []
    (throughput,) = journal.rows
    assert throughput.failed is None, throughput.failed
    found = throughput.measured
    assert isinstance(found, Throughput)
    assert found.jobs == found.loop_images == 2
    assert found.jobs_per_hour is not None and found.job_s == pytest.approx(3600 / found.jobs_per_hour)
    assert found.bare_s is not None and found.bare_after_s is not None
    assert found.share == pytest.approx((found.bare_s + found.bare_after_s) / 2 / found.job_s)
    assert found.busy is not None and 0 < found.busy <= 1
    assert throughput.painted == [(256, 256)]
    assert any("2 of 2 jobs" in line for line in told)
