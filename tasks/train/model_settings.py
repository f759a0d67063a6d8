"""What settings of models that learn from volumes have in common: what the model is, and how the engine trains it."""

from __future__ import annotations

from typing import Annotated, Any, Self

from pydantic import Field, model_validator

from tasks.discover import MODELS, part
from tasks.settings import StageSettings
from tasks.train.engine_settings import EngineSettings

HeldOut = Annotated[
    float,
    Field(ge=0, le=0.5, description="Part of the training patients kept out, for the loss curve; 0: none."),
]


class ModelSettings(StageSettings):
    """A file of ``tasks/models``, and what it is told."""

    model: str
    options: dict[str, Any] = Field(default_factory=dict, description="Settings of the model.", validate_default=True)
    seed: int = Field(default=0, ge=0)

    @model_validator(mode="after")
    def _options_fit(self) -> Self:
        self.of_model()
        return self

    def of_model(self) -> StageSettings:
        """The settings of the model itself."""
        settings: StageSettings = part(MODELS, self.model).Settings.model_validate(self.options)
        return settings


class TrainedSettings(StageSettings):
    """A network that the engine trains, and whom it is examined on meanwhile."""

    held_out: HeldOut = 0.15
    engine: EngineSettings = EngineSettings()

    @model_validator(mode="after")
    def _can_stop_early(self) -> Self:
        if self.engine.patience is not None and not self.held_out:
            raise ValueError("patience needs patients to examine: expected held_out above 0")
        return self
