"""Settings of the report over label maps."""

from __future__ import annotations

from pydantic import Field

from tasks.report.settings import Window
from tasks.settings import StageSettings


class SegmentationSettings(StageSettings):
    """What is shown, and how."""

    headline: str = Field(default="dice", description="The metric at the top of the page.")
    shown: int = Field(default=3, ge=0, le=60, description="Cases with pictures: the best, the worst, and between.")
    window: Window = Field(
        default=Window(name="0.5–99.5 %", low=0.5, high=99.5, percentile=True), description="Grey scale of pictures."
    )
    maximum_pixels: int = Field(default=320, ge=64, description="A picture has at most so many rows and columns.")
