"""Settings of training a network on pictures."""

from __future__ import annotations

from typing import Any, Self

from pydantic import Field, field_validator, model_validator

from tasks.discover import MODELS, part, part_names
from tasks.settings import StageSettings
from tasks.train.engine_settings import EngineSettings


class Augmentation(StageSettings):
    """How far a training picture may differ from the original, drawn anew for each sample and epoch.

    Bounds of uniform distributions; what is moved in from outside is black.
    """

    flip: bool = Field(default=True, description="Left-right, every second time.")
    rotation_degrees: float = Field(default=15.0, ge=0, le=180)
    shift: float = Field(default=0.08, ge=0, le=0.5, description="In parts of the picture's side, along x and y.")
    scale: float = Field(default=0.15, ge=0, lt=1, description="0.15: between 0.85 and 1.15 times the size.")
    brightness: float = Field(default=0.2, ge=0, lt=1, description="0.2: between 0.8 and 1.2 times as bright.")
    stretch: float = Field(
        default=0.0, ge=0, lt=1, description="0.1: between 0.9 and 1.1 times as wide; as much lower."
    )
    shear: float = Field(default=0.0, ge=0, le=1, description="Pixels sideways for each pixel up or down.")
    bend: float = Field(
        default=0.0,
        ge=0,
        le=0.2,
        description="How far 5 × 5 points are moved, as a standard deviation in parts of the side; smooth between.",
    )
    gamma: float = Field(
        default=0.0, ge=0, lt=1, description="0.3: intensities of 0 to 1 to a power between 0.7 and 1.3."
    )
    noise: float = Field(default=0.0, ge=0, le=0.5, description="Standard deviation of what each pixel is changed by.")


class NetworkSettings(EngineSettings):
    """Which network learns, from pictures of what size, for how long, and how its probabilities are calibrated.

    The defaults are a recipe for a few hundred pictures without ImageNet weights, on two cores without a GPU. It was
    chosen on one fold of public brain MR pictures.
    """

    model: str = Field(default="alexnet", validate_default=True)
    options: dict[str, Any] = Field(default_factory=dict, description="Settings of the model.", validate_default=True)
    input_px: int = Field(default=96, ge=8, le=512, description="Side of the square that the network sees.")
    learning_rate: float = Field(default=1e-4, gt=0, description="The highest, reached after the warm-up.")
    feature_share: float = Field(
        default=0.875,
        ge=0,
        lt=1,
        description="Part of the epochs in which features without ImageNet weights are learned, under a plain head.",
    )
    feature_learning_rate: float = Field(default=1.5e-3, gt=0, description="The highest in that part.")
    feature_dropout: float = Field(default=0.5, ge=0, lt=1, description="Of the plain head.")
    unfrozen_learning_rate: float = Field(
        default=2e-5, gt=0, description="The highest while features with ImageNet weights learn on, block by block."
    )
    label_smoothing: float = Field(default=0.05, ge=0, lt=1, description="doi:10.1109/CVPR.2016.308, section 7.")
    balanced: bool = Field(default=True, description="Weigh each class by the inverse of its pictures.")
    focal: float = Field(
        default=0.0,
        ge=0,
        description="Exponent of the focal loss: pictures that are right already count less. 0: cross-entropy.",
    )
    augmentation: Augmentation = Augmentation()
    mix: float = Field(
        default=0.0,
        ge=0,
        le=1,
        description="Mixup (arXiv:1710.09412): both parameters of the beta distribution of a step's share of other "
        "pictures, and of their answers; 0: none.",
    )
    held_out: float = Field(
        default=0.15,
        ge=0,
        le=0.5,
        description="Part of the training pictures kept out, by group, for loss curve, temperature, and to stop early "
        "where patience is given; 0: none of these.",
    )
    average_flips: bool = Field(default=True, description="Predict on a picture and its mirror image, and average.")
    seed: int = Field(default=0, ge=0)

    @field_validator("model")
    @classmethod
    def _is_a_network(cls, name: str) -> str:
        if name not in (networks := part_names(MODELS, with_function="build_network")):
            raise ValueError(f"no network '{name}'; choose from: {', '.join(networks)}")
        return name

    @model_validator(mode="after")
    def _options_fit(self) -> Self:
        network = part(MODELS, self.model)
        network.Settings.model_validate(self.options)
        if self.patience is not None and not self.held_out:
            raise ValueError("patience needs pictures that are held out; got held_out = 0")
        if self.mix and self.focal:
            raise ValueError("the focal loss knows one right class; with mix there are two: leave one of them out")
        if self.input_px < network.SMALLEST_PX:
            raise ValueError(f"input_px = {self.input_px}; {self.model} takes {network.SMALLEST_PX} or more")
        return self

    def of_model(self) -> StageSettings:
        """The settings of the network itself."""
        settings: StageSettings = part(MODELS, self.model).Settings.model_validate(self.options)
        return settings
