"""Settings of augmentation: for each change how often it is made, and how strong it may be.

Strengths are bounds of uniform distributions. Those of intensities are in parts of the image's *spread*, its standard
deviation unless the caller says otherwise: they fit an image in any unit.
"""

from __future__ import annotations

from typing import Annotated, Self

from pydantic import Field, model_validator

from tasks.imaging.geometry.elastic import STEEPEST
from tasks.imaging.placement import AxisName, Interpolation, Outside
from tasks.settings import StageSettings

Probability = Annotated[float, Field(ge=0, le=1)]


class Flip(StageSettings):
    """Reversed along each of ``axes`` by itself.

    The axis that runs closest to the patient's left and right is left alone unless ``left_right`` allows it: a liver
    does not lie on the left, and a label that says "left" would not be true any more. Of a picture, or where the
    direction is not known, that axis is x.
    """

    probability: Probability = 0.0
    axes: tuple[AxisName, ...] = ("z", "y", "x")
    left_right: bool = False


class Rotation(StageSettings):
    """Turned about the centre: about z, then y, then x, by at most so many degrees each; a picture about z alone."""

    probability: Probability = 0.3
    degrees: Annotated[float, Field(ge=0, le=180)] = 15.0
    axes: tuple[AxisName, ...] = ("z",)


class Scale(StageSettings):
    """Magnified: 0.1 is between 1 / 1.1 and 1.1 times as large, either as likely."""

    probability: Probability = 0.3
    amount: Annotated[float, Field(ge=0, le=4)] = 0.1


class Elastic(StageSettings):
    """Bent: smooth displacements, none longer than ``max_mm``, over control points ``control_mm`` apart."""

    probability: Probability = 0.2
    control_mm: Annotated[float, Field(gt=0, le=1000)] = 30.0
    max_mm: Annotated[float, Field(ge=0, le=200)] = 5.0

    @model_validator(mode="after")
    def _folds_nowhere(self) -> Self:
        if self.max_mm > STEEPEST * self.control_mm:
            raise ValueError(f"expected max_mm of at most {STEEPEST:g} times control_mm, so that nothing folds")
        return self


class ThickSlices(StageSettings):
    """As if slices had been taken 2 … ``factor`` times as thick; volumes only."""

    probability: Probability = 0.1
    factor: Annotated[int, Field(ge=2, le=16)] = 3


class Blur(StageSettings):
    """Smoothed by a Gaussian of up to ``sigma_mm``."""

    probability: Probability = 0.1
    sigma_mm: Annotated[float, Field(gt=0, le=50)] = 1.0


class BiasField(StageSettings):
    """Brighter here and darker there, as by the coils of an MR scanner.

    ``amount``: each coefficient of the field's logarithm, a polynomial of third order over -1 … 1 along each axis.
    """

    probability: Probability = 0.0
    amount: Annotated[float, Field(ge=0, le=2)] = 0.2


class Intensity(StageSettings):
    """Contrast, brightness and gamma; little by default, since HU and SUV are measurements.

    ``gain``: 0.1 is between 1 / 1.1 and 1.1 times the contrast. ``offset``: in spreads, up or down. ``gamma``: 0.2 is
    an exponent between 1 / 1.2 and 1.2, between the image's darkest and brightest value.
    """

    probability: Probability = 0.3
    gain: Annotated[float, Field(ge=0, le=4)] = 0.1
    offset: Annotated[float, Field(ge=0, le=4)] = 0.1
    gamma: Annotated[float, Field(ge=0, le=4)] = 0.1


class Noise(StageSettings):
    """Gaussian noise of up to ``amount`` spreads, each voxel and colour by itself."""

    probability: Probability = 0.2
    amount: Annotated[float, Field(ge=0, le=4)] = 0.1


class Settings(StageSettings):
    """All changes, in the order in which they are made.

    Attributes
    ----------
    interpolation
        Of the image; of a mask a voxel has the label that makes up most of it.
    outside
        What is moved in from beyond the image, as of a `GridStep`; of masks it is no lesion.
    """

    flip: Flip = Flip()
    rotation: Rotation = Rotation()
    scale: Scale = Scale()
    elastic: Elastic = Elastic()
    interpolation: Interpolation = "linear"
    outside: Outside = "background"
    thick_slices: ThickSlices = ThickSlices()
    blur: Blur = Blur()
    bias_field: BiasField = BiasField()
    intensity: Intensity = Intensity()
    noise: Noise = Noise()
