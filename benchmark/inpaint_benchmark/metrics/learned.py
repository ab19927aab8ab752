"""Metrics by networks: LPIPS and the CLIP score, where the extra `metrics` and the weights are on this machine.

Nothing is ever fetched. AlexNet's weights are looked for where torchvision keeps them (`torch.hub.get_dir()`, in
`checkpoints`), CLIP's in the cache of Hugging Face. All runs on the CPU, in float32: a GPU's numbers differ a little.
"""

from __future__ import annotations

from collections.abc import Callable

from inpaint_core.edit import Box
from inpaint_worker.geometry.region import cut

from inpaint_benchmark.metrics.areas import box_of
from inpaint_benchmark.metrics.clip import clip_missing, clip_score
from inpaint_benchmark.metrics.lpips import SMALLEST, lpips, lpips_missing
from inpaint_benchmark.metrics.metric import Reason, Value
from inpaint_benchmark.metrics.pictures import OutputPictures


def optional_metrics_available() -> dict[str, Reason | None]:
    """The metrics that need a network, by name; None: it can be computed here, else what is missing."""
    perceptual, semantic = lpips_missing(), clip_missing()
    return {
        "outside_lpips": perceptual,
        "truth_effect_lpips": perceptual,
        "inside_clip_score": semantic,
    }


def measure_learned(pictures: OutputPictures) -> dict[str, Value]:
    """All of them. What the pictures lack is told before what this machine lacks."""
    measures: dict[str, Callable[[OutputPictures], float | Reason]] = {
        "outside_lpips": _outside_lpips,
        "truth_effect_lpips": _truth_effect_lpips,
        "inside_clip_score": _inside_clip_score,
    }
    found = {name: measure(pictures) for name, measure in measures.items()}
    return {name: Value.none(answer) if isinstance(answer, Reason) else Value(answer) for name, answer in found.items()}


def _outside_lpips(pictures: OutputPictures) -> float | Reason:
    """Source beside delivered with the source's own region, so that only what changed outside counts."""
    if pictures.region.all():
        return Reason.NOTHING_OUTSIDE
    if min(pictures.region.shape) < SMALLEST:
        return Reason.REGION_TOO_SMALL
    missing = lpips_missing()
    if missing is not None:
        return missing
    kept = pictures.delivered.copy()
    kept[pictures.region] = pictures.source[pictures.region]
    return lpips(pictures.source, kept)


def _truth_effect_lpips(pictures: OutputPictures) -> float | Reason:
    """Ground truth beside delivered, in the box around the effect mask."""
    if pictures.truth is None:
        return Reason.NO_GROUND_TRUTH
    if pictures.effect_mask is None:
        return Reason.NO_EFFECT_MASK
    box = box_of(pictures.effect_mask)
    if box is None:
        return Reason.EMPTY_MASK
    if min(box.width, box.height) < SMALLEST:
        return Reason.REGION_TOO_SMALL
    return lpips_missing() or lpips(pictures.truth[cut(box)], pictures.delivered[cut(box)])


def _inside_clip_score(pictures: OutputPictures) -> float | Reason:
    """What was painted, with a little around it, beside the prompt."""
    if not pictures.prompt:
        return Reason.NO_PROMPT
    box = box_of(pictures.region)
    if box is None:
        return Reason.NOTHING_INSIDE
    height, width = pictures.region.shape
    return clip_missing() or clip_score(pictures.delivered[cut(square(box, width, height))], pictures.prompt)


def square(box: Box, width: int, height: int) -> Box:
    """A square around the box, a quarter longer than its longer side, within a picture of this width and height.

    CLIP sees squares. Where the picture is too narrow for one, it is the picture's whole width or height, which CLIP
    is then shown squeezed: better than to cut off what was painted.
    """
    side = round(1.25 * max(box.width, box.height))
    across, down = min(side, width), min(side, height)
    left = min(max(0, (box.left + box.right - across) // 2), width - across)
    top = min(max(0, (box.top + box.bottom - down) // 2), height - down)
    return Box(left, top, left + across, top + down)
