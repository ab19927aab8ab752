"""What `inpaint bench gpu` does in the process that measures: as a worker would, and nothing that flatters."""

from __future__ import annotations

import functools
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from accelerated import SD2, WRITERS, load_small
from inpaint_benchmark.gpu.compiled import graphs, not_compiled
from inpaint_benchmark.gpu.cropping import measure_cropping
from inpaint_benchmark.gpu.gpu_state import watched
from inpaint_benchmark.gpu.jobs import Bench, TimedPipeline
from inpaint_benchmark.gpu.matmul import matmul_rate
from inpaint_benchmark.gpu.orders import Order
from inpaint_benchmark.gpu.rows import Cropping, Rate, Seconds
from inpaint_benchmark.gpu.seconds import measure_seconds
from inpaint_benchmark.gpu.worker_process import FEWEST, MOST, images_in_a_loop
from inpaint_core.settings import load_settings
from inpaint_core.tiers import Tier
from inpaint_worker.pipelines import Pipeline
from inpaint_worker.resident import Resident

THREADS = ("load", "warm", "run")


class Kept:
    """What was found."""

    def __init__(self) -> None:
        self.found: dict[str, Any] = {"unknown": {}}

    def __call__(self, **fields: Any) -> None:
        self.found["unknown"] |= fields.pop("unknown", {})
        self.found |= {name: value for name, value in fields.items() if name not in ("runtime", "painted")}


def noted(threads: list[int], method: Callable[..., Any], *args: Any) -> Any:
    """Call it, and note the thread."""
    threads.append(threading.get_ident())
    return method(*args)


@pytest.fixture(scope="module")
def loaded(tmp_path_factory: pytest.TempPathFactory) -> tuple[Pipeline, dict[str, list[int]]]:
    """A tiny Stable Diffusion 2, and the threads that loaded, warmed and ran it."""
    root = tmp_path_factory.mktemp("weights")
    WRITERS[SD2](root)
    pipeline = load_small(SD2, root)
    called: dict[str, list[int]] = {name: [] for name in THREADS}
    for name in THREADS:
        setattr(pipeline, name, functools.partial(noted, called[name], getattr(pipeline, name)))
    return pipeline, called


def bench(pipeline: Pipeline, kept: Kept, told: list[str]) -> Bench:
    resident = Resident(TimedPipeline(pipeline, kept, told.append))
    resident.load()
    return Bench(resident, load_settings(device="cpu"), pipeline.card.resolve({"steps": 1}), Tier.EXACT)


def an_order(what: str, width: int, height: int) -> Order:
    values = {"what": what, "model": SD2, "mode": "none", "width": width, "height": height, "steps": 1, "repeats": 1}
    return Order.model_validate({**values, "tiny": True, "device": "cpu", "weights": "random"})


def test_everything_runs_through_the_workers_object_on_the_thread_that_loaded(
    loaded: tuple[Pipeline, dict[str, list[int]]],
) -> None:
    pipeline, called = loaded
    for threads in called.values():
        threads.clear()
    kept = Kept()
    measure_seconds(an_order("seconds", 128, 128), bench(pipeline, kept, []), kept, lambda _text: None)
    # The first image, a steady one, and one for the steps.
    assert [len(called[name]) for name in THREADS] == [1, 1, 4]  # to warm is to run as well
    (thread,) = {ident for threads in called.values() for ident in threads}
    assert thread != threading.get_ident()
    found = Seconds.of(kept.found, "it was not reached")
    assert found.warm_s is not None and found.first_image_s is not None and found.first_image_s > found.warm_s
    assert found.not_compiled == 0
    assert found.matmul is not None and found.matmul_before is not None
    assert found.unknown["gpu_state"] == "measured on a GPU only"


def test_each_image_of_each_way_to_crop_pays_for_the_text_encoder(
    loaded: tuple[Pipeline, dict[str, list[int]]], monkeypatch: pytest.MonkeyPatch
) -> None:
    pipeline: Any = loaded[0]
    kept, told = Kept(), list[str]()
    ready = bench(pipeline, kept, told)
    encoder, calls = pipeline.pipe.text_encoder, list[str]()
    forward = encoder.forward
    monkeypatch.setattr(encoder, "forward", lambda *a, **k: (calls.append(told[-1]), forward(*a, **k))[1])
    measure_cropping(an_order("cropping", 400, 300), ready, kept, told.append)
    # A new prompt each: for the image that is not timed and the one that is.
    counts = [calls.count(name) for name in dict.fromkeys(calls)]
    # Each is encoded beside what is to be avoided.
    assert counts == [4, 4, 4, 4]
    cases = Cropping.of(kept.found, "it was not reached").cases
    assert cases is not None
    assert [round(case.masked, 2) for case in cases] == [0.10, 0.03, 0.01, 0.01]
    assert cases[3].windows != cases[2].windows


def test_what_ran_without_being_compiled_is_seen() -> None:
    torch.compiler.reset()
    compiled = torch.compile(lambda x: x * 2 + 1, backend="eager", dynamic=False)
    before, graphs_before = not_compiled(), graphs()
    # Not by monkeypatch, which gives torch's settings back in a way that hides them from then on.
    with torch._dynamo.config.patch(recompile_limit=1):
        compiled(torch.ones(2))
        assert (graphs() - graphs_before, not_compiled() - before) == (1, 0)
        compiled(torch.ones(3))
        assert (graphs() - graphs_before, not_compiled() - before) == (1, 1)
    torch.compiler.reset()


@pytest.fixture
def nvidia_smi(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A program of that name, which tells what stands in the file `told`."""
    program = tmp_path / "nvidia-smi"
    # The last line is cut off by the end.
    program.write_text(f'#!/bin/sh\necho "$@" > {tmp_path}/asked\ncat {tmp_path}/told\nexec sleep 600\n')
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")
    return tmp_path


def wait_for(path: Path) -> None:
    pause = threading.Event()
    for _ in range(600):
        if path.is_file() and path.read_text():
            pause.wait(0.2)
            return
        pause.wait(0.05)
    raise AssertionError(f"{path} did not come")


def test_clock_power_and_temperature_are_those_while_it_worked(nvidia_smi: Path) -> None:
    (nvidia_smi / "told").write_text("1700, 600.5, 55\n1500, 650.5, 61\n1710, 640.0, 60\n[N/A], [N/A], 60\n17")
    with watched("GPU-7") as state:
        wait_for(nvidia_smi / "asked")
    assert state.found == {
        "gpu_state": {
            "clock_mhz": 1700,
            "lowest_clock_mhz": 1500,
            "power_w": 640.0,
            "temperature_c": 61,
            "samples": 3,
        }
    }
    assert "--id=GPU-7" in (nvidia_smi / "asked").read_text()


def test_without_nvidia_smi_the_reason_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with watched("0") as state:
        pass
    assert state.found["unknown"]["gpu_state"].startswith("nvidia-smi cannot be run")


def test_the_yardstick_says_how_long_it_was_held_against() -> None:
    assert Rate.model_validate(matmul_rate("cpu")).lasted_s > 0.01


@pytest.mark.parametrize(("image_s", "count"), [(0.001, MOST), (0.5, 120), (7.5, 8), (100.0, FEWEST)])
def test_a_loop_lasts_about_a_minute_and_has_images_enough(image_s: float, count: int) -> None:
    assert images_in_a_loop(image_s) == count
