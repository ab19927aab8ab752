"""How an edit is to be made: what the mask means, how the picture is fitted to the model, how the result is stored."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Any, Literal, NamedTuple

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from inpaint_core.errors import InvalidRequest

#: Coordinates beyond any picture that the fleet takes are slips.
_FURTHEST = 100_000
#: Points of all polygons together: enough for an outline by hand, and less than a message may hold.
_MOST_POINTS = 1_000
#: Encoder quality where a request names none, by format.
QUALITY = {"jpeg": 95, "webp": 92, "avif": 85}


class Polarity(StrEnum):
    """Which pixels of a mask are repainted."""

    WHITE = "white"
    BLACK = "black"
    TRANSPARENT = "transparent"


class Fit(StrEnum):
    """How much of the picture the model sees."""

    CROP = "crop"
    WHOLE = "whole"


class Detail(StrEnum):
    """How large the model paints."""

    NATIVE = "native"
    FULL = "full"


class OutputFormat(StrEnum):
    """What the result is stored as. Only PNG keeps every pixel."""

    PNG = "png"
    JPEG = "jpeg"
    WEBP = "webp"
    AVIF = "avif"


#: Longest side that can be written and read again: libjpeg's limit, WebP's format, and what AVIF decoders take.
LONGEST_SIDE = {OutputFormat.JPEG: 65_500, OutputFormat.WEBP: 16_383, OutputFormat.AVIF: 32_768}


class EditOptions(BaseModel):
    """The options of an edit. Lengths are pixels of the source."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    polarity: Annotated[Polarity, Field(description="Which pixels of the mask are repainted")] = Polarity.WHITE
    threshold: Annotated[int, Field(ge=1, le=255, description="Mask values from here on, of 255, count as marked")] = (
        128
    )
    resize_mask: Annotated[bool, Field(description="Resize a mask of another size instead of refusing it")] = False
    fill_holes: Annotated[bool, Field(description="Repaint what the mask encloses, too")] = False
    grow: Annotated[float, Field(ge=0, le=1024, description="Extend the marked area by so many pixels")] = 0
    feather: Annotated[
        float, Field(ge=0, le=1024, description="Fade the new content in over so many pixels, inwards from the border")
    ] = 0
    fit: Annotated[Fit, Field(description="Show the model the surroundings of the edit, or the whole picture")] = (
        Fit.CROP
    )
    padding: Annotated[
        int | None,
        Field(ge=0, le=16_384, description="Context around the edit, pixels, at least 4; absent: by its size"),
    ] = None
    detail: Annotated[
        Detail, Field(description="native: the area the model was trained at; full: up to the largest it takes")
    ] = Detail.NATIVE
    format: Annotated[OutputFormat, Field(description="Stored as; all but png are not exact")] = OutputFormat.PNG
    quality: Annotated[int | None, Field(ge=1, le=100, description="Encoder quality of jpeg, webp and avif")] = None
    keep_raw: Annotated[bool, Field(description="Also store what the model returned, before it was put back")] = False

    @model_validator(mode="after")
    def _quality_is_of_use(self) -> EditOptions:
        if self.quality is not None and self.format is OutputFormat.PNG:
            raise ValueError("quality is for jpeg, webp and avif; png keeps every pixel and has none")
        if self.padding is not None and self.fit is Fit.WHOLE:
            raise ValueError("padding is for the fit crop; with whole, the model sees the whole picture")
        return self

    @field_validator("format", mode="before")
    @classmethod
    def _as_people_write_it(cls, value: Any) -> Any:
        name = value.lower() if isinstance(value, str) else value
        return "jpeg" if name == "jpg" else name

    def check_size(self, width: int, height: int) -> None:
        """`InvalidRequest` if the format of the output cannot hold a picture of this size."""
        longest = LONGEST_SIDE.get(self.format)
        if longest is not None and max(width, height) > longest:
            raise InvalidRequest(
                f"edit.format: the source is {width}x{height} pixels, and {self.format} holds at most {longest:,} on a "
                "side. Take png.",
                field="edit.format",
            )

    def said(self) -> dict[str, Any]:
        """The options that differ from the defaults, as plain data: what the database keeps."""
        return self.model_dump(mode="json", exclude_defaults=True)


class Box(NamedTuple):
    """A rectangle in pixels. `right` and `bottom` are the first column and row outside of it."""

    left: int
    top: int
    right: int
    bottom: int

    @property
    def width(self) -> int:
        """Columns."""
        return self.right - self.left

    @property
    def height(self) -> int:
        """Rows."""
        return self.bottom - self.top

    @property
    def area(self) -> int:
        """Pixels."""
        return self.width * self.height

    def __or__(self, other: Box) -> Box:
        """The smallest box around both."""
        return Box(
            min(self.left, other.left),
            min(self.top, other.top),
            max(self.right, other.right),
            max(self.bottom, other.bottom),
        )

    def __and__(self, other: Box) -> Box:
        """What both have in common; without area if that is nothing."""
        left, top = max(self.left, other.left), max(self.top, other.top)
        return Box(left, top, max(left, min(self.right, other.right)), max(top, min(self.bottom, other.bottom)))

    def moved(self, right: int, down: int) -> Box:
        """The same box elsewhere."""
        return Box(self.left + right, self.top + down, self.right + right, self.bottom + down)


_X = Annotated[int, Field(ge=-_FURTHEST, le=_FURTHEST)]
_Coordinate = Annotated[float, Field(ge=-_FURTHEST, le=_FURTHEST)]
_Corners = tuple[_X, _X, _X, _X]
_Points = Annotated[tuple[tuple[_Coordinate, _Coordinate], ...], Field(min_length=3, max_length=_MOST_POINTS)]


class MaskShapes(BaseModel):
    """A mask as boxes and polygons, in pixels of the source as displayed. (0, 0) is its upper left corner."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    boxes: Annotated[
        tuple[_Corners, ...],
        Field(max_length=256, description="[left, top, right, bottom]; right and bottom are just outside"),
    ] = ()
    polygons: Annotated[tuple[_Points, ...], Field(max_length=256, description="Corners [x, y] in their order")] = ()

    @model_validator(mode="after")
    def _marks_something(self) -> MaskShapes:
        if not self.boxes and not self.polygons:
            raise ValueError("needs at least one box or polygon")
        for left, top, right, bottom in self.boxes:
            if left >= right or top >= bottom:
                raise ValueError(
                    f"box [{left}, {top}, {right}, {bottom}] is empty: it must be [left, top, right, bottom] with left "
                    "< right and top < bottom"
                )
        points = sum(len(polygon) for polygon in self.polygons)
        if points > _MOST_POINTS:
            raise ValueError(f"the polygons have {points:,} points together, and at most {_MOST_POINTS:,} are taken")
        return self


#: The mask of a request that takes the transparency of its source.
ALPHA: Literal["alpha"] = "alpha"
