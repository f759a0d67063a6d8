"""Settings of evaluate for segmentation."""

from __future__ import annotations

from pydantic import Field

from tasks.settings import StageSettings


class CompareSettings(StageSettings):
    """How a label map is compared with the annotated one."""

    tolerance_mm: float = Field(
        default=1.0, ge=0, description="Surfaces no further apart than this count as the same, for the surface Dice."
    )


class SegmentationSettings(CompareSettings):
    """How label maps are compared, and how intervals are drawn."""

    draws: int = Field(default=2000, ge=100, description="Bootstrap draws of patients.")
    seed: int = Field(default=0, ge=0)
    level: float = Field(default=0.95, gt=0.5, lt=1, description="Confidence of all intervals.")
