"""What images compute: kept in the package's figures, else counted once in a process of its own."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from inpaint_core.job import ParameterValue

from inpaint_benchmark.gpu.children import Ending
from inpaint_benchmark.gpu.figures_file import stored
from inpaint_benchmark.gpu.orders import Order
from inpaint_benchmark.gpu.rows import Row, measured_of

#: Width and height of what a model paints, pixels.
Shape = tuple[int, int]
#: `tflop` and `tflop_of` of an image, by shape.
Found = dict[Shape, dict[str, Any]]
#: Why a row has no TFLOP that will have them.
NOT_YET = "not counted yet; the same command does it"
TINY = "tiny weights are not counted: they are no model of anybody"


class Counts:
    """TFLOP of an image by model, parameters and shape."""

    def __init__(self, count: Callable[[Order, tuple[Shape, ...]], Ending]) -> None:
        """`count` gives the fields of `Seconds` by WIDTHxHEIGHT, for shapes that nobody has counted yet."""
        self._count = count
        self._figures: Mapping[str, Any] = stored()["models"]
        self._counted: dict[tuple[str, int | None], dict[str, Any]] = {}

    def kept(self, row: Row) -> Found:
        """What is known without counting, of the shapes that the row painted."""
        counted = self._counted.get((row.order.model, row.order.steps), {})
        found = {}
        for shape in shapes_of(row):
            if known := self._figure(row.order.model, row.parameters, shape) or counted.get(_name(shape)):
                found[shape] = known
        return found

    def count(self, row: Row) -> Ending | None:
        """Count what is missing of a row; how that ended, or None if nothing was missing."""
        known = self.kept(row)
        missing = tuple(shape for shape in shapes_of(row) if shape not in known)
        if not missing:
            return None
        ending = self._count(row.order, missing)
        self._counted.setdefault((row.order.model, row.order.steps), {}).update(ending.found)
        return ending

    def _figure(self, model: str, parameters: Mapping[str, ParameterValue], shape: Shape) -> dict[str, Any] | None:
        figures = self._figures.get(model)
        if figures is None or (figures["width"], figures["height"]) != shape or figures["parameters"] != parameters:
            return None
        parts = {name: part["flops"] / 1e12 for name, part in figures["components"].items() if part["flops"]}
        return {"tflop": figures["flops"] / 1e12, "tflop_of": parts}


def shapes_of(row: Row) -> list[Shape]:
    """Each shape that it painted, once."""
    cases = getattr(row.measured, "cases", None) or []
    shapes = [shape for case in cases for shape in case.windows] or row.painted
    return [(width, height) for width, height in dict.fromkeys(shapes)]


def is_uncounted(row: Row) -> bool:
    """Whether its TFLOP are still to be counted."""
    return NOT_YET in (row.measured.unknown.get("tflop"), row.measured.unknown.get("cases.tflop"))


def filled_in(row: Row, counts: Found, why: str) -> Row:
    """The row with its TFLOP beside what was measured; `why`: for those that are not among `counts`."""
    if row.failed is not None or row.order.what == "throughput" or not shapes_of(row):
        return row
    why = TINY if row.order.tiny else why
    found = row.measured.model_dump()
    unknown = {name: text for name, text in found.pop("unknown").items() if name not in _COUNTED}
    if row.order.what == "seconds":
        # Whole pictures have one window.
        found |= counts.get(shapes_of(row)[0], {})
        unknown |= dict.fromkeys(("tflop", "tflop_of"), why)
    for case in found.get("cases") or []:
        parts = [counts.get((width, height)) for width, height in case["windows"]]
        case["tflop"] = sum(part["tflop"] for part in parts if part) if all(parts) else None
        if not all(parts):
            unknown["cases.tflop"] = why
    return row.model_copy(update={"measured": measured_of(row.order.what, {**found, "unknown": unknown}, why)})


_COUNTED = ("tflop", "tflop_of", "cases.tflop")


def _name(shape: Shape) -> str:
    return f"{shape[0]}x{shape[1]}"
