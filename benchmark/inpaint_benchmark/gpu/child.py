"""One model in one mode, in a process of its own: what it leaves in memory, on the GPU or in torch ends with it.

`python -m inpaint_benchmark.gpu.child REQUEST` takes a `Request` as JSON, and writes a JSON object a line to stdout:
`told` is for whoever waits, `found` holds fields of the row, `failed` says why it ends early, `ended` that it is done.
"""

from __future__ import annotations

import ctypes
import json
import os
import signal
import sys
import time
import traceback
import warnings
from pathlib import Path
from typing import Any, Literal, TextIO

from inpaint_core.card import ModelCard
from inpaint_core.catalogue import load_catalogue
from inpaint_core.errors import InpaintError, MissingExtra
from inpaint_core.log import setup_logging
from inpaint_core.settings import Settings, load_settings
from inpaint_core.tiers import Tier
from pydantic import BaseModel, ConfigDict

from inpaint_benchmark.gpu.cards import bench_card
from inpaint_benchmark.gpu.modes import Mode
from inpaint_benchmark.gpu.orders import Order

_SET_PARENT_DEATH_SIGNAL = 1
_MOST_TEXT = 1000


class Request(BaseModel):
    """What a child is to do."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    task: Literal["machine", "write", "measure", "count"]
    order: Order
    #: Folder of weights as OWNER/REPO.
    weights: Path
    #: Of whom it dies with.
    parent: int
    #: For count: windows that were painted, pixels.
    painted: tuple[tuple[int, int], ...] = ()
    #: For a whole worker: of the jobs that it queues for itself.
    campaign: str = ""

    def settings(self) -> Settings:
        """Those of a worker that is started in the mode."""
        mode = Mode.parse(self.order.mode)
        return load_settings(
            weights_dir=self.weights,
            device=self.order.device,
            accelerate=mode.accelerate,
            tier=Tier.EXACT,  # jobs name theirs
            log_level="warning",
        )

    def card(self, settings: Settings) -> ModelCard:
        """The card that is measured."""
        return bench_card(load_catalogue(settings.catalogue).card(self.order.model), tiny=self.order.tiny)


class Teller:
    """Writes the lines. What libraries print goes to stderr meanwhile."""

    def __init__(self) -> None:
        self._out: TextIO = os.fdopen(os.dup(1), "w")
        os.dup2(2, 1)

    def told(self, text: str) -> None:
        """Something is under way."""
        self._write({"told": text})

    def found(self, **fields: Any) -> None:
        """Something is known."""
        self._write({"found": fields})

    def failed(self, reason: str) -> None:
        """It ends early."""
        self._write({"failed": reason})

    def ended(self) -> None:
        """It is done."""
        self._write({"ended": True})

    def _write(self, line: dict[str, Any]) -> None:
        self._out.write(json.dumps(line, default=str) + "\n")
        self._out.flush()


def main() -> int:
    """Do what the request says."""
    request = Request.model_validate_json(sys.argv[1])
    die_with(request.parent)
    teller = Teller()
    # What libraries warn of concerns their own use of each other; a filter for errors of a test would end this process.
    warnings.simplefilter("ignore")
    try:
        settings = request.settings()
        setup_logging(settings)
        _TASKS[request.task](request, settings, teller)
    except InpaintError as error:
        teller.failed(error.message)
        return 1
    except Exception as error:  # noqa: BLE001  (whatever it is, it is the row's reason)
        traceback.print_exc()
        teller.failed(f"{type(error).__name__}: {' '.join(str(error).split())}"[:_MOST_TEXT])
        return 1
    teller.ended()
    return 0


def die_with(parent: int) -> None:
    """End this process as soon as that one has ended, however that was."""
    ctypes.CDLL(None).prctl(_SET_PARENT_DEATH_SIGNAL, signal.SIGKILL)
    if os.getppid() != parent:
        os._exit(1)


def _machine(request: Request, settings: Settings, teller: Teller) -> None:
    from inpaint_benchmark.gpu.machine import describe_machine

    teller.found(machine=describe_machine(request.card(settings), settings).model_dump())


def _write(request: Request, settings: Settings, teller: Teller) -> None:
    from inpaint_benchmark.gpu.random_weights import write_weights

    card, order = request.card(settings), request.order
    _need_packages(card)
    write_weights(card, request.weights, tiny=order.tiny, device=order.device, told=teller.told)


def _measure(request: Request, settings: Settings, teller: Teller) -> None:
    card, order = request.card(settings), request.order
    _need_packages(card)
    began = time.perf_counter()
    import torch
    from inpaint_worker.page_cache import cached_share
    from inpaint_worker.pipelines import build_pipeline
    from inpaint_worker.resident import Resident

    if order.tiny:
        torch.set_num_threads(1)  # they would wait for each other longer than such small models take
    pipeline = build_pipeline(card, settings)
    teller.found(import_s=time.perf_counter() - began)
    from inpaint_benchmark.gpu.cropping import measure_cropping
    from inpaint_benchmark.gpu.jobs import Bench, TimedPipeline
    from inpaint_benchmark.gpu.seconds import measure_seconds

    parameters = card.resolve({} if order.steps is None else {"steps": order.steps})
    teller.found(parameters=parameters)
    files = weight_files(card, request.weights)
    teller.found(
        page_cache=cached_share(files),
        weights_gb=sum(path.stat().st_size for path in files) / 1e9 or None,
        unknown={"page_cache": "the system does not tell", "weights_gb": "there are no files of weights"},
    )
    resident = Resident(TimedPipeline(pipeline, teller.found, teller.told))
    resident.load()
    bench = Bench(resident, settings, parameters, Mode.parse(order.mode).tier)
    measure = measure_seconds if order.what == "seconds" else measure_cropping
    measure(order, bench, teller.found, teller.told)


def _count(request: Request, settings: Settings, teller: Teller) -> None:
    from inpaint_benchmark.gpu.counting import count_job

    card, order = request.card(settings), request.order
    parameters = card.resolve({} if order.steps is None else {"steps": order.steps})
    for width, height in dict.fromkeys(request.painted):
        job = count_job(card, width, height, parameters)
        tflop_of = {name: part.flops / 1e12 for name, part in job.components.items() if part.flops}
        teller.found(**{f"{width}x{height}": {"tflop": job.flops / 1e12, "tflop_of": tflop_of}})


_TASKS = {"machine": _machine, "write": _write, "measure": _measure, "count": _count}


def weight_files(card: ModelCard, folder: Path) -> list[Path]:
    """The files with numbers that an edit without guides reads."""
    found: set[Path] = set()
    for weights in card.weights.values():
        root = folder / weights.repo
        if weights.needed_for is not None:
            continue
        if weights.file is not None:
            found.add(root / weights.file)
            continue
        for part in [root / name for name in weights.folders] or [root]:
            found.update(part.rglob("*.safetensors"))
    return sorted(path for path in found if path.is_file())


def _need_packages(card: ModelCard) -> None:
    from importlib.util import find_spec

    if card.quantisation == "nf4" and find_spec("bitsandbytes") is None:
        raise MissingExtra(
            f"{card.name} has 4-bit weights, which need the package bitsandbytes. It is not installed: "
            "pip install 'inpaint-fleet[diffusers]'"
        )


if __name__ == "__main__":
    sys.exit(main())
