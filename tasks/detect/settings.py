"""Settings of detect."""

from __future__ import annotations

from pydantic import Field

from tasks.settings import StageSettings


class Settings(StageSettings):
    """How candidates become findings."""

    max_findings: int | None = Field(
        default=None, ge=1, description="Most findings per case; none leaves it to the operating point."
    )
    max_ranked: int = Field(default=100, ge=1, description="Candidates kept for the FROC curve, findings included.")
    label: str = Field(default="lesion", description="Class name of a finding.")
