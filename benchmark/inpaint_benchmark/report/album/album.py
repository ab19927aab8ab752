"""All pictures of a report, made sample by sample so that few are in memory at once."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

import numpy as np
from inpaint_core.errors import ObjectNotFound
from inpaint_core.log import get_logger
from inpaint_db.dataset_queries import SampleRow
from inpaint_db.measure_queries import Measurable
from inpaint_worker.arrays import Pixels
from PIL import Image

from inpaint_benchmark.metrics.deviation import deviation_picture
from inpaint_benchmark.report.album.framing import close_up, marked, shown
from inpaint_benchmark.report.album.panels import Panel, Strip, missing, panel
from inpaint_benchmark.report.contents import Report
from inpaint_benchmark.runs.fleet import Progress
from inpaint_benchmark.runs.pictures import Pictures, SamplePictures

#: Samples whose pictures are shown; the tables are of all.
MOST_SAMPLES = 40
#: All pictures together, bytes: a page of 15 MB with what Base64 adds.
_BUDGET = 10_000_000
#: Of WebP at our quality, at most of photos.
_BYTES_PER_PIXEL = 0.22
_SIDES = (160, 560)
log = get_logger("inpaint.benchmark")


@dataclass(slots=True)
class ModelAlbum:
    """What one model did, sample by sample."""

    results: list[Strip] = field(default_factory=list)
    #: One panel for each sample.
    deviations: list[Panel] = field(default_factory=list)


@dataclass(slots=True)
class Album:
    """Pictures of samples, and of each model."""

    samples: list[tuple[SampleRow, Panel]] = field(default_factory=list)
    models: dict[str, ModelAlbum] = field(default_factory=dict)


def make_album(report: Report, finished: Sequence[Measurable], pictures: Pictures, progress: Progress) -> Album:
    """Read and shrink all pictures of a run. `finished`: its trials that have a result."""
    samples = report.samples[:MOST_SAMPLES]
    models = report.run.models
    columns = 2 + max((t["trial"] for t in report.trials), default=0) + 1 + 1
    side = make_side(len(samples) * (1 + len(models) * columns))
    by_cell: dict[tuple[str, UUID], list[Measurable]] = {}
    for trial in finished:
        by_cell.setdefault((trial.model, trial.sample_id), []).append(trial)
    planned: dict[tuple[str, UUID], list[dict[str, Any]]] = {}
    for row in report.trials:
        planned.setdefault((row["model"], row["sample_id"]), []).append(row)
    album = Album(models={model: ModelAlbum() for model in models})
    with progress("pictures", len(samples)) as advance:
        for sample in samples:
            advance(1)
            try:
                scene = _Scene(sample, pictures.of_sample(sample), side)
            except ObjectNotFound as error:
                log.warning("sample_not_shown", sample=sample.name, reason=str(error))
                continue
            album.samples.append((sample, scene.overview))
            for model in models:
                cell = (model, sample.id)
                results = _results(by_cell.get(cell, ()), pictures)
                album.models[model].results.append(scene.strip(model, planned.get(cell, ()), results))
                album.models[model].deviations.append(
                    scene.deviation(model, by_cell.get(cell, ()), results, pictures),
                )
    return album


def make_side(count: int) -> int:
    """How large so many pictures may be: the longer side, pixels."""
    low, high = _SIDES
    return min(high, max(low, math.isqrt(int(_BUDGET / max(1, count) / _BYTES_PER_PIXEL))))


def _results(trials: Sequence[Measurable], pictures: Pictures) -> dict[int, Pixels]:
    """By the number of the trial, those that are still stored."""
    found = {}
    for trial in trials:
        with suppress(ObjectNotFound):
            found[trial.number] = pictures.result(trial)
    return found


class _Scene:
    """One sample, and how its pictures are cut."""

    def __init__(self, sample: SampleRow, pictures: SamplePictures, side: int) -> None:
        self._name, self._pictures, self._side = sample.name, pictures, side
        self._part = close_up(pictures.mask)
        closer = "part of " if self._part.width < sample.width else ""
        self._source = panel("source", f"{closer}{sample.name} before", self._shown(pictures.source))
        self._size = (self._source.width, self._source.height)
        drawn = marked(pictures.source, pictures.mask, self._part, side)
        self.overview = panel("mask", f"{sample.name}, with the part that is repainted in red", drawn)

    def strip(self, model: str, planned: Sequence[Mapping[str, Any]], results: Mapping[int, Pixels]) -> Strip:
        """Source, mask, every trial that was planned, and the truth if there is one."""
        panels = [self._source, self.overview]
        for row in planned:
            title = f"trial {row['trial']}" + ("" if row["imported"] else f", seed {row['seed']}")
            picture = results.get(row["trial"])
            if picture is None:
                panels.append(missing(title, _why(row), self._size))
            else:
                panels.append(panel(title, f"{self._name} by {model}, {title}", self._shown(picture)))
        if self._pictures.truth is not None:
            panels.append(panel("truth", f"{self._name} as it should be", self._shown(self._pictures.truth)))
        return Strip(self._name, panels)

    def deviation(
        self, model: str, trials: Sequence[Measurable], results: Mapping[int, Pixels], pictures: Pictures
    ) -> Panel:
        """Where the trials differ."""
        if len(results) < 2:
            return missing(self._name, "fewer than two results", self._size)
        region = self._pictures.mask
        with suppress(ObjectNotFound):
            region = pictures.region(trials[0], self._pictures)
        drawn = deviation_picture(list(results.values()), region)
        alt = f"Where {len(results)} trials of {model} differ on {self._name}"
        return panel(self._name, alt, self._shown(drawn, exact=True), exact=True)

    def _shown(self, pixels: Pixels, *, exact: bool = False) -> Image.Image:
        if not exact:
            return shown(pixels, self._part, self._side)
        part = np.ascontiguousarray(pixels[self._part.top : self._part.bottom, self._part.left : self._part.right])
        # No colours that are none of the scale.
        return Image.fromarray(part).resize(self._size, Image.Resampling.NEAREST)


def _why(row: Mapping[str, Any]) -> str:
    if row["status"] == "succeeded":
        return "no longer stored"
    return str(row["status"]) + (f": {row['error_code']}" if row["error_code"] else "")
