"""The measurements of the geometry, one after the other, as text."""

from __future__ import annotations

import io
import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from inpaint_benchmark.geometry.encoders import measure_encoders
from inpaint_benchmark.geometry.scene import make_scene
from inpaint_benchmark.geometry.steps import STEPS

SIZES = ((1024, 1024), (4000, 3000))
#: What the whole CPU side of a job of 12 megapixels is to cost of the naive one, and its memory in decoded pictures.
AIM_SHARE, AIM_PICTURES = 1 / 6, 8


def measure_geometry(picture: Path, say: Callable[[str], None], *, quick: bool = False) -> dict[str, Any]:
    """Measure all sizes with `picture` as the photo. `quick`: one small size, once, to see that it works."""
    found: dict[str, Any] = {"sizes": [], "encoders": []}
    for width, height in ((256, 256),) if quick else SIZES:
        rounds = 1 if quick else 5
        say(f"{width}x{height}, CPU ms of each step (median of {rounds}), and the most memory")
        ours, naive = (_child(name, picture, width, height, rounds) for name in ("fleet", "naive"))
        size = _compare(width, height, ours, naive, say)
        found["sizes"].append(size)
    width, height = (256, 256) if quick else SIZES[-1]
    say(f"Encoders without loss, {width}x{height} RGB, CPU ms and MB")
    with Image.open(io.BytesIO(make_scene(picture, width, height).source)) as photo:
        pixels = np.asarray(photo)
    for name, took, size_bytes in measure_encoders(pixels, 1 if quick else 3):
        found["encoders"].append({"name": name, "cpu_ms": took, "bytes": size_bytes})
        say(f"  {name:<40}" + ("not installed" if took is None else f"{took:8.0f} {(size_bytes or 0) / 1e6:8.2f}"))
    return found


def _compare(width: int, height: int, ours: Any, naive: Any, say: Callable[[str], None]) -> dict[str, Any]:
    say(f"  {'':<12}{'fleet':>10}{'naive':>10}{'ratio':>8}")
    for step in STEPS:
        mine, other = ours["cpu_ms"][step], naive["cpu_ms"][step]
        say(f"  {step:<12}{mine:10.1f}{other:10.1f}{mine / max(other, 1e-9):8.2f}")
    mine, other = (sum(one["cpu_ms"].values()) for one in (ours, naive))
    say(f"  {'all':<12}{mine:10.1f}{other:10.1f}{mine / other:8.2f}   (aim at 12 megapixels: {AIM_SHARE:.2f})")
    decoded = width * height * 3
    pictures = None if ours["peak_bytes"] is None else ours["peak_bytes"] / decoded
    if pictures is not None:
        others = naive["peak_bytes"] / decoded
        say(f"  {'memory':<12}{pictures:9.1f}x{others:9.1f}x of the decoded picture (aim: under {AIM_PICTURES}x)")
    return {
        "width": width,
        "height": height,
        "fleet": ours,
        "naive": naive,
        "ratio": mine / other,
        "pictures": pictures,
    }


def _child(name: str, picture: Path, width: int, height: int, rounds: int) -> Any:
    command = [sys.executable, "-m", "inpaint_benchmark.geometry.child", name, str(picture)]
    command += [str(width), str(height), str(rounds)]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
    return json.loads(done.stdout)
