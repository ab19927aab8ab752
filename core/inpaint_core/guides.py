"""Pictures that guide an edit beside its prompt: a reference shows what belongs there, a control image where."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field


class ControlType(StrEnum):
    """What a control image shows. White on black, if nothing else is said."""

    #: Edges as Canny's detector draws them: thin and hard.
    CANNY = "canny"
    #: Edges with soft shades, as HED or PiDiNet draw them.
    SOFT_EDGE = "soft-edge"
    #: Lines drawn by hand.
    SKETCH = "sketch"
    #: Straight lines, as M-LSD finds them.
    LINES = "lines"
    #: Grey: the nearer, the brighter.
    DEPTH = "depth"
    #: A skeleton in OpenPose's colours.
    POSE = "pose"


#: Lowest and highest that a request may give.
REFERENCE_STRENGTH = (0.0, 1.0)
CONTROL_STRENGTH = (0.0, 2.0)


class ReferenceUse(BaseModel):
    """That a model takes a reference image, and how."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    by: Annotated[str, Field(description="For people: IP-Adapter, Redux, its own input, ...")]
    strength: Annotated[
        float | None,
        Field(ge=REFERENCE_STRENGTH[0], le=REFERENCE_STRENGTH[1], description="Default; absent: it has no strength"),
    ] = None


class ControlUse(BaseModel):
    """That a model takes a control image, of which types, and how strongly it binds if nobody says."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    by: Annotated[str, Field(description="For people: the name of the ControlNet")]
    types: Annotated[tuple[ControlType, ...], Field(min_length=1)]
    strength: Annotated[float, Field(ge=CONTROL_STRENGTH[0], le=CONTROL_STRENGTH[1])]
