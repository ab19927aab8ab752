"""A real worker around a pipeline that does what the prompt of a job says: `sleep 3`, `hang`, `raise`, `break`, `die`.

Run as a process: everything but the pipeline is the fleet's own. `SlowWorker` starts it from a test.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from datetime import date
from pathlib import Path

import numpy as np
from inpaint_core.card import ModelCard, PromptUse
from inpaint_core.catalogue import Catalogue
from inpaint_core.errors import GpuContextBroken, GpuOutOfMemory
from inpaint_core.log import setup_logging
from inpaint_core.s3 import S3Store
from inpaint_core.settings import Settings, load_settings
from inpaint_core.tiers import Tier, TierUse
from inpaint_worker.pipelines.base import Work
from processes import WorkerProcess

CARD = ModelCard(
    name="test-slow",
    title="Slow",
    summary="Does what the prompt says.",
    family="test",
    architecture="none",
    source="none",
    licence="Apache-2.0",
    released=date(2026, 1, 1),
    device="cpu",
    prompt=PromptUse.OPTIONAL,
    tiers={Tier.FAST: TierUse(step_cache=0.1)},
    deterministic=True,
)
CATALOGUE = Catalogue({CARD.name: CARD})
STEP_S = 0.05


class SlowPipeline:
    """Sleeps in steps of 50 ms, and inverts what the mask marks; in the tier fast, it is a little off."""

    card = CARD
    work: Work | None = None

    def load(self) -> None:
        """Nothing to load; with SLOW_LOAD, torch computes without end."""
        if os.environ.get("SLOW_LOAD"):
            import torch

            numbers = torch.ones(300, 300)
            while True:
                numbers = torch.mm(numbers, numbers) * 0

    def described(self) -> dict[str, object]:
        """Nothing that could change a picture."""
        return {}

    def warm(self) -> None:
        """Nothing to warm."""

    def run(self, edit, on_step):  # type: ignore[no-untyped-def]
        """Obey the prompt."""
        what, _, amount = edit.prompt.partition(" ")
        if what == "raise":
            raise RuntimeError("the model library is unhappy")
        if what == "memory" and (amount == "always" or not edit.save_memory):
            raise GpuOutOfMemory
        if what == "break":
            raise GpuContextBroken
        if what == "die":
            os.kill(os.getpid(), signal.SIGKILL)
        if what == "hang":  # one call that does not return
            time.sleep(float(amount or 3600))
        steps = int(float(amount) / STEP_S) if what == "sleep" else 1
        for step in range(steps):
            on_step(step, steps)
            time.sleep(STEP_S)
        on_step(steps, steps)
        # Everything changes, so that a pixel kept outside the mask is the worker's merit.
        painted = np.asarray(255 - edit.image, np.uint8)
        self.work = None if edit.tier is Tier.EXACT else Work(4, 3)
        return painted if edit.tier is Tier.EXACT else painted ^ np.uint8(8)


class SlowWorker(WorkerProcess):
    """This module as a process in a group of its own."""

    def __init__(self, env: dict[str, str], settings: Settings, log: Path) -> None:
        super().__init__(CARD.name, env, settings, log)

    def _start(self, env: dict[str, str]) -> subprocess.Popen[bytes]:
        with self.log.open("wb") as output:
            return subprocess.Popen(
                [sys.executable, __file__],
                env=env,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )


def main() -> int:
    """Serve until told to stop."""
    from inpaint_worker.serve import run_worker

    settings = load_settings()
    setup_logging(settings)
    return run_worker(settings, CARD, SlowPipeline(), S3Store(settings))


if __name__ == "__main__":
    sys.exit(main())
