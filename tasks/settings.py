"""What all settings have in common: frozen, and unknown keys refused."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict


class StageSettings(BaseModel):
    """Settings of one stage: one block of the study file. Defaults live here, once."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class NoSettings(StageSettings):
    """Of a stage whose result no setting changes."""
