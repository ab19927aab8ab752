"""One implementation on one picture, in a process of its own, so that its peak of memory is its own.

`python -m inpaint_benchmark.geometry.child IMPLEMENTATION PICTURE WIDTH HEIGHT ROUNDS` prints one JSON object.
"""

from __future__ import annotations

import gc
import json
import statistics
import sys
import time
from pathlib import Path

from inpaint_worker import memory

from inpaint_benchmark.geometry.scene import Scene, make_scene
from inpaint_benchmark.geometry.steps import IMPLEMENTATIONS, STEPS, Steps


def main(name: str, picture: str, width: int, height: int, rounds: int) -> dict[str, object]:
    """Median CPU milliseconds of each step, and the most memory that a round took, bytes."""
    scene = make_scene(Path(picture), width, height)
    implementation = IMPLEMENTATIONS[name]
    small = make_scene(Path(picture), 64, 64)
    for _ in implementation(small):  # imports, OpenCV's threads, lazily built tables
        pass
    gc.collect()
    before = _resident_bytes()
    counted = memory.reset_peak()
    taken = [_round(implementation, scene) for _ in range(rounds)]
    peak = memory.peak_bytes() if counted else None
    return {
        "cpu_ms": {step: statistics.median(each[step] for each in taken) for step in STEPS},
        "peak_bytes": peak - before if peak is not None else None,
    }


def _round(implementation: Steps, scene: Scene) -> dict[str, float]:
    taken: dict[str, float] = {}
    began = time.process_time()
    for step in implementation(scene):
        now = time.process_time()
        taken[step] = (now - began) * 1000
        began = time.process_time()
    return taken


def _resident_bytes() -> int:
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) * 1024
    return 0


if __name__ == "__main__":
    arguments = sys.argv[1:]
    print(json.dumps(main(arguments[0], arguments[1], *(int(number) for number in arguments[2:]))))
