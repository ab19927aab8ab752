"""What each model weighs and computes, kept in `figures.json`: a change that makes a job dearer is seen without a GPU.

`python -m inpaint_benchmark.gpu.figures` counts anew and writes the file; a test compares it with what is counted.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from dataclasses import asdict
from importlib.resources import files
from pathlib import Path
from typing import Any

from inpaint_core.card import ModelCard
from inpaint_core.catalogue import load_catalogue
from inpaint_core.edit import Detail
from inpaint_worker.geometry.buckets import shapes

from inpaint_benchmark.gpu.counting import JobCount, count_job
from inpaint_benchmark.gpu.figures_file import FILE

#: What to do where a difference is meant.
REWRITE = "make gpu-figures"
#: Sides of squares, pixels, and the model whose steps in them are counted: what cropping to the mask saves.
CROPPED, CROPPED_SIDES = "flux-1-fill-dev", (512, 768, 1024, 1536)
_UNITS = {"flops": (1e12, "TFLOP"), "bytes": (1e9, "GB"), "parameters": (1e9, "billion numbers")}


def counted_cards() -> list[ModelCard]:
    """Those of the catalogue that run on a GPU."""
    return [card for card in load_catalogue().values() if card.device == "cuda"]


def favourite(card: ModelCard) -> tuple[int, int]:
    """Width and height of the squarest shape in the model's native area, pixels: the one that workers warm up with."""
    return min(shapes(card.size, Detail.NATIVE), key=lambda shape: abs(shape[0] - shape[1]))


def count(card: ModelCard) -> dict[str, Any]:
    """The figures of a card: one job at its defaults in its favourite shape."""
    return _told(count_job(card, *favourite(card)))


def count_cropped() -> dict[str, int]:
    """FLOPs of one step of `CROPPED`, by the side of the square."""
    card = load_catalogue()[CROPPED]
    counted = {str(side): count_job(card, side, side, {"steps": 1}) for side in CROPPED_SIDES}
    return {side: found.components["transformer"].flops for side, found in counted.items()}


def differences(model: str, before: Mapping[str, Any], now: Mapping[str, Any]) -> list[str]:
    """A line for each figure of a model that is not what was stored."""
    lines = [
        f"{model}: {name} was {before.get(name)} and is {now[name]}."
        for name in ("width", "height", "parameters")
        if before.get(name) != now[name]
    ]
    old, new = before.get("components", {}), now["components"]
    lines += [f"{model}: the network {name} is gone." for name in old if name not in new]
    for name, found in new.items():
        if name not in old:
            lines.append(f"{model}: the network {name} is new: {_worded(found)}.")
        elif old[name] != found:
            lines.append(f"{model}: the network {name} was {_worded(old[name])}; it is {_worded(found)}.")
    return lines


def _worded(component: Mapping[str, int]) -> str:
    parts = [f"{component[name] / scale:,.6g} {unit}" for name, (scale, unit) in _UNITS.items()]
    return f"{', '.join(parts)}, {component['calls']} calls"


def _told(found: JobCount) -> dict[str, Any]:
    return {
        "width": found.width,
        "height": found.height,
        "parameters": dict(found.parameters),
        "flops": found.flops,
        "bytes": found.bytes,
        "components": {name: asdict(component) for name, component in found.components.items()},
    }


def main() -> int:
    """Count everything and write the file beside this one."""
    models = {card.name: count(card) for card in counted_cards()}
    figures = {"models": models, "cropped": {"model": CROPPED, "step_flops": count_cropped()}}
    Path(str(files(__package__) / FILE)).write_text(json.dumps(figures, indent=1) + "\n", encoding="utf-8")
    for name, found in models.items():
        print(f"{name:45}{found['flops'] / 1e12:10.1f} TFLOP a job{found['bytes'] / 1e9:8.2f} GB of weights")
    return 0


if __name__ == "__main__":
    sys.exit(main())
