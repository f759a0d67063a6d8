"""The summary of a run: what ``--json`` writes and every caller of ``run_study`` gets. Its schema is a contract."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid")


class Exclusion(_Part):
    """A case that was received and could not be analysed."""

    case: str
    stage: str
    reason: str


class StageCount(_Part):
    """How often a stage was computed, found in the store, or failed; a stage of the whole cohort counts 1."""

    computed: int = 0
    cached: int = 0
    failed: int = 0
    seconds: float = 0.0


class Estimate(BaseModel):
    """A value with its 95 % interval over ``n`` patients; ``None`` where it is not defined (nothing to count)."""

    model_config = ConfigDict(extra="ignore")  # a baseline's rule and denominators stay in the evaluation artifact

    value: float | None
    low: float | None
    high: float | None
    n: int | None = None


class Metric(Estimate):
    """A metric over all received cases, an excluded one counted as missed; ``analysed`` leaves the excluded out."""

    rule: str
    analysed: Estimate | None = None


class RunSummary(_Part):
    """Counts: ``series_seen = used + set_aside + quarantined + waiting``, ``received = analysed + excluded``."""

    run: str
    study: str
    series_seen: int = 0
    set_aside: int = 0
    quarantined: int = 0
    waiting: int = 0
    received: int = 0
    analysed: int = 0
    excluded: list[Exclusion] = Field(default_factory=list)
    stages: dict[str, StageCount] = Field(default_factory=dict)
    metrics: dict[str, Metric] = Field(default_factory=dict)
    baselines: dict[str, dict[str, Estimate]] = Field(default_factory=dict)
    report: str | None = None
    findings_csv: str | None = None
    findings: int = 0
    notes: list[str] = Field(default_factory=list)
    seconds: float = 0.0

    @property
    def exit_code(self) -> int:
        """0: done; 3: done with exclusions."""
        return 3 if self.excluded or self.quarantined else 0
