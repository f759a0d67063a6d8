"""Settings of evaluate for pictures."""

from __future__ import annotations

from pydantic import Field

from tasks.settings import StageSettings


class Settings(StageSettings):
    """How intervals are drawn."""

    draws: int = Field(default=2000, ge=100, description="Bootstrap draws of groups.")
    seed: int = Field(default=0, ge=0)
