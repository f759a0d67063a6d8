"""Settings of training a network on pictures."""

from __future__ import annotations

from typing import Any, Self

from pydantic import Field, field_validator, model_validator

from tasks.discover import MODELS, part, part_names
from tasks.settings import StageSettings


class Augmentation(StageSettings):
    """How far a training picture may differ from the original, drawn anew for each sample and epoch.

    Bounds of uniform distributions; what is moved in from outside is black.
    """

    flip: bool = Field(default=True, description="Left-right, every second time.")
    rotation_degrees: float = Field(default=15.0, ge=0, le=180)
    shift: float = Field(default=0.08, ge=0, le=0.5, description="In parts of the picture's side, along x and y.")
    scale: float = Field(default=0.15, ge=0, lt=1, description="0.15: between 0.85 and 1.15 times the size.")
    brightness: float = Field(default=0.2, ge=0, lt=1, description="0.2: between 0.8 and 1.2 times as bright.")


class NetworkSettings(StageSettings):
    """Which network learns, from pictures of what size, for how long, and how its probabilities are calibrated.

    The defaults are a recipe for a few hundred pictures without ImageNet weights, on two cores without a GPU. It was
    chosen on one fold of public brain MR pictures.
    """

    model: str = Field(default="alexnet", validate_default=True)
    options: dict[str, Any] = Field(default_factory=dict, description="Settings of the model.", validate_default=True)
    input_px: int = Field(default=96, ge=63, le=512, description="Side of the square that the network sees.")
    epochs: int = Field(default=64, ge=1)
    feature_share: float = Field(
        default=0.875,
        ge=0,
        lt=1,
        description="Part of the epochs in which features without ImageNet weights are learned, under a plain head.",
    )
    feature_learning_rate: float = Field(default=1.5e-3, gt=0, description="The highest in that part.")
    feature_dropout: float = Field(default=0.5, ge=0, lt=1, description="Of the plain head.")
    batch: int = Field(default=32, ge=1, description="Pictures in each step.")
    learning_rate: float = Field(default=1e-4, gt=0, description="The highest, reached after the warm-up.")
    warm_up: float = Field(
        default=0.1, ge=0, lt=1, description="Part of the steps in which the learning rate rises; it falls as a cosine."
    )
    weight_decay: float = Field(default=0.05, ge=0, description="Decoupled, as AdamW has it (arXiv:1711.05101).")
    gradient_norm: float = Field(default=1.0, gt=0, description="Longer gradients are cut to this length.")
    label_smoothing: float = Field(default=0.05, ge=0, lt=1, description="doi:10.1109/CVPR.2016.308, section 7.")
    balanced: bool = Field(default=True, description="Weigh each class by the inverse of its pictures.")
    augmentation: Augmentation = Augmentation()
    held_out: float = Field(
        default=0.15,
        ge=0,
        le=0.5,
        description="Part of the training pictures kept out, by group, for loss curve and temperature; 0: neither.",
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
        part(MODELS, self.model).Settings.model_validate(self.options)
        return self

    def of_model(self) -> StageSettings:
        """The settings of the network itself."""
        settings: StageSettings = part(MODELS, self.model).Settings.model_validate(self.options)
        return settings
