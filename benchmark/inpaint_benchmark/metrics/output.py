"""All metrics of one result."""

from __future__ import annotations

from inpaint_worker.arrays import Region

from inpaint_benchmark.metrics.areas import middles
from inpaint_benchmark.metrics.comparison import Comparison
from inpaint_benchmark.metrics.inside import measure_inside
from inpaint_benchmark.metrics.learned import measure_learned
from inpaint_benchmark.metrics.metric import Reason, Value
from inpaint_benchmark.metrics.pictures import OutputPictures
from inpaint_benchmark.metrics.seam import seam_ratio
from inpaint_benchmark.metrics.similarity import WINDOW


def measure_output(pictures: OutputPictures) -> dict[str, Value]:
    """Every metric whose scope is "output", by name, in the order of `METRICS`.

    1024 x 768 takes about a second of one core, most of it for what differs outside; memory stays under 200 MB beyond
    the pictures at 12 megapixels. The metrics of the extra `metrics` take longer, where their weights are there.
    """
    return {
        **_raw_outside(pictures),
        **_outside(pictures),
        "seam_ratio": seam_ratio(pictures.delivered, pictures.region),
        **measure_inside(pictures.source, pictures.delivered, pictures.region),
        **_truth("object", pictures, pictures.object_mask, Reason.NO_OBJECT_MASK),
        **_truth("effect", pictures, pictures.effect_mask, Reason.NO_EFFECT_MASK),
        **_exact(pictures),
        **measure_learned(pictures),
    }


def _raw_outside(pictures: OutputPictures) -> dict[str, Value]:
    """What the model did to what it was not to touch, over all windows."""
    found = Comparison()
    for given, raw, mask in pictures.raws:
        outside = ~mask
        found.add(given, raw, outside, _clear(outside))
    empty = Reason.NOTHING_OUTSIDE if pictures.raws else Reason.NO_RAW_OUTPUT
    return {f"raw_outside_{name}": value for name, value in found.values(empty).items()}


def _outside(pictures: OutputPictures) -> dict[str, Value]:
    """What has changed in the delivered picture that was not to."""
    found, outside = Comparison(), ~pictures.region
    found.add(pictures.source, pictures.delivered, outside, _clear(outside))
    return {f"outside_{name}": value for name, value in found.values(Reason.NOTHING_OUTSIDE).items()}


def _clear(outside: Region) -> Region:
    """Where SSIM looks outside: at windows that lie wholly outside, and in the picture.

    A window that reaches into the region would count what was painted there as damage. Without a region this is the
    mean SSIM of the paper and of scikit-image, which leave out the border of the picture.
    """
    return middles(outside, WINDOW)


def _exact(pictures: OutputPictures) -> dict[str, Value]:
    """What a quicker tier has cost: the delivered picture beside that of the tier exact, in the edit region."""
    names = ("psnr", "ssim", "delta_e")
    if pictures.exact is None:
        reason = Reason.NO_EXACT_TRIAL if pictures.lossy else Reason.IS_EXACT
        return {f"exact_{name}": Value.none(reason) for name in names}
    found = Comparison()
    found.add(pictures.exact, pictures.delivered, pictures.region, pictures.region)
    values = found.values(Reason.NOTHING_INSIDE)
    return {f"exact_{name}": values[name] for name in names}


def _truth(kind: str, pictures: OutputPictures, mask: Region | None, missing: Reason) -> dict[str, Value]:
    """The delivered picture beside the ground truth, over the pixels of a mask.

    SSIM is the mean over all pixels of the mask: their windows reach 5 pixels over its edge, where the pictures should
    agree as well. A mask is often too thin to hold whole windows.
    """
    names = ("psnr", "ssim", "delta_e")
    if pictures.truth is None or mask is None:
        reason = Reason.NO_GROUND_TRUTH if pictures.truth is None else missing
        return {f"truth_{kind}_{name}": Value.none(reason) for name in names}
    found = Comparison()
    found.add(pictures.truth, pictures.delivered, mask, mask)
    values = found.values(Reason.EMPTY_MASK)
    return {f"truth_{kind}_{name}": values[name] for name in names}
