"""Which pictures a model takes."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, model_validator


class SizeRule(BaseModel):
    """Which pictures a model takes. The fleet crops, scales and pads to it. Areas are pixels."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    multiple_of: Annotated[int, Field(ge=1, le=512, description="Both sides are multiples of it")] = 1
    native_area: Annotated[
        int | None,
        Field(ge=1, description="What it was trained at, and paints best; absent: any, at the source's scale"),
    ] = None
    max_area: Annotated[int | None, Field(ge=1, description="Largest picture; absent: as native_area")] = None
    max_side: Annotated[int | None, Field(ge=1, description="Longest side; absent: as area and aspect allow")] = None
    max_aspect: Annotated[float, Field(ge=1, description="Longest side through shortest")] = 2

    @model_validator(mode="after")
    def _fits_together(self) -> SizeRule:
        if self.native_area is None:
            if self.max_area or self.max_side or self.multiple_of > 1:
                raise ValueError("multiple_of, max_area and max_side need a native_area")
            return self
        if self.native_area < self.multiple_of**2:
            raise ValueError(f"native_area {self.native_area} is less than one square of multiple_of")
        if self.max_area is not None and self.max_area < self.native_area:
            raise ValueError(f"max_area {self.max_area} is less than native_area {self.native_area}")
        if self.max_side is not None and self.max_side**2 < self.native_area:
            raise ValueError(f"max_side {self.max_side} leaves no room for native_area {self.native_area}")
        return self
