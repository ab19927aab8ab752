"""The pictures of a trial, from the object store to arrays: what people see, and what the model saw and returned."""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from inpaint_core.edit import EditOptions
from inpaint_core.errors import InpaintError, ObjectNotFound
from inpaint_core.images import Limits
from inpaint_core.log import get_logger
from inpaint_core.settings import IMAGE_FORMATS
from inpaint_core.size import SizeRule
from inpaint_core.storage import ObjectRef, ObjectStore
from inpaint_db.dataset_queries import SampleRow
from inpaint_db.measure_queries import Measurable
from inpaint_worker.arrays import Pixels, Region
from inpaint_worker.geometry.canvas import Canvas, open_canvas
from inpaint_worker.geometry.fit import Window
from inpaint_worker.geometry.source import open_source
from PIL import Image

from inpaint_benchmark.metrics import Raw
from inpaint_benchmark.runs.fleet import address

#: Outputs may be larger than any input is allowed to be.
_MOST_BYTES = 1 << 31
log = get_logger("inpaint.benchmark")


@dataclass(frozen=True, slots=True)
class SamplePictures:
    """A sample as arrays, H x W x 3 and H x W, and the bytes of its source and mask as a job had them."""

    source: Pixels
    mask: Region
    truth: Pixels | None
    object_mask: Region | None
    effect_mask: Region | None
    source_bytes: bytes
    mask_bytes: bytes


class Pictures:
    """Reads pictures of samples and trials."""

    def __init__(self, store: ObjectStore, limits: Limits) -> None:
        self._store = store
        # What is stored was accepted once, and results may be larger files than inputs.
        self._limits = replace(limits, max_bytes=_MOST_BYTES, formats=IMAGE_FORMATS)

    def of_sample(self, sample: SampleRow) -> SamplePictures:
        """Everything that the sample has."""
        found: Mapping[str, bytes] = {
            role: self._bytes(address(self._store.bucket, image)) for role, image in sample.images.items()
        }
        return SamplePictures(
            source=self._seen(found["source"]),
            mask=_marked(found["mask"]),
            truth=self._seen(found["truth"]) if "truth" in found else None,
            object_mask=_marked(found["object_mask"]) if "object_mask" in found else None,
            effect_mask=_marked(found["effect_mask"]) if "effect_mask" in found else None,
            source_bytes=found["source"],
            mask_bytes=found["mask"],
        )

    def result(self, trial: Measurable) -> Pixels:
        """What the user was given, as people see it."""
        if trial.output_sha256 is not None and trial.output_format is not None:
            return self._seen(self._bytes(address(self._store.bucket, (trial.output_sha256, trial.output_format))))
        assert trial.result_uri is not None  # noqa: S101  (a job that succeeded has a result)
        return self._seen(self._bytes(ObjectRef.parse(trial.result_uri)))

    def exact(self, trial: Measurable) -> Pixels | None:
        """The same in the tier exact, if something was left out of it and that is there."""
        return None if trial.exact_uri is None else self._seen(self._bytes(ObjectRef.parse(trial.exact_uri)))

    def region(self, trial: Measurable, sample: SamplePictures) -> Region:
        """What the trial might change: its edit region; of an imported result, the mask."""
        if trial.region_uri is None:
            return sample.mask
        return _marked(self._bytes(ObjectRef.parse(trial.region_uri)))

    def raws(self, trial: Measurable, sample: SamplePictures) -> Sequence[Raw]:
        """What the model was shown, returned, and was to paint, window by window; empty if it cannot be told.

        What it was shown is not stored. It is made again with the worker's own geometry: later windows show what was
        painted in those before.
        """
        if not trial.raws:
            return ()
        try:
            edit, rule = EditOptions.model_validate(trial.edit), SizeRule.model_validate(trial.card["size"])
            canvas = open_canvas(sample.source_bytes, sample.mask_bytes, edit, rule, self._limits)
        except (InpaintError, ValueError) as error:
            log.warning("raw_not_comparable", trial=str(trial.trial_id), reason=str(error))
            return ()
        if [window.described() for window in canvas.windows] != trial.windows or len(trial.raws) != len(canvas.windows):
            # The card or the geometry has changed since: what the model saw then cannot be made again.
            log.warning("raw_not_comparable", trial=str(trial.trial_id), reason="windows are planned otherwise now")
            return ()
        try:
            return self._shown_and_returned(canvas, trial.raws)
        except ObjectNotFound as error:
            log.warning("raw_not_comparable", trial=str(trial.trial_id), reason=str(error))
            return ()

    def _shown_and_returned(self, canvas: Canvas, uris: Sequence[str]) -> list[Raw]:
        found = []
        for number, (window, uri) in enumerate(zip(canvas.windows, uris, strict=True)):
            given, mask = canvas.show(number)
            raw = np.asarray(Image.open(io.BytesIO(self._bytes(ObjectRef.parse(uri)))).convert("RGB"))
            found.append(Raw(_content(given, window), _content(raw, window), _content(mask, window)))
            canvas.take(number, raw)
        return found

    def _bytes(self, ref: ObjectRef) -> bytes:
        return self._store.get(ref, _MOST_BYTES)

    def _seen(self, data: bytes) -> Pixels:
        source = open_source(data, self._limits)
        return np.ascontiguousarray(source.seen(source.pixels, source.alpha))


def _marked(data: bytes) -> Region:
    return np.asarray(Image.open(io.BytesIO(data)).convert("L")) > 127


def _content(pixels: np.ndarray, window: Window) -> np.ndarray:
    """Without what only pads the window to a shape that the model takes."""
    width, height = window.content
    return np.ascontiguousarray(pixels[:height, :width])
