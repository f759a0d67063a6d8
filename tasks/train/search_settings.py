"""Settings of the search for a model's own settings: ``[train.search]``."""

from __future__ import annotations

from pydantic import Field

from tasks.settings import StageSettings


class SearchSettings(StageSettings):
    """How long the search is, in trials: a limit in seconds would give another model on another machine."""

    trials: int = Field(default=0, ge=0, description="Settings tried beside the study's own, per model; 0: no search.")
    random_trials: int = Field(default=10, ge=1, description="Drawn at random before the sampler learns from trials.")
    prune_after: int = Field(default=5, ge=1, description="Finished trials before one below their median is given up.")
