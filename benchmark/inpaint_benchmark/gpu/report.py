"""What the rows say, with what follows from them: floors, shares of the device's rate, dollars. As JSON."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from inpaint_core.acceleration import NONE
from inpaint_core.tiers import Tier
from pydantic import BaseModel, ConfigDict

from inpaint_benchmark.gpu.fastest import Fastest, find_fastest
from inpaint_benchmark.gpu.modes import Mode
from inpaint_benchmark.gpu.orders import Order
from inpaint_benchmark.gpu.rows import Machine, Row, Seconds
from inpaint_benchmark.published.publication import read_publication

RANDOM = "Random weights: time and memory only."
TINY = f"{RANDOM} Tiny models: these numbers show that it works, and nothing of the models whose names they bear."
REAL = "Real weights, from a folder of this machine."
_SKIPS = "the tier leaves work out, and how much it left out was not counted"
_FP8 = "its networks multiply in 8 bits, and the yardstick is the rate of 16"
_NO_PRICE = "no --usd-per-hour was given"
_ONLY_SECONDS = "of rows of seconds only"


class _Model(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


class Published(_Model):
    """What others have published of the model. Never measured here."""

    source: str
    device: str
    usd_per_hour: float | None
    pixels: int
    steps: int | None
    inference_s: float | None
    gpu_memory_gb: float | None
    cost_per_1k_usd: float | None


class Derived(_Model):
    """What is computed from a row. None: `unknown` says why."""

    #: Seconds an image if every operation ran at the rate of the same process's matrix multiplications.
    floor_s: float | None
    #: The floor through the measured seconds, 0 to 1: model FLOPs utilisation.
    mfu: float | None
    #: Of 1,000 edits, by the seconds on the device.
    usd_per_1k: float | None
    unknown: dict[str, str]


class ReportRow(_Model):
    """A row with what follows from it, beside what was published."""

    row: Row
    derived: Derived
    published: Published | None


class Section(_Model):
    """All rows of one machine."""

    machine: Machine
    rows: list[ReportRow]
    #: Of each model that was measured in several modes.
    fastest: list[Fastest]


class Report(_Model):
    """`report.json`."""

    version: int = 1
    made_at: datetime
    #: One sentence for each kind of weights that rows were measured with.
    weights: list[str]
    usd_per_hour: float | None
    sections: list[Section]
    #: Orders that this command still has to carry out, as model, mode and measurement.
    left: list[str]


def make_report(
    rows: Sequence[Row], usd_per_hour: float | None, left: Sequence[str] = (), *, asked: Sequence[Order] = ()
) -> Report:
    """The report of these rows: models as they were `asked` for, of each `none` first and then its modes as asked.

    What nobody asked for now comes after that, in the order of `rows`.
    """
    rows = _in_order(rows, asked)
    machines: list[Machine] = []
    for row in rows:
        if row.machine is not None and row.machine not in machines:
            machines.append(row.machine)
    sections = [
        Section(machine=machine, rows=[_row(row, usd_per_hour) for row in own], fastest=find_fastest(own))
        for machine in machines
        if (own := [row for row in rows if row.machine == machine])
    ]
    kinds = {row.order.weights for row in rows}
    return Report(
        made_at=datetime.now(UTC),
        weights=[text for kind, text in (("random", RANDOM), ("real", REAL)) if kind in kinds] or [RANDOM],
        usd_per_hour=usd_per_hour,
        sections=sections,
        left=list(left),
    )


def _in_order(rows: Sequence[Row], asked: Sequence[Order]) -> list[Row]:
    orders = [*asked, *(row.order for row in rows)]
    models = list(dict.fromkeys(order.model for order in orders))
    modes = list(dict.fromkeys((order.model, order.mode) for order in orders))
    return sorted(
        rows,
        key=lambda row: (
            models.index(row.order.model),
            row.order.mode != NONE,
            modes.index((row.order.model, row.order.mode)),
        ),
    )


def write_files(report: Report, folder: Path, markdown: str) -> None:
    """`report.json` and `report.md`; a reader never finds half of one."""
    text = json.dumps(report.model_dump(mode="json"), indent=1, ensure_ascii=False) + "\n"
    for name, content in (("report.json", text), ("report.md", markdown)):
        part = folder / f".{name}.part"
        part.write_text(content, encoding="utf-8")
        part.replace(folder / name)


def _row(row: Row, usd_per_hour: float | None) -> ReportRow:
    return ReportRow(
        row=row, derived=_derived(row, usd_per_hour), published=None if row.order.tiny else _published(row.order.model)
    )


def _derived(row: Row, usd_per_hour: float | None) -> Derived:
    unknown: dict[str, str] = {}
    values: dict[str, Any] = {"floor_s": None, "mfu": None, "usd_per_1k": None}
    measured = row.measured
    if not isinstance(measured, Seconds):
        return Derived(**values, unknown=dict.fromkeys(values, _ONLY_SECONDS))
    no_image = measured.unknown.get("image_s", "")
    if measured.tflop is None or measured.matmul is None:
        reason = measured.unknown.get("tflop") or measured.unknown.get("matmul", "")
        unknown |= {"floor_s": reason, "mfu": reason}
    elif Mode.parse(row.order.mode).tier is not Tier.EXACT:
        unknown |= {"floor_s": _SKIPS, "mfu": _SKIPS}
    elif row.runtime.get("quantisation") == "fp8":
        unknown |= {"floor_s": _FP8, "mfu": _FP8}
    else:
        values["floor_s"] = measured.tflop / measured.matmul.tflop_per_s
        if measured.image_s is None:
            unknown["mfu"] = no_image
        else:
            values["mfu"] = values["floor_s"] / measured.image_s.median
    if usd_per_hour is None:
        unknown["usd_per_1k"] = _NO_PRICE
    elif measured.image_s is None:
        unknown["usd_per_1k"] = no_image
    else:
        values["usd_per_1k"] = measured.image_s.median / 3600 * usd_per_hour * 1000
    return Derived(**values, unknown=unknown)


def _published(model: str) -> Published | None:
    review = read_publication("review")
    found = next((each for each in review.models if each.card == model), None)
    device = None if found is None else review.device_of(found)
    if found is None or device is None:
        return None
    return Published(
        source=review.source,
        device=device,
        usd_per_hour=review.usd_per_hour_of(found),
        pixels=review.pixels,
        steps=found.steps,
        inference_s=found.inference_s,
        gpu_memory_gb=found.gpu_memory_gb,
        cost_per_1k_usd=found.cost_per_1k_usd,
    )
