"""Settings of training a generator: ``[train.synthesis]`` of a study of pictures."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from tasks.models.gan import Settings as NetworkSettings
from tasks.settings import StageSettings

Method = Literal["original", "r1", "wgan_gp"]


class Disturbance(StageSettings):
    """How images are moved and brightened before every verdict, real and generated ones alike (arXiv:2006.10738).

    A few hundred images are soon known by heart by a discriminator that sees them as they are. Since the generated ones
    are disturbed as well, the generator does not learn the disturbance.
    """

    shift: float = Field(default=0.125, ge=0, le=0.5, description="At most, in parts of each axis; filled by the edge.")
    brightness: float = Field(default=0.2, ge=0, le=1, description="Added at most, where images lie in -1..1.")


class SynthesisSettings(StageSettings):
    """How a generator is trained and how many images it makes.

    The defaults are a recipe for some hundred pictures of about 32 × 32 on one core.
    """

    method: Method = Field(
        default="wgan_gp",
        description="original: the non-saturating game; r1: the same with a penalty at real images; "
        "wgan_gp: Wasserstein's game with a penalty between real and generated images.",
    )
    penalty_weight: float | None = Field(
        default=None, ge=0, description="λ of wgan_gp, γ of r1. None: 10 as the source for wgan_gp, 1 for r1."
    )
    discriminator_steps: int | None = Field(
        default=None, ge=1, description="For each step of the generator. None: as the sources, 5 for wgan_gp, else 1."
    )
    steps: int = Field(default=1500, ge=1, description="Of the generator.")
    batch: int = Field(default=32, ge=2)
    balanced: bool = Field(default=True, description="Show every class equally often, however rare it is.")
    learning_rate: float = Field(default=1e-3, gt=0, description="Adam's, of both networks.")
    beta_1: float | None = Field(
        default=None, ge=0, lt=1, description="Adam's. None: as the sources, 0.5 for original, else 0."
    )
    beta_2: float = Field(default=0.99, ge=0, lt=1, description="Adam's.")
    average: float = Field(
        default=0.995, ge=0, lt=1, description="Images are made by this moving average of the generator's weights."
    )
    flip: bool = Field(default=False, description="Mirror real images left-right, every second time.")
    disturbance: Disturbance = Disturbance()
    precision: Literal["float32", "bfloat16"] = Field(
        default="float32", description="Of the networks' forward passes; the penalty is float32 always."
    )
    size_px: int = Field(default=32, ge=8, le=256, description="Side of the pictures that it learns and makes.")
    colour: bool = Field(default=False, description="Learn red, green and blue, and not luma alone.")
    rare: str | None = Field(default=None, description="The class whose images are made. None: the one with fewest.")
    images: int | None = Field(
        default=None, ge=1, description="How many are made. None: as many as make the class as frequent as the next."
    )
    augment: bool = Field(
        default=False, description="Whether the study's models learn from them too; else they are judged alone."
    )
    held_out: float = Field(
        default=0.15,
        gt=0,
        le=0.5,
        description="With augment: part of the training pictures, by group, that the generator does not see either. "
        "The models that learn from its pictures are calibrated, and end their training, on these.",
    )
    record_every: int = Field(default=25, ge=1, description="Steps that are averaged into one point of the curves.")
    network: NetworkSettings = NetworkSettings()
    seed: int = Field(default=0, ge=0)

    @property
    def kept_out(self) -> float:
        """Part of the training pictures that the generator does not see."""
        return self.held_out if self.augment else 0.0

    @property
    def weight(self) -> float:
        """Of the penalty in the discriminator's loss."""
        usual = {"original": 0.0, "r1": 1.0, "wgan_gp": 10.0}[self.method]
        return usual if self.penalty_weight is None else self.penalty_weight

    @property
    def verdicts_each(self) -> int:
        """Steps of the discriminator for each of the generator."""
        return self.discriminator_steps or (5 if self.method == "wgan_gp" else 1)

    @property
    def betas(self) -> tuple[float, float]:
        """Adam's."""
        beta_1 = self.beta_1 if self.beta_1 is not None else 0.5 if self.method == "original" else 0.0
        return beta_1, self.beta_2
