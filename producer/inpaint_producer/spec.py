"""What a caller asks for, before images are uploaded: a request whose pictures may still be files or objects."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

from inpaint_core.job import JobRequest, ParameterValue, parse_request
from inpaint_core.status import Priority

if TYPE_CHECKING:
    from PIL.Image import Image

#: A path, `s3://bucket/key`, encoded bytes, or a PIL image (which is stored as PNG).
ImageSource: TypeAlias = "str | Path | bytes | Image"


@dataclass(frozen=True, slots=True)
class JobSpec:
    """One edit to submit. Fields mean what they mean in `JobRequest`."""

    source: ImageSource
    mask: ImageSource
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

    def to_request(self, source_uri: str, mask_uri: str) -> JobRequest:
        """The request once its images have addresses; `InvalidRequest` if a field is wrong."""
        return parse_request(
            {
                "model": self.model,
                "source": source_uri,
                "mask": mask_uri,
                "prompt": self.prompt,
                "negative_prompt": self.negative_prompt,
                "seed": self.seed,
                "parameters": dict(self.parameters),
                "campaign": self.campaign,
                "tags": dict(self.tags),
                "priority": self.priority,
                "deadline": self.deadline,
                "idempotency_key": self.idempotency_key,
            }
        )
