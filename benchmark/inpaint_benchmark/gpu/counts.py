"""What images compute, looked up: in the figures that the package keeps, else counted once in a process of its own."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from importlib.resources import files
from typing import Any

from inpaint_core.job import ParameterValue

from inpaint_benchmark.gpu.children import Ending
from inpaint_benchmark.gpu.orders import Order

#: Width and height of what a model paints, pixels.
Shape = tuple[int, int]
_FIGURES = "figures.json"


class Counts:
    """TFLOP of an image by model, parameters and shape."""

    def __init__(self, count: Callable[[Order, tuple[Shape, ...]], Ending]) -> None:
        """`count` gives the fields of `Seconds` by WIDTHxHEIGHT, for shapes that nobody has counted yet."""
        self._count = count
        text = files("inpaint_benchmark.gpu").joinpath(_FIGURES).read_text(encoding="utf-8")
        self._figures: Mapping[str, Any] = json.loads(text)["models"]
        self._counted: dict[tuple[str, int | None], dict[str, Any]] = {}

    def of(
        self, order: Order, parameters: Mapping[str, ParameterValue], shapes: Sequence[Shape]
    ) -> tuple[dict[Shape, dict[str, Any]], str]:
        """`tflop` and `tflop_of` of an image in each shape; and if some are missing, why."""
        found = {shape: kept for shape in shapes if (kept := self._kept(order.model, parameters, shape))}
        counted = self._counted.setdefault((order.model, order.steps), {})
        missing = tuple(shape for shape in dict.fromkeys(shapes) if shape not in found and _name(shape) not in counted)
        reason = ""
        if missing:
            ending = self._count(order, missing)
            counted |= ending.found
            reason = f"counting failed: {ending.failed}" if ending.failed else ""
        return {**found, **{shape: counted[_name(shape)] for shape in shapes if _name(shape) in counted}}, reason

    def _kept(self, model: str, parameters: Mapping[str, ParameterValue], shape: Shape) -> dict[str, Any] | None:
        figures = self._figures.get(model)
        if figures is None or (figures["width"], figures["height"]) != shape or figures["parameters"] != parameters:
            return None
        parts = {name: part["flops"] / 1e12 for name, part in figures["components"].items() if part["flops"]}
        return {"tflop": figures["flops"] / 1e12, "tflop_of": parts}


def _name(shape: Shape) -> str:
    return f"{shape[0]}x{shape[1]}"
