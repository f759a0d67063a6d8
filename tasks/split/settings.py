"""Settings of split."""

from __future__ import annotations

from pydantic import Field

from tasks.imaging.duplicates import Settings as DuplicateSettings
from tasks.settings import StageSettings


class Settings(StageSettings):
    """How patients are dealt into folds, and whose images count as those of one."""

    folds: int = Field(default=5, ge=2, description="Folds asked for; fewer are made when there are fewer patients.")
    seed: int = Field(default=0, ge=0, description="Another seed deals the patients differently.")
    duplicates: DuplicateSettings = DuplicateSettings()
