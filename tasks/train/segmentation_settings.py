"""Settings of training a network that says what each voxel is."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field, field_validator

from tasks.discover import MODELS, part_names
from tasks.imaging.augmentation.settings import (
    BiasField,
    Blur,
    Elastic,
    Intensity,
    Noise,
    Rotation,
    Scale,
    ThickSlices,
)
from tasks.imaging.augmentation.settings import Settings as Augmentation
from tasks.train.engine_settings import EngineSettings
from tasks.train.model_settings import ModelSettings, TrainedSettings

Voxels = Annotated[int, Field(ge=8, le=512)]

AUGMENTATION = Augmentation(
    rotation=Rotation(probability=0.4, degrees=15, axes=("z", "y", "x")),
    scale=Scale(probability=0.4, amount=0.15),
    elastic=Elastic(probability=0.0),
    thick_slices=ThickSlices(probability=0.0),
    blur=Blur(probability=0.1, sigma_mm=0.7),
    bias_field=BiasField(probability=0.2, amount=0.2),
    intensity=Intensity(probability=0.3, gain=0.2, offset=0.1, gamma=0.3),
    noise=Noise(probability=0.2, amount=0.1),
)
"""Patients lie a little differently and scanners differ; what costs more than the network's own step is left out."""


class SegmentationSettings(TrainedSettings, ModelSettings):
    """Which network learns, from windows of what size, and for how long.

    An epoch shows ``windows`` windows of each case. The loss of a window is the mean over the structures of one minus
    their soft Dice, and cross-entropy.
    """

    model: str = Field(default="unet", validate_default=True)
    window: tuple[Voxels, Voxels, Voxels] = Field(
        default=(64, 64, 64),
        description="Voxels that the network sees at a time, along (z, y, x) of normalized images.",
    )
    windows: int = Field(default=2, ge=1, description="Windows of each case in an epoch, elsewhere in each.")
    foreground: float = Field(
        default=0.67, ge=0, le=1, description="Part of the windows that are drawn around a voxel of a structure."
    )
    augmentation: Augmentation = AUGMENTATION
    engine: EngineSettings = EngineSettings(epochs=100, batch=2, learning_rate=2e-3, weight_decay=1e-3, examine_every=5)

    @field_validator("model")
    @classmethod
    def _is_a_segmenter(cls, name: str) -> str:
        if name not in (networks := part_names(MODELS, with_function="build_segmenter")):
            raise ValueError(f"no network '{name}' for segmentation; choose from: {', '.join(networks)}")
        return name
