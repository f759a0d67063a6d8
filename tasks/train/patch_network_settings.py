"""Settings of training a network that tells lesions from what only looks like one, by the patch around each."""

from __future__ import annotations

from pydantic import Field, field_validator

from tasks.discover import PATCH_LEARNERS, PATCH_NETWORKS
from tasks.imaging.augmentation.settings import Elastic, Flip, Rotation
from tasks.imaging.augmentation.settings import Settings as Augmentation
from tasks.train.engine_settings import EngineSettings
from tasks.train.model_settings import HeldOut, TrainedSettings
from tasks.train.patch_model_settings import PatchModelSettings

AUGMENTATION = Augmentation(
    flip=Flip(probability=0.5, axes=("z", "y", "x"), left_right=True),
    rotation=Rotation(probability=0.3, degrees=15, axes=("z",)),
    elastic=Elastic(probability=0.0),
)
"""A patch has no side of the body that its label speaks of, so it may be mirrored; bending costs more than it gives."""


class PatchNetworkSettings(TrainedSettings, PatchModelSettings):
    """Which network learns, and for how long. Classes weigh the same however many patches they have."""

    model: str = Field(default="cnn3d", validate_default=True)
    augmentation: Augmentation = AUGMENTATION
    focal: float = Field(default=0.0, ge=0, description="Exponent of the focal loss; 0: cross-entropy.")
    label_smoothing: float = Field(default=0.0, ge=0, lt=1)
    held_out: HeldOut = 0.2
    engine: EngineSettings = EngineSettings(epochs=20, batch=16, learning_rate=2e-3, examine_every=2)

    @property
    def devices(self) -> int:
        """GPUs that learn it together."""
        return self.engine.devices

    @field_validator("model")
    @classmethod
    def _is_for_patches(cls, name: str) -> str:
        if name not in PATCH_NETWORKS:
            choices = ", ".join((*PATCH_NETWORKS, *PATCH_LEARNERS))
            raise ValueError(f"no model '{name}' on patches; choose from: {choices}")
        return name
