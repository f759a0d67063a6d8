"""Settings of the report over pictures."""

from __future__ import annotations

from pydantic import Field

from tasks.settings import StageSettings


class Settings(StageSettings):
    """How much is shown."""

    gallery: int = Field(default=24, ge=0, le=500, description="Pictures shown, half of them wrong ones if there are.")
    headline: str = Field(default="accuracy", description="The metric at the top of the page.")
