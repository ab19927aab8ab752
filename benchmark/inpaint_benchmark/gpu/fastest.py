"""Which mode is the quickest of each model, against `none` on the same machine."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from inpaint_core.acceleration import NONE, Acceleration, changes_pictures
from inpaint_core.tiers import Tier
from pydantic import BaseModel, ConfigDict

from inpaint_benchmark.gpu.modes import Mode
from inpaint_benchmark.gpu.orders import Order
from inpaint_benchmark.gpu.rows import Row, Seconds


class Fastest(BaseModel):
    """The quickest mode of a model in tier exact, of one picture and number of steps."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    order: Order
    #: Median seconds an image, and of `none`.
    image_s: float
    none_s: float | None
    #: `none_s` through `image_s`: so many times as quick.
    ratio: float | None
    #: None: the same arithmetic, whose rounding may differ. Else what changes the picture by more.
    beyond_rounding: str | None
    #: Its slowest image is quicker than the quickest of `none`.
    clear: bool
    #: What speaks against it; None: nothing does.
    doubt: str | None
    #: How many modes were compared.
    compared: int

    @property
    def for_card(self) -> bool:
        """Whether it deserves a line on the card."""
        return self.clear and self.beyond_rounding is None and self.doubt is None and not self.order.tiny


def find_fastest(rows: Sequence[Row]) -> list[Fastest]:
    """Of rows of one machine. A model has a second entry where something is quicker that is not rounding alone.

    Rows with shapes that ran without being compiled, or that were compiled amid the steady images, win nothing.
    """
    groups: dict[Order, list[tuple[Row, Seconds]]] = {}
    for row in rows:
        measured = row.measured
        if not isinstance(measured, Seconds) or measured.image_s is None or row.failed is not None:
            continue
        if Mode.parse(row.order.mode).tier is Tier.EXACT:
            groups.setdefault(row.order.model_copy(update={"mode": "", "repeats": None}), []).append((row, measured))
    found = []
    for group in groups.values():
        if len({row.order.mode for row, _ in group}) < 2:
            continue
        rounding = [one for one in group if beyond_rounding(one[0].order.mode) is None]
        winners = [_quickest(rounding)] if rounding else []
        overall = _quickest(group)
        if not winners or overall[0] is not winners[0][0]:
            winners.append(overall)
        found += [_fastest(winner, group) for winner in winners]
    return found


def beyond_rounding(mode: str) -> str | None:
    """What of a mode changes a picture by more than rounding, or None."""
    words = changes_pictures(Mode.parse(mode).accelerate)
    return None if words is None else f"more than rounding: {words}"


def toml_lines(fastest: Iterable[Fastest]) -> str:
    """What to put into the file of `INPAINT_CATALOGUE`; empty if nothing has won."""
    lines = []
    for each in fastest:
        if each.for_card:
            Acceleration.parse(each.order.mode)  # what a card would refuse stands in no file
            lines.append(f'[models.{each.order.model}]\naccelerate = "{each.order.mode}"')
    return "\n\n".join(dict.fromkeys(lines))


def _quickest(group: Sequence[tuple[Row, Seconds]]) -> tuple[Row, Seconds]:
    return min(group, key=lambda one: (_doubt(one[1]) is not None, _median(one[1])))


def _fastest(winner: tuple[Row, Seconds], group: Sequence[tuple[Row, Seconds]]) -> Fastest:
    row, measured = winner
    plain = next((other for each, other in group if each.order.mode == NONE), None)
    clear = False
    if plain is not None and plain.image_s is not None and measured.image_s is not None:
        clear = measured.image_s.max < plain.image_s.min
    return Fastest(
        order=row.order,
        image_s=_median(measured),
        none_s=None if plain is None else _median(plain),
        ratio=None if plain is None or not _median(measured) else _median(plain) / _median(measured),
        beyond_rounding=beyond_rounding(row.order.mode),
        clear=clear,
        doubt=_doubt(measured),
        compared=len(group),
    )


def _median(measured: Seconds) -> float:
    return float("inf") if measured.image_s is None else measured.image_s.median


def _doubt(measured: Seconds) -> str | None:
    if measured.not_compiled:
        return f"{measured.not_compiled} not compiled"
    if measured.recompilations:
        return f"{measured.recompilations} compiled amid the steady images"
    return None
