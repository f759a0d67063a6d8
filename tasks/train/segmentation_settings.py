"""Settings of training a network that says what each voxel is."""

from __future__ import annotations

from typing import Annotated, Any, Self

from pydantic import Field, field_validator, model_validator

from tasks.discover import MODELS, part, part_names
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
from tasks.settings import StageSettings
from tasks.train.engine_settings import EngineSettings

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


class SegmentationSettings(StageSettings):
    """Which network learns, from windows of what size, and for how long.

    An epoch shows ``windows`` windows of each case. The loss of a window is the mean over the structures of one minus
    their soft Dice, and cross-entropy.
    """

    model: str = Field(default="unet", validate_default=True)
    options: dict[str, Any] = Field(default_factory=dict, description="Settings of the model.", validate_default=True)
    window: tuple[Voxels, Voxels, Voxels] = Field(
        default=(64, 64, 64),
        description="Voxels that the network sees at a time, along (z, y, x) of normalized images.",
    )
    windows: int = Field(default=2, ge=1, description="Windows of each case in an epoch, elsewhere in each.")
    foreground: float = Field(
        default=0.67, ge=0, le=1, description="Part of the windows that are drawn around a voxel of a structure."
    )
    augmentation: Augmentation = AUGMENTATION
    held_out: float = Field(
        default=0.15, ge=0, le=0.5, description="Part of the training patients kept out, for the loss curve; 0: none."
    )
    engine: EngineSettings = EngineSettings(epochs=100, batch=2, learning_rate=2e-3, weight_decay=1e-3, examine_every=5)
    seed: int = Field(default=0, ge=0)

    @field_validator("model")
    @classmethod
    def _is_a_segmenter(cls, name: str) -> str:
        if name not in (networks := part_names(MODELS, with_function="build_segmenter")):
            raise ValueError(f"no network '{name}' for segmentation; choose from: {', '.join(networks)}")
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
