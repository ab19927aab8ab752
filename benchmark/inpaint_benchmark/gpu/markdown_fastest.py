"""The part of the report that names the quickest mode of each model, and what to write on its card."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from inpaint_benchmark.gpu.cells import NONE, code, escape, number, table
from inpaint_benchmark.gpu.fastest import Fastest, toml_lines


def fastest_part(fastest: Sequence[Fastest], note: str) -> Iterable[str]:
    """Headings, tables and sentences; `note` says what weights they were measured with."""
    if not fastest:
        return
    yield "### Fastest per model"
    yield f"{note} Tier exact, each model's modes against `none` on this machine.".strip()
    head = ["model", "steps", "picture", "fastest", "s/image", "none s/image", "times as quick", "picture differs by"]
    yield table([*head, "of modes", "doubts"], [_cells(each) for each in fastest])
    yield (
        "**picture differs by**: with *rounding* the arithmetic is the same and its last bits may differ. What changes "
        "more is a second line and is not proposed for a card. **within noise**: an image of it was as slow as one of "
        "`none`."
    )
    if lines := toml_lines(fastest):
        yield "For the file of `INPAINT_CATALOGUE`, or `accelerate` for everybody's card:"
        yield f"```toml\n{lines}\n```"


def _cells(each: Fastest) -> list[str]:
    doubts = [] if each.doubt is None else [each.doubt]
    if each.none_s is None:
        doubts.append("none was not measured")
    elif not each.clear and each.order.mode != "none":
        doubts.append("within noise")
    return [
        code(each.order.model),
        "default" if each.order.steps is None else str(each.order.steps),
        f"{each.order.width}x{each.order.height}",
        code(each.order.mode),
        number(each.image_s),
        number(each.none_s),
        NONE if each.ratio is None else f"{each.ratio:.2f}",
        escape(each.beyond_rounding or "rounding"),
        str(each.compared),
        ", ".join(doubts) or NONE,
    ]
