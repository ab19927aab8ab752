"""The pictures on a page."""

from __future__ import annotations

import base64
import io

import cv2
import numpy as np
from inpaint_db.dataset_queries import SampleRow
from PIL import Image

from inpaint_benchmark.metrics.deviation import DEVIATION_WHITE
from inpaint_benchmark.report.album import Album, Panel, Strip
from inpaint_benchmark.report.contents import Report
from inpaint_benchmark.report.elements import Child, Markup, element
from inpaint_benchmark.report.wording import NONE

#: Models whose results are open at first.
_OPEN = 1


def samples(report: Report, album: Album) -> Child:
    """Every sample with its mask, under it what was asked for."""
    return [
        element("p", "What is repainted is red. Where a frame is drawn, results are shown as close-ups of it."),
        _shortened(report, album),
        element("div", [_sample(sample, panel) for sample, panel in album.samples], class_="samples"),
    ]


def results(report: Report, album: Album) -> Child:
    """Samples and trials, a part for each model."""
    return [
        element("p", "Choose a picture to see it large.", class_="quiet"),
        _shortened(report, album),
        [
            element(
                "details",
                element("summary", element("code", model)),
                [_strip(strip) for strip in pictures.results],
                open=number < _OPEN,
                style=f"--columns: {max((len(strip.panels) for strip in pictures.results), default=1)}",
            )
            for number, (model, pictures) in enumerate(album.models.items())
        ],
    ]


def deviations(report: Report, album: Album) -> Child:
    """Maps of where trials differ, under the scale of their colours."""
    figures = {(row["model"], row["sample"]): row for row in report.reproducibility}
    return [
        element("p", "Standard deviation of each pixel over the trials of a sample. Black: all trials are the same. "
                     "Grey: outside of the edit region."),
        _scale(),
        [
            element(
                "details",
                element("summary", element("code", model)),
                element("div", [_deviation(p, figures.get((model, p.title))) for p in pictures.deviations],
                        class_="deviations"),
                open=number < _OPEN,
            )
            for number, (model, pictures) in enumerate(album.models.items())
        ],
    ]  # fmt: skip


def _shortened(report: Report, album: Album) -> Markup | None:
    there, shown = len(report.samples), len(album.samples)
    return element("p", f"Pictures of {shown} of {there:,} samples.", class_="quiet") if shown < there else None


def _sample(sample: SampleRow, panel: Panel) -> Markup:
    return element(
        "figure",
        _picture(panel),
        element(
            "figcaption",
            element("b", sample.name),
            f" {sample.width}×{sample.height}, {sample.coverage:.1%} masked",
            element("p", sample.prompt) if sample.prompt else None,
            element("p", "not: ", sample.negative_prompt, class_="quiet") if sample.negative_prompt else None,
        ),
    )


def _strip(strip: Strip) -> Markup:
    return element(
        "div",
        element("h4", strip.sample),
        element("div", [element("figure", _picture(p), element("figcaption", p.title)) for p in strip.panels],
                class_="strip"),
    )  # fmt: skip


def _deviation(panel: Panel, row: dict[str, object] | None) -> Markup:
    number = None if row is None else row["trials_delta_e_mean"]
    said = NONE if not isinstance(number, float) else f"mean ΔE00 {number:.2f}"
    return element("figure", _picture(panel), element("figcaption", element("b", panel.title), element("div", said)))


def _picture(panel: Panel) -> Markup:
    if panel.data is None:
        ratio = f"aspect-ratio: {panel.width} / {panel.height}"
        return element("div", panel.alt, class_="missing", style=ratio)
    # Not in the order of the Tab key: there are hundreds. A click or a touch shows one large.
    return element(
        "img", src=panel.uri, alt=panel.alt, width=str(panel.width), height=str(panel.height), loading="lazy",
        tabindex="-1",
    )  # fmt: skip


def _scale() -> Markup:
    """What the colours of the maps mean."""
    ramp = cv2.applyColorMap(np.arange(256, dtype=np.uint8)[None], cv2.COLORMAP_INFERNO)
    buffer = io.BytesIO()
    Image.fromarray(cv2.cvtColor(ramp, cv2.COLOR_BGR2RGB)).save(buffer, "PNG")
    uri = Markup("data:image/png;base64," + base64.b64encode(buffer.getvalue()).decode())
    marks = [f"{DEVIATION_WHITE * part // 4}" for part in range(5)]
    return element(
        "div",
        element("img", src=uri, alt=f"Colours from black, 0 levels, to light yellow, {DEVIATION_WHITE} and more"),
        element("div", [element("span", mark) for mark in marks[:-1]], element("span", f"{marks[-1]}+ levels")),
        class_="scale",
    )
