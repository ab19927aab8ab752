"""What a caller asks for, before images are uploaded: a request whose pictures may still be files or objects."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, TypeAlias, TypeGuard

from inpaint_core.edit import ALPHA, EditOptions, MaskShapes
from inpaint_core.guides import ControlType
from inpaint_core.job import JobRequest, ParameterValue
from inpaint_core.parsing import parse_request
from inpaint_core.status import Priority
from inpaint_core.tiers import Tier

if TYPE_CHECKING:
    from PIL.Image import Image

#: A path, `s3://bucket/key`, encoded bytes, or a PIL image (which is stored as PNG).
ImageSource: TypeAlias = "str | Path | bytes | Image"
#: A picture, "alpha" for the transparent pixels of the source, or boxes and polygons. The word "alpha" is never a file:
#: one of that name is `Path("alpha")` or "./alpha".
MaskSource: TypeAlias = "ImageSource | MaskShapes | Mapping[str, Any] | Literal['alpha']"

#: What a picture that guides an edit is to it.
Guide: TypeAlias = "Literal['reference', 'control']"

#: Encoded images of one portion that are in memory together; decoded they are larger, but only eight at a time.
_PORTION_BYTES = 128 << 20


@dataclass(frozen=True, slots=True)
class JobSpec:
    """One edit to submit. Fields mean what they mean in `JobRequest`.

    `mask` is a picture in the forms of `source`, "alpha", or boxes and polygons:
    `{"boxes": [[left, top, right, bottom]], "polygons": [[[x, y], [x, y], [x, y]]]}`.
    """

    source: ImageSource
    mask: MaskSource
    model: str
    prompt: str = ""
    negative_prompt: str = ""
    seed: int | None = None
    parameters: Mapping[str, ParameterValue] = field(default_factory=dict)
    campaign: str | None = None
    tags: Mapping[str, str] = field(default_factory=dict)
    priority: Priority | str = Priority.NORMAL
    deadline: datetime | None = None
    idempotency_key: str | None = None
    edit: EditOptions | Mapping[str, Any] | None = None
    reference_image: ImageSource | None = None
    reference_strength: float | None = None
    control_image: ImageSource | None = None
    control_type: ControlType | str | None = None
    control_strength: float | None = None
    outputs: int = 1
    tier: Tier | str | None = None

    @property
    def guides(self) -> dict[Guide, ImageSource]:
        """The pictures that guide the edit, by role."""
        both: dict[Guide, ImageSource | None]
        both = {"reference": self.reference_image, "control": self.control_image}
        return {role: image for role, image in both.items() if image is not None}

    @property
    def images(self) -> list[ImageSource]:
        """Every picture that has to be read."""
        mask = [self.mask] if is_picture(self.mask) else []
        return [self.source, *mask, *self.guides.values()]

    def to_request(self, source_uri: str, mask_uri: str, guide_uri: str) -> JobRequest:
        """The request once its images have addresses; `InvalidRequest` if a field is wrong.

        `mask_uri` is of no use where the mask is no picture, `guide_uri` where nothing guides the edit.
        """
        return parse_request(
            {
                "model": self.model,
                "source": source_uri,
                "mask": mask_uri if is_picture(self.mask) else _plain(self.mask),
                "prompt": self.prompt,
                "negative_prompt": self.negative_prompt,
                "seed": self.seed,
                "parameters": dict(self.parameters),
                "reference_image": None if self.reference_image is None else guide_uri,
                "reference_strength": self.reference_strength,
                "control_image": None if self.control_image is None else guide_uri,
                "control_type": self.control_type,
                "control_strength": self.control_strength,
                "outputs": self.outputs,
                "tier": self.tier,
                "edit": {} if self.edit is None else _plain(self.edit),
                "campaign": self.campaign,
                "tags": dict(self.tags),
                "priority": self.priority,
                "deadline": self.deadline,
                "idempotency_key": self.idempotency_key,
            }
        )


def is_picture(mask: MaskSource) -> TypeGuard[ImageSource]:
    """Whether the mask is a picture of its own, which has to be read and stored."""
    # Typed first: a PIL image compares with a text by its pixels.
    return not (isinstance(mask, MaskShapes | Mapping) or (isinstance(mask, str) and mask == ALPHA))


def _plain(value: Any) -> Any:
    return dict(value) if isinstance(value, Mapping) else value


def take_portion(specs: Iterator[JobSpec], count: int) -> list[JobSpec]:
    """At most `count` of the specs, fewer if their images are large."""
    portion: list[JobSpec] = []
    size, seen = 0, set()
    for spec in itertools.islice(specs, count):
        portion.append(spec)
        for image in spec.images:
            if id(image) not in seen:
                seen.add(id(image))
                size += _encoded_size(image)
        if size > _PORTION_BYTES:
            break
    return portion


def _encoded_size(image: ImageSource) -> int:
    """About how many bytes reading it will take; what cannot be read will be told of later."""
    if isinstance(image, bytes):
        return len(image)
    if isinstance(image, str | Path):
        path = Path(image)
        return path.stat().st_size if path.is_file() else 0
    return getattr(image, "width", 0) * getattr(image, "height", 0) * 3
