"""Settings of segmenting a case."""

from __future__ import annotations

from pydantic import Field

from tasks.settings import StageSettings


class SegmentationSettings(StageSettings):
    """How a network's windows become a label map."""

    overlap: float = Field(
        default=0.5, ge=0, lt=1, description="Part of a window that it shares with the next one along each axis."
    )
    largest_component: bool = Field(
        default=False, description="Keep the largest connected part of all structures together: for one organ a case."
    )
