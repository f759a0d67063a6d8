"""Settings of training a network that tells lesions from what only looks like one, by the patch around each.

The defaults are for a CPU and few patients: small blocks, and of all changes at random only those that cost nothing;
nobody is kept out for a loss curve, since inner folds examine already. They were chosen on generated chests, on which
turning, scaling and blurring as well took longer and found less.
"""

from __future__ import annotations

from pydantic import Field, field_validator

from tasks.imaging.augmentation.settings import (
    Blur,
    Elastic,
    Flip,
    Intensity,
    Noise,
    Rotation,
    Scale,
    ThickSlices,
)
from tasks.imaging.augmentation.settings import Settings as Augmentation
from tasks.imaging.patches import PatchShape
from tasks.model_kinds import PATCH_LEARNERS, PATCH_NETWORKS
from tasks.train.engine_settings import EngineSettings
from tasks.train.model_settings import HeldOut, TrainedSettings
from tasks.train.patch_model_settings import PatchModelSettings
from tasks.train.patch_settings import PatchSettings

AUGMENTATION = Augmentation(
    flip=Flip(probability=0.5, axes=("z", "y", "x"), left_right=True),
    rotation=Rotation(probability=0.0),
    scale=Scale(probability=0.0),
    elastic=Elastic(probability=0.0),
    thick_slices=ThickSlices(probability=0.0),
    blur=Blur(probability=0.0),
    intensity=Intensity(probability=0.0),
    noise=Noise(probability=0.0),
)
"""A patch has no side of the body that its label speaks of, so it may be mirrored."""


class NetworkPatchSettings(PatchSettings):
    """Patches for networks: small blocks."""

    patch: PatchShape = PatchShape(size=(12, 20, 20))


class PatchNetworkSettings(TrainedSettings, PatchModelSettings):
    """Which network learns, and for how long. Classes weigh the same however many patches they have."""

    model: str = Field(default="cnn3d", validate_default=True)
    patches: NetworkPatchSettings = NetworkPatchSettings()
    augmentation: Augmentation = AUGMENTATION
    focal: float = Field(default=0.0, ge=0, description="Exponent of the focal loss; 0: cross-entropy.")
    label_smoothing: float = Field(default=0.0, ge=0, lt=1)
    held_out: HeldOut = 0.0
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
