"""Pictures that guide an edit beside its prompt: a reference shows what belongs there, a control image where."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from inpaint_core.errors import ControlMismatch


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
#: Shapes that differ by no more than this are the same, rounded.
_SAME_SHAPE = 0.02


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


def check_control(source: tuple[int, int], control: tuple[int, int]) -> None:
    """`ControlMismatch` unless both (width, height) have one shape: it is laid over the source, whatever its size."""
    if abs(control[0] * source[1] / (control[1] * source[0]) - 1) > _SAME_SHAPE:
        raise ControlMismatch(
            f"The control image is {control[0]}x{control[1]} pixels and the source {source[0]}x{source[1]}: their "
            "shapes differ. It covers the whole source, as displayed; draw it in the source's proportions.",
            control=control,
            source=source,
        )
