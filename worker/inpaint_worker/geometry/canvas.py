"""The picture of a job, from what people send to what is stored, with every pixel outside the edit region untouched."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace

import numpy as np
from inpaint_core.edit import EditOptions, MaskShapes, OutputFormat
from inpaint_core.images import Limits
from inpaint_core.masks import (
    FEW_PIXELS,
    LARGE_SHARE,
    SMALL_SHARE,
    Reading,
    check_pair,
    no_transparency,
    open_mask,
    shapes_mask,
    transparency_mask,
)
from inpaint_core.size import SizeRule
from PIL import Image

from inpaint_worker.arrays import Pixels, Region, Samples, white
from inpaint_worker.geometry.colour import to_eight_bits
from inpaint_worker.geometry.encode import Encoded, encode_raw, encode_region, encode_result
from inpaint_worker.geometry.fit import Window, plan_windows
from inpaint_worker.geometry.measure import Fitting, RawDifference, measure_fitting
from inpaint_worker.geometry.region import EditRegion, cut, make_region
from inpaint_worker.geometry.source import Source, open_source
from inpaint_worker.geometry.stitch import put_in
from inpaint_worker.geometry.verify import Wanted, count_changed_lossy, verify_exact
from inpaint_worker.geometry.view import shown, shown_mask, taken_back

#: What the mask of a job is: the bytes of a picture, shapes, or None for the transparency of the source.
MaskInput = bytes | MaskShapes | None


@dataclass(frozen=True, slots=True)
class Result:
    """The output of a job, proven, with what was measured of it."""

    encoded: Encoded
    exact: bool
    outside_changed_pixels: int
    raw: RawDifference
    fitting: Fitting


@dataclass(slots=True)
class Canvas:
    """A source, what may change of it, and what has been painted so far."""

    source: Source
    region: EditRegion
    windows: tuple[Window, ...]
    edit: EditOptions
    #: The source with what was painted.
    picture: Samples
    #: What is still to be painted.
    pending: Region
    #: The transparent pixels are the mask: what is painted there becomes opaque.
    fills_alpha: bool = False
    warnings: list[str] = field(default_factory=list)
    raw: RawDifference = field(default_factory=RawDifference)
    raw_outputs: list[Pixels] = field(default_factory=list)
    #: The control image in the size of the source, if there is one.
    control: Pixels | None = None
    _given: tuple[Pixels, Region] | None = None

    @classmethod
    def blank(cls, source: Source, region: EditRegion, windows: tuple[Window, ...], edit: EditOptions) -> Canvas:
        """Nothing painted yet."""
        return cls(source, region, windows, edit, source.pixels.copy(), region.marked.copy())

    def again(self) -> Canvas:
        """The same with nothing painted yet: for another output."""
        fresh = Canvas.blank(self.source, self.region, self.windows, self.edit)
        return replace(fresh, fills_alpha=self.fills_alpha, warnings=self.warnings, control=self.control)

    def show(self, number: int) -> tuple[Pixels, Region]:
        """What the model is shown of window `number`, from 0: H x W x 3 uint8 sRGB, and its mask."""
        window = self.windows[number]
        area = cut(window.box)
        alpha = None if self.source.alpha is None else self.source.alpha[area]
        image = shown(self.source.seen(self.picture[area], alpha), window)
        mask = shown_mask(self.pending[area], window)
        # A pipeline may write into what it is given, and what it was given is what its output is measured by.
        handed = image.copy(), mask.copy()
        self._given = image, mask
        return handed

    def show_control(self, number: int) -> Pixels | None:
        """What belongs of the control image to window `number`, in the size that the model is shown."""
        if self.control is None:
            return None
        window = self.windows[number]
        # Copied, as a pipeline may write into what it is given.
        return shown(self.control[cut(window.box)].copy(), window)

    def take(self, number: int, painted: Pixels) -> None:
        """Put what the model returned for window `number`, which was the last that was shown, into the picture."""
        window = self.windows[number]
        if self._given is None or painted.shape != self._given[0].shape or painted.dtype != np.uint8:
            wanted = f"{window.size[1]}x{window.size[0]}x3 uint8"
            raise ValueError(f"The pipeline returned {painted.shape} {painted.dtype}, expected {wanted}")
        given, mask = self._given
        self._given = None
        self.raw.add(given, painted, mask, window)
        if self.edit.keep_raw:
            self.raw_outputs.append(painted)
        area = cut(window.target)
        inner = cut(window.target.moved(-window.box.left, -window.box.top))
        new = self.source.colours.stored(taken_back(painted, window)[inner], self.picture.dtype)
        put_in(self.picture[area], new, self.pending[area], self._weights(window))
        self.pending[area] = False

    def _weights(self, window: Window) -> Samples | None:
        if self.region.weights is None:
            return None
        return self.region.weights[cut(window.target.moved(-self.region.box.left, -self.region.box.top))]

    def result(self) -> Result:
        """Encode the picture, decode that again, and prove that nothing outside the region has changed.

        Raises `PreservationFailed` if it has.
        """
        alpha = self._alpha()
        encoded = encode_result(self.picture, alpha, self.source.profile, self.edit)
        exact = self.edit.format is OutputFormat.PNG
        wanted = Wanted(self.source.pixels, self.picture, alpha, self.source.profile, self.region.marked)
        changed = verify_exact(encoded, wanted) if exact else count_changed_lossy(encoded, wanted)
        fitting = measure_fitting(self.source.pixels, self.picture, self.region)
        return Result(encoded, exact, changed, self.raw, fitting)

    def others(self) -> list[tuple[str, Encoded]]:
        """What else is stored, with its kind: the edit region, and on request what the model returned."""
        raws = [encode_raw(painted, number) for number, painted in enumerate(self.raw_outputs, start=1)]
        return [
            ("region", encode_region(self.region.marked)),
            *((encoded.name.removesuffix(".png"), encoded) for encoded in raws),
        ]

    def _alpha(self) -> Samples | None:
        alpha = self.source.alpha
        if alpha is None or not self.fills_alpha:
            return alpha
        filled = alpha.copy()
        area = cut(self.region.box)
        opaque = np.full_like(filled[area], white(alpha))
        put_in(filled[area], opaque, self.region.marked[area], self.region.weights)
        return filled


def open_canvas(data: bytes, mask: MaskInput, edit: EditOptions, rule: SizeRule, limits: Limits) -> Canvas:
    """Decode the inputs of a job and plan its windows; raises the `ImageError`s of `inpaint_core`."""
    source = open_source(data, limits)
    edit.check_size(*source.size)
    region = make_region(_mask(source, mask, edit, limits), edit)
    warnings = [*source.warnings, *_doubts(source, region, mask, edit)]
    if edit.format is not OutputFormat.PNG and source.bits > 8:
        source.normalised["bits"] = {"before": source.bits, "after": 8}
    if edit.format is OutputFormat.JPEG and source.alpha is not None:
        source.normalised["transparency"] = {"before": "kept in the file", "after": "flattened onto white"}
    windows = plan_windows(region, rule, edit)
    canvas = Canvas.blank(source, region, windows, edit)
    canvas.fills_alpha, canvas.warnings = mask is None, warnings
    return canvas


def _mask(source: Source, mask: MaskInput, edit: EditOptions, limits: Limits) -> Pixels:
    if mask is None:
        if source.alpha is None:
            raise no_transparency("source", "RGB")
        return np.asarray(transparency_mask(Image.fromarray(255 - to_eight_bits(source.alpha)), edit.threshold))
    if isinstance(mask, MaskShapes):
        return np.asarray(shapes_mask(mask, source.size))
    drawn = open_mask(mask, limits, "mask", Reading.of(edit, source.size))
    check_pair(source, drawn)
    return np.asarray(drawn)


def _doubts(source: Source, region: EditRegion, mask: MaskInput, edit: EditOptions) -> Iterator[str]:
    """What is allowed, and may still be a mistake."""
    if region.feather < edit.feather:
        yield (
            f"A feather of {edit.feather:g} pixels is wider than the edit region is deep: it was shortened to "
            f"{region.feather:.3g}, and thinner parts change little."
        )
    if edit.format is not OutputFormat.PNG and source.bits > 8:
        yield f"The source has 16 bits a sample, and {edit.format.upper()} keeps 8."
    pixels, whole = region.pixels, region.marked.size
    if pixels < max(FEW_PIXELS, SMALL_SHARE * whole):
        yield f"The edit region has only {pixels:,} of {whole:,} pixels."
    elif pixels > LARGE_SHARE * whole:
        yield f"The edit region leaves only {1 - pixels / whole:.1%} of the picture. Is the mask inverted?"
    if source.alpha is None:
        return
    if mask is None:
        if left := int(np.count_nonzero((source.alpha < white(source.alpha)) & ~region.marked)):
            yield (
                f"{left:,} pixels are partly transparent and outside of the edit region: they stay so. To fill them, "
                "use a threshold of 1, or grow the region."
            )
        return
    area = cut(region.box)
    hidden = int(np.count_nonzero(source.alpha[area][region.marked[area]] == 0))
    if hidden:
        yield (
            f"{hidden:,} pixels of the edit region are fully transparent in the source and stay so: what is painted "
            "there cannot be seen. To fill them, use the mask 'alpha'."
        )
