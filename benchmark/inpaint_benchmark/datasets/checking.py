"""The pictures of a sample, decoded once and checked: readable, of one size, and a mask that marks a part."""

from __future__ import annotations

import hashlib
import io
from collections.abc import Mapping
from dataclasses import dataclass

from inpaint_core.edit import Polarity
from inpaint_core.errors import EmptyMask, FullMask, ImageError, MaskSizeMismatch
from inpaint_core.images import Limits, open_image
from inpaint_core.masks import Reading, binary_mask, count_marked
from inpaint_core.settings import Settings
from PIL import Image

from inpaint_benchmark.datasets.facts import SampleFacts
from inpaint_benchmark.datasets.loaded import LoadedSample, Role

_REMEDY = "export it at the size of the source"


@dataclass(frozen=True, slots=True)
class Picture:
    """An encoded picture. `name` is what messages call it; `digest`, if given, stands for that of the bytes."""

    data: bytes
    name: str
    digest: str | None = None


@dataclass(frozen=True, slots=True)
class DrawnMask:
    """A mask that was not a file: mode L, 255 where it marks. `remedy`: what to do if its size is not the source's."""

    image: Image.Image
    name: str
    remedy: str = _REMEDY


def usual_limits() -> Limits:
    """What a picture may be where no setting says otherwise."""
    usual = {name: field.default for name, field in Settings.model_fields.items()}
    return Limits(usual["max_image_bytes"], usual["max_image_pixels"], usual["max_image_side"])


def checked_sample(
    facts: SampleFacts,
    source: Picture,
    mask: Picture | DrawnMask,
    *,
    polarity: Polarity,
    limits: Limits,
    others: Mapping[Role, Picture] | None = None,
) -> LoadedSample:
    """A sample of its pictures. `polarity` says which pixels of its masks mark.

    Raises an `ImageError` for a picture that cannot be opened, that has another size than the source, or for a mask
    that marks nothing or all. Object and effect masks may do either: an object without a shadow has no effects.
    """
    size = open_image(source.data, limits, f"source {source.name}").size
    marks = _mask(mask, polarity, limits)
    images = {Role.SOURCE: source.data}
    digests = {Role.SOURCE: source.digest or hashlib.sha256(source.data).hexdigest()}
    drawn = {Role.MASK: (marks, mask.name, mask.remedy if isinstance(mask, DrawnMask) else _REMEDY)}
    for role, picture in (others or {}).items():
        if role in (Role.OBJECT_MASK, Role.EFFECT_MASK):
            drawn[role] = (_any_mask(picture, role, polarity, limits), picture.name, _REMEDY)
            continue
        what = f"{role} {picture.name}"
        found = open_image(picture.data, limits, what).size
        if role is Role.TRUTH and found != size:
            raise ImageError(
                f"The {what} is {_by(found)} pixels and the source {source.name} {_by(size)}. They must be equal, as "
                "displayed: export the truth at the size of the source, or leave it out.",
                what=what,
            )
        images[role] = picture.data
        digests[role] = picture.digest or hashlib.sha256(picture.data).hexdigest()
    for role, (image, name, remedy) in drawn.items():
        _same_size(image, f"{role.replace('_', ' ')} {name}", size, source.name, remedy)
        images[role] = png(image)
        digests[role] = pixel_digest(image)
    coverage = count_marked(marks) / (marks.width * marks.height)
    return LoadedSample(facts, images, digests, *size, coverage)


def png(image: Image.Image) -> bytes:
    """The picture as a PNG."""
    buffer = io.BytesIO()
    image.save(buffer, "PNG", icc_profile=image.info.get("icc_profile"))
    return buffer.getvalue()


def pixel_digest(image: Image.Image) -> str:
    """sha256 over size, mode and pixels: equal whatever wrote the file."""
    digest = hashlib.sha256(f"{image.mode} {image.width}x{image.height}\n".encode())
    digest.update(image.tobytes())
    return digest.hexdigest()


def _mask(mask: Picture | DrawnMask, polarity: Polarity, limits: Limits) -> Image.Image:
    what = f"mask {mask.name}"
    image = mask.image if isinstance(mask, DrawnMask) else open_image(mask.data, limits, what)
    return binary_mask(image, what, Reading(polarity))


def _any_mask(picture: Picture, role: Role, polarity: Polarity, limits: Limits) -> Image.Image:
    what = f"{role.replace('_', ' ')} {picture.name}"
    image = open_image(picture.data, limits, what)
    try:
        return binary_mask(image, what, Reading(polarity))
    except EmptyMask:
        return Image.new("L", image.size, 0)
    except FullMask:
        return Image.new("L", image.size, 255)


def _same_size(mask: Image.Image, what: str, size: tuple[int, int], source: str, remedy: str) -> None:
    if mask.size == size:
        return
    remedy = "turn it" if mask.size == size[::-1] else remedy
    raise MaskSizeMismatch(
        f"The {what} is {_by(mask.size)} pixels and the source {source} {_by(size)}. They must be equal, as "
        f"displayed (a photo that EXIF turns upright counts upright): {remedy}.",
        mask=mask.size,
        source=size,
    )


def _by(size: tuple[int, int]) -> str:
    return f"{size[0]}x{size[1]}"
