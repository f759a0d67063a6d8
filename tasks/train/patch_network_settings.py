"""Settings of training a network that tells lesions from what only looks like one, by the patch around each."""

from __future__ import annotations

from typing import Any, Self

from pydantic import Field, field_validator, model_validator

from tasks.discover import MODELS, part, part_names
from tasks.imaging.augmentation.settings import Elastic, Flip, Rotation
from tasks.imaging.augmentation.settings import Settings as Augmentation
from tasks.settings import StageSettings
from tasks.train.engine_settings import EngineSettings

AUGMENTATION = Augmentation(
    flip=Flip(probability=0.5, axes=("z", "y", "x"), left_right=True),
    rotation=Rotation(probability=0.3, degrees=15, axes=("z",)),
    elastic=Elastic(probability=0.0),
)
"""A patch has no side of the body that its label speaks of, so it may be mirrored; bending costs more than it gives."""


class PatchNetworkSettings(StageSettings):
    """Which network learns, and for how long. Classes weigh the same however many patches they have."""

    model: str = Field(default="cnn3d", validate_default=True)
    options: dict[str, Any] = Field(default_factory=dict, description="Settings of the model.", validate_default=True)
    augmentation: Augmentation = AUGMENTATION
    focal: float = Field(default=0.0, ge=0, description="Exponent of the focal loss; 0: cross-entropy.")
    label_smoothing: float = Field(default=0.0, ge=0, lt=1)
    held_out: float = Field(
        default=0.2, ge=0, le=0.5, description="Part of the training patients kept out, for the loss curve; 0: none."
    )
    engine: EngineSettings = EngineSettings(epochs=20, batch=16, learning_rate=2e-3, examine_every=2)
    seed: int = Field(default=0, ge=0)

    @field_validator("model")
    @classmethod
    def _is_for_patches(cls, name: str) -> str:
        if name not in (networks := part_names(MODELS, with_function="build_patch_network")):
            raise ValueError(f"no network '{name}' for patches; choose from: {', '.join(networks)}")
        return name

    @model_validator(mode="after")
    def _options_fit(self) -> Self:
        part(MODELS, self.model).Settings.model_validate(self.options)
        return self

    @model_validator(mode="after")
    def _can_stop_early(self) -> Self:
        if self.engine.patience is not None and not self.held_out:
            raise ValueError("patience needs patients to examine: expected held_out above 0")
        return self

    def of_model(self) -> StageSettings:
        """The settings of the network itself."""
        settings: StageSettings = part(MODELS, self.model).Settings.model_validate(self.options)
        return settings
