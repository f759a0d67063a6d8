"""Settings of normalize."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, field_validator

from tasks.settings import StageSettings

Positive = Annotated[float, Field(gt=0)]


class Settings(StageSettings):
    """The study's grid and how intensities become comparable. ``None`` lets the image's unit decide."""

    spacing_mm: tuple[Positive, Positive, Positive] | None = Field(
        default=None, description="Declared grid along (z, y, x) in mm; none keeps each image's own."
    )
    interpolation: Literal["linear", "cubic"] = "linear"
    clip: tuple[float, float] | None = Field(
        default=None,
        description="Range that intensities are cut to, in the unit of the image. None: HU -1024..3071, SUV 0..100.",
    )

    @field_validator("clip")
    @classmethod
    def _ascending(cls, clip: tuple[float, float] | None) -> tuple[float, float] | None:
        if clip is not None and not clip[0] < clip[1]:
            raise ValueError(f"expected the lower end first; got {clip[0]:g} and {clip[1]:g}")
        return clip
