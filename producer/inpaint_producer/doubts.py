"""What can be done and still looks like a mistake."""

from __future__ import annotations

from inpaint_core.card import ModelCard, PromptUse
from inpaint_core.edit import OutputFormat
from inpaint_core.images import ImageFacts
from inpaint_core.job import JobRequest
from inpaint_core.log import get_logger
from inpaint_core.masks import FEW_PIXELS, LARGE_SHARE, SMALL_SHARE
from inpaint_core.status import MaskKind

#: Modes of files that always have transparency. A palette may have it, too, which its mode does not tell.
_TRANSPARENT_MODES = ("RGBA", "LA", "PA", "La", "RGBa")
#: Resizing that changes the shape of a mask by more than rounding does moves what it marks.
_STRETCHED = 0.02
log = get_logger("inpaint.producer")


def warn(card: ModelCard, request: JobRequest, source: ImageFacts, mask: ImageFacts | None, marked: int) -> None:
    """Log what is allowed and still looks like a mistake. `mask`: if it is a picture; `marked`: pixels to repaint."""
    if request.prompt.strip() and card.prompt is PromptUse.IGNORED:
        log.warning("prompt_ignored", model=card.name)
    if request.negative_prompt.strip() and (why := _why_not_negative(card, request)):
        log.warning("negative_prompt_ignored", model=card.name, why=why)
    _warn_of_area(marked, source.width * source.height)
    if mask is not None and abs(mask.width * source.height / (mask.height * source.width) - 1) > _STRETCHED:
        log.warning("mask_stretched", mask=_size(mask), source=_size(source))
    if request.mask_kind is not MaskKind.OBJECT and (unused := _of_mask_pictures(request)):
        log.warning("mask_options_unused", options=", ".join(unused), mask=request.mask_kind.value)
    filled = request.mask_kind is MaskKind.ALPHA
    if request.edit.format is OutputFormat.JPEG and source.mode in _TRANSPARENT_MODES and not filled:
        log.warning("jpeg_has_no_transparency")


def _why_not_negative(card: ModelCard, request: JobRequest) -> str | None:
    """Why a negative prompt does nothing: the model knows none, or its guidance away from it is off."""
    if not card.negative_prompt:
        return "it knows none"
    name = "true_guidance" if "true_guidance" in card.parameters else "guidance"
    value = card.resolve(request.parameters).get(name)
    off = 0 if card.family == "z-image" else 1  # as diffusers counts for each
    return (
        f"{name} is {value:g}, and only above {off} does it count"
        if isinstance(value, int | float) and value <= off
        else None
    )


def _warn_of_area(marked: int, pixels: int) -> None:
    if marked / pixels > LARGE_SHARE:
        log.warning("mask_marks_most", share=f"{marked / pixels:.1%}")
    elif marked < max(FEW_PIXELS, SMALL_SHARE * pixels):
        log.warning("mask_marks_little", pixels=f"{marked:,} of {pixels:,}")


def _of_mask_pictures(request: JobRequest) -> list[str]:
    """Options that say how the picture of a mask is read; the threshold counts for transparency, too."""
    names = ["polarity", "resize_mask"] + (["threshold"] if request.mask_kind is MaskKind.SHAPES else [])
    return [name for name in names if name in request.edit.said()]


def _size(image: ImageFacts) -> str:
    return f"{image.width}x{image.height}"
