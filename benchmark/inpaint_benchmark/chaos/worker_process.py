"""The worker under test: the fleet's own, around a pipeline that obeys the prompt and beside a log of its claims.

Run as a process. `work 0.3` takes so many seconds in steps, `die` kills the process, `hang` is a call that does not
return.
"""

from __future__ import annotations

import argparse
import os
import signal
import sys
import threading
import time
from pathlib import Path
from typing import Any, cast

import numpy as np
from inpaint_core.card import ModelCard
from inpaint_core.log import setup_logging
from inpaint_core.s3 import S3Store
from inpaint_core.settings import load_settings
from inpaint_worker import heartbeat
from inpaint_worker.arrays import Pixels
from inpaint_worker.outcome import Outcome
from inpaint_worker.pipelines import Edit, StepCallback
from inpaint_worker.serve import run_worker
from inpaint_worker.task import JobRunner

from inpaint_benchmark.chaos.claim_log import ClaimLog
from inpaint_benchmark.chaos.sabotage import CHOICES, break_on_purpose, spoiled
from inpaint_benchmark.chaos.scene import chaos_card

_STEP_S = 0.05


class ChaosPipeline:
    """Sleeps in steps of 50 ms, as a GPU call without the GIL; then inverts what the mask marks."""

    def __init__(self, card: ModelCard) -> None:
        self.card = card

    def load(self) -> None:
        """Nothing to load."""

    def described(self) -> dict[str, object]:
        """Nothing that could change a picture."""
        return {}

    def warm(self) -> None:
        """Nothing to warm."""

    def run(self, edit: Edit, on_step: StepCallback) -> Pixels:
        """Obey the prompt."""
        what, _, amount = edit.prompt.partition(" ")
        if what == "die":
            os.kill(os.getpid(), signal.SIGKILL)
        if what == "hang":
            time.sleep(3600)
        steps = max(1, int(float(amount or 0) / _STEP_S))
        for step in range(steps):
            if amount:
                time.sleep(_STEP_S)
            on_step(step + 1, steps)
        return np.asarray(255 - edit.image, np.uint8)


def keep_log(log: ClaimLog) -> None:
    """Note every claim, every renewal that was granted, and every wish to end an attempt."""
    runner, beat, outcome = cast(Any, (JobRunner, heartbeat, Outcome))
    claim, renew, write = runner._claim, beat.renew, outcome._write

    def noted_claim(self: Any, job_id: Any) -> Any:
        asked = time.time()
        claimed = claim(self, job_id)
        if claimed is not None:
            log.note("claimed", claimed.job_id, claimed.number, asked)
        return claimed

    def noted_renew(*args: Any, **kwargs: Any) -> Any:
        asked = time.time()
        answer = renew(*args, **kwargs)
        for job_id, number in answer.held:
            log.note("renewed", job_id, number, asked)
        return answer

    def noted_write(self: Any, statement: Any) -> Any:
        job_id, number = self.attempt.key
        log.note("letting_go", job_id, number, time.time())
        return write(self, statement)

    runner._claim, beat.renew, outcome._write = noted_claim, noted_renew, noted_write


def end_with_parent() -> None:
    """A run that is killed leaves no workers behind."""
    parent = os.getppid()

    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(1)
        os._exit(1)

    threading.Thread(target=watch, daemon=True, name="parent watch").start()


def main() -> int:
    """Serve until SIGTERM."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("model")
    parser.add_argument("--log", type=Path, help="folder for the log of claims")
    parser.add_argument("--sabotage", choices=CHOICES, default="none")
    options = parser.parse_args()
    end_with_parent()
    settings = load_settings()
    setup_logging(settings)
    break_on_purpose(options.sabotage)
    cast(Any, S3Store).put = spoiled(S3Store.put, options.sabotage)
    if options.log:
        keep_log(ClaimLog(options.log / f"claims-{os.getpid()}-{time.time_ns()}.jsonl"))
    card = chaos_card(options.model)
    return run_worker(settings, card, ChaosPipeline(card), S3Store(settings))


if __name__ == "__main__":
    sys.exit(main())
