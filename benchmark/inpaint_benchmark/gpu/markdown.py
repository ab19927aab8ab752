"""The report as Markdown, for people: tables that can stand alone, each with what a reader has to know of it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from inpaint_benchmark.gpu.cells import (
    NONE,
    code,
    escape,
    gpu,
    load,
    median,
    naming,
    number,
    painted,
    spread,
    table,
    tflop_per_s,
)
from inpaint_benchmark.gpu.markdown_fastest import fastest_part
from inpaint_benchmark.gpu.markdown_throughput import throughput_part
from inpaint_benchmark.gpu.orders import Order
from inpaint_benchmark.gpu.report import RANDOM, REAL, TINY, Report, ReportRow, Section
from inpaint_benchmark.gpu.rows import Cropping, Row, Seconds, Throughput

_SD2 = "stable-diffusion-2-inpainting"
_SD2_NOTE = (
    "The review gives 1024x1024 and no steps for Stable Diffusion 2. At 50 steps its 1.3 s would take more than an "
    "A100 can compute, so its picture was smaller or its steps fewer: that row cannot be compared."
)
_HOW = (
    "**s/image**: on the device, median of the steady images, each with a new photo, prompt and seed (min to max). "
    "**first image**: from loaded to the first result, with the worker's warm-up and whatever is compiled. "
    "**load**: weights from the disk to the device; in brackets how much of them the system held in memory before. "
    "**ms/step**: median, in a run of its own. **GB**: peak that torch allocated / reserved while the steady images "
    "were made, 10^9 bytes."
)
_SILICON = (
    "**TFLOP**: of one image, all networks, counted and not measured. **floor** (computed): the TFLOP at the rate of "
    "bfloat16 matrix multiplications that the same process measured. **MFU**: the floor through the seconds. "
    "**matmul**: for two seconds each after warming up and right after the steady images; the second is the yardstick. "
    "**recompiled**: graphs that were compiled while the steady images were made; more than 0 costs jobs seconds. "
    "**not compiled**: what was to be compiled and runs as plain Python, since a limit of graphs was reached or torch "
    "could not. **GPU**: clock (lowest), power, highest temperature while the steady images were made. "
    "**beside**: on the CPU, an image (decode, fit, composite, encode, check); in a fleet the neighbouring job's time "
    "on the GPU hides it."
)
_LOSSY = (
    "**computed**: passes of the network that a quicker tier computed, of those that all steps take. **With random "
    "weights a step cache leaves out other steps than with real ones**: the seconds of such rows hold for the share "
    "that stands here; how large it is with real weights only `--weights FOLDER` tells."
)


def markdown(report: Report) -> str:
    """The whole report."""
    parts = ["# Models on a GPU", " ".join(f"**{text}**" for text in report.weights)]
    if report.left:
        parts.append(f"> Not finished: {len(report.left)} left. The same command goes on with them.")
    if not report.sections:
        parts.append("Nothing has been measured yet.")
    for section in report.sections:
        parts += _section(section, report)
    return "\n\n".join(part for part in parts if part) + "\n"


def _section(section: Section, report: Report) -> Iterable[str]:
    machine = section.machine
    memory = f", {machine.device_memory_gb:.0f} GB" if machine.device_memory_gb else ""
    yield f"## {escape(machine.device_name)}{memory}"
    if machine.device_kind == "cpu":
        yield "A CPU: what stands here shows that it works, and says nothing of a GPU."
    yield _versions(section)
    for note in (RANDOM, REAL, TINY):
        rows = [row for row in section.rows if _note(row) == note]
        seconds = [row for row in rows if isinstance(row.row.measured, Seconds) and row.row.measured.image_s]
        cropping = [row for row in rows if isinstance(row.row.measured, Cropping) and row.row.measured.cases]
        throughput = [row for row in rows if isinstance(row.row.measured, Throughput) and row.row.measured.share]
        yield from fastest_part([each for each in section.fastest if _kind(each.order) == note], note)
        if seconds:
            yield from _seconds(seconds, note, report.usd_per_hour)
        if cropping:
            yield from _cropping(cropping, note)
        if throughput:
            yield from throughput_part(throughput, note)
    yield from _failures(section.rows)


def _note(row: ReportRow) -> str:
    return _kind(row.row.order)


def _kind(order: Order) -> str:
    return TINY if order.tiny else RANDOM if order.weights == "random" else REAL


def _versions(section: Section) -> str:
    machine = section.machine
    names = ("torch", "diffusers", "transformers", "inpaint-fleet")
    words = [f"{name} {machine.packages[name]}" for name in names if name in machine.packages]
    for name, value in (("CUDA", machine.cuda), ("cuDNN", machine.cudnn), ("driver", machine.driver)):
        if value:
            words.append(f"{name} {value}")
    dates = sorted(row.row.begun_at.date().isoformat() for row in section.rows)
    when = dates[0] if dates[0] == dates[-1] else f"{dates[0]} to {dates[-1]}"
    return f"{', '.join([*words, f'Python {machine.python}'])}; {escape(machine.cpu)}; {when}."


def _seconds(rows: Sequence[ReportRow], note: str, usd_per_hour: float | None) -> Iterable[str]:
    yield "### Seconds, gigabytes" + ("" if usd_per_hour is None else ", dollars")
    yield f"{note} {_published_note(rows)}".strip()
    head = ["model", "mode", "steps", "painted", "s/image", "ms/step", "first image s", "load s", "GB"]
    priced = usd_per_hour is not None
    head += [f"$/1k edits at ${usd_per_hour:g}/h"] if priced else []
    published = any(row.published for row in rows)
    head += ["review: s", "GB", "$/1k"] if published else []
    yield table(head, [_seconds_cells(row, priced=priced, published=published) for row in rows])
    yield _HOW
    if any(row.row.order.model == _SD2 and row.published for row in rows):
        yield _SD2_NOTE
    yield "### How close to the silicon"
    yield note
    head = ["model", "mode", "TFLOP", "matmul TFLOP/s", "floor s", "s/image", "MFU", "recompiled", "not compiled"]
    head += ["beside s", "GPU"]
    lossy = any(row.row.measured.passes is not None for row in rows if isinstance(row.row.measured, Seconds))
    head += ["computed"] if lossy else []
    yield table(head, [_silicon_cells(row, lossy=lossy) for row in rows])
    yield _SILICON
    if lossy:
        yield _LOSSY
    yield _reasons(rows)


def _seconds_cells(row: ReportRow, *, priced: bool, published: bool) -> list[str]:
    measured = row.row.measured
    assert isinstance(measured, Seconds)  # noqa: S101  (chosen above)
    cells = [
        *naming(row.row),
        _shown(row.row),
        spread(measured.image_s),
        number(measured.step_ms),
        number(measured.first_image_s),
        load(measured),
        f"{number(measured.peak_allocated_gb)} / {number(measured.peak_reserved_gb)}"
        if measured.peak_allocated_gb is not None
        else NONE,
    ]
    cells += [number(row.derived.usd_per_1k)] if priced else []
    if published:
        other = row.published
        values = (other.inference_s, other.gpu_memory_gb, other.cost_per_1k_usd) if other else (None, None, None)
        cells += [NONE if value is None else f"{value:g}" for value in values]
    return cells


def _shown(row: Row) -> str:
    """What was painted, and of what if that is not the same."""
    picture = f"{row.order.width}x{row.order.height}"
    of = "" if painted(row.painted) == picture else f" of {picture}"
    return painted(row.painted) + of


def _silicon_cells(row: ReportRow, *, lossy: bool) -> list[str]:
    measured = row.row.measured
    assert isinstance(measured, Seconds)  # noqa: S101  (chosen above)
    return [
        code(row.row.order.model),
        code(row.row.order.mode),
        number(measured.tflop),
        f"{tflop_per_s(measured.matmul_before)}, {tflop_per_s(measured.matmul)}",
        number(row.derived.floor_s),
        median(measured.image_s),
        NONE if row.derived.mfu is None else f"{row.derived.mfu:.1%}",
        NONE if measured.recompilations is None else str(measured.recompilations),
        NONE if measured.not_compiled is None else str(measured.not_compiled),
        median(measured.beside_s),
        gpu(measured.gpu_state),
        *([_computed(measured)] if lossy else []),
    ]


def _computed(measured: Seconds) -> str:
    if measured.passes is None or measured.passes_computed is None:
        return "all"
    return f"{measured.passes_computed:g} of {measured.passes:g}"


def _cropping(rows: Sequence[ReportRow], note: str) -> Iterable[str]:
    yield "### Cropping to the mask"
    width, height = rows[0].row.order.width, rows[0].row.order.height
    yield (
        f"{note} One photo of {width}x{height} ({width * height / 1e6:.1f} megapixels), made for this; each line is "
        "painted, put back and encoded. The last line of a model shows it the whole photo, as large as it paints at "
        "all: that is more time for less detail, since the photo is scaled down to it."
    )
    head = ["model", "mode", "shown", "painted", "pixels painted", "s/image", "beside s", "GB", "TFLOP", "of the whole"]
    cells = []
    for row in rows:
        measured = row.row.measured
        assert isinstance(measured, Cropping) and measured.cases  # noqa: S101  (chosen above)
        whole = measured.cases[-1].image_s.median
        for case in measured.cases:
            share = case.image_s.median / whole if whole else None
            cells.append(
                [
                    code(row.row.order.model),
                    code(row.row.order.mode),
                    case.name,
                    painted(case.windows),
                    f"{case.painted_pixels:,}",
                    spread(case.image_s),
                    number(case.beside_s.median),
                    number(case.peak_allocated_gb),
                    number(case.tflop),
                    NONE if share is None else f"{share:.0%}",
                ]
            )
    yield table(head, cells)
    yield "**of the whole**: seconds through those of the model's last line. TFLOP are counted, not measured."
    yield _reasons(rows)


def _failures(rows: Sequence[ReportRow]) -> Iterable[str]:
    failed = [row for row in rows if row.row.failed is not None]
    if not failed:
        return
    yield "### Not measured"
    yield table(
        ["model", "mode", "what", "why"],
        [
            [code(r.row.order.model), code(r.row.order.mode), r.row.order.what, escape(r.row.failed or "")]
            for r in failed
        ],
    )
    yield (
        "The same command leaves these as they are, but for those that a shorter time limit ended; with `--again` it "
        "tries the models and modes that it names anew."
    )


def _published_note(rows: Sequence[ReportRow]) -> str:
    other = next((row.published for row in rows if row.published), None)
    if other is None:
        return ""
    price = "" if other.usd_per_hour is None else f" at ${other.usd_per_hour:g}/h"
    return (
        f"The last columns are the {other.source}'s, as published: one {other.device}{price}, 1024x1024. They were not "
        "measured here."
    )


def _reasons(rows: Sequence[ReportRow]) -> str:
    """Why cells are empty, each reason once."""
    found: dict[str, set[str]] = {}
    for row in rows:
        for reasons in (row.row.measured.unknown, row.derived.unknown):
            for name, why in reasons.items():
                if name not in _SILENT and not (isinstance(row.row.measured, Cropping) and name in _DERIVED):
                    found.setdefault(why, set()).add(_NAMES.get(name, name))
    if not found:
        return ""
    return f"{NONE}: " + "; ".join(f"{', '.join(sorted(names))}: {escape(why)}" for why, names in found.items()) + "."


_DERIVED = ("floor_s", "mfu")
#: What has a column only where there is something in it.
_SILENT = ("usd_per_1k", "passes", "passes_computed")
_NAMES = {
    "peak_allocated_gb": "GB",
    "peak_reserved_gb": "GB",
    "cases.peak_allocated_gb": "GB",
    "cases.peak_reserved_gb": "GB",
    "cases.tflop": "TFLOP",
    "tflop": "TFLOP",
    "tflop_of": "TFLOP",
    "matmul_before": "matmul",
    "gpu_state": "GPU",
    "floor_s": "floor",
    "mfu": "MFU",
    "step_ms": "ms/step",
    "page_cache": "held in memory",
    "weights_gb": "size of the weights",
    "first_image_s": "first image",
    "image_s": "s/image",
}
