"""Intensities put into bins, numbered from 1: section 2.7 of the IBSI manual (arXiv:1612.07003).

A *level* is the number of a bin. Texture matrices, histograms and their features see levels, never intensities.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, Self

import numpy as np
import numpy.typing as npt
from pydantic import Field, model_validator

from storage.errors import CaseError
from storage.volume import FloatArray
from tasks.imaging.morphology import BoolArray
from tasks.settings import StageSettings

MOST_LEVELS = 65_536
"""More than this are a mistake in the settings: matrices of levels against levels would not fit into memory."""


class Discretization(StageSettings):
    """How intensities become levels.

    Attributes
    ----------
    method
        ``"fixed_bin_number"`` (K15C): so many bins between the region's smallest and largest intensity, for images
        without a scale. ``"fixed_bin_size"`` (Q3RU): bins of one width from ``lowest`` on, for HU and SUV. ``"none"``:
        the intensities are whole numbers from 1 on already.
    bins
        Of ``"fixed_bin_number"``.
    width, lowest
        Of ``"fixed_bin_size"``, in the image's unit. ``lowest`` should be the lower end of the re-segmentation range,
        the same for all patients; ``None``: that end, else the region's smallest intensity.
    """

    method: Literal["fixed_bin_number", "fixed_bin_size", "none"] = "fixed_bin_number"
    bins: int = Field(32, ge=1, le=MOST_LEVELS)
    width: float = Field(25.0, gt=0)
    lowest: float | None = None

    @model_validator(mode="after")
    def _one_method(self) -> Self:
        if self.lowest is not None and self.method != "fixed_bin_size":
            raise ValueError("'lowest' belongs to the method 'fixed_bin_size'")
        return self


@dataclass(frozen=True, eq=False)
class Levels:
    """The levels of a region.

    Attributes
    ----------
    array
        ``int32``: 1 to ``count`` where there is an intensity, 0 elsewhere.
    count
        Number of levels: the highest, whether or not all below it occur.
    lowest, width
        Level ``i`` stands for intensities from ``lowest + (i - 1) * width`` to ``lowest + i * width``; the highest
        level of a fixed bin number includes the upper end.
    """

    array: npt.NDArray[np.int32]
    count: int
    lowest: float
    width: float


def discretize(image: FloatArray, mask: BoolArray, settings: Discretization) -> Levels:
    """The levels of the intensities inside a mask.

    Parameters
    ----------
    image, mask
        Of one shape; finite intensities inside the mask.

    Raises
    ------
    CaseError
        When a bin size makes more than ``MOST_LEVELS``, or intensities that are said to be levels are no whole numbers
        from 1 on.
    ValueError
        When intensities lie below ``lowest`` or are not finite.
    """
    array = np.zeros(image.shape, dtype=np.int32)
    values = np.asarray(image[mask], dtype=np.float64)
    if not values.size:
        return Levels(array, 0, float("nan"), float("nan"))
    low, high = float(values.min()), float(values.max())
    if not (np.isfinite(low) and np.isfinite(high)):
        raise ValueError("expected finite intensities inside the mask")
    if settings.method == "none":
        lowest, width = 0.5, 1.0
        if low < 1 or (values != np.rint(values)).any():
            raise CaseError(f"expected whole numbers from 1 on as levels; got intensities from {low:g} to {high:g}")
        levels = values
    elif settings.method == "fixed_bin_size":
        lowest, width = low if settings.lowest is None else settings.lowest, settings.width
        if low < lowest:
            raise ValueError(f"intensities begin at {low:g}, below the first bin at {lowest:g}: re-segment first")
        levels = np.floor((values - lowest) / width) + 1
    else:
        # Constant intensities fill the first bin.
        lowest, width = low, (high - low) / settings.bins or 1.0
        levels = np.minimum(np.floor(settings.bins * (values - low) / ((high - low) or 1.0)) + 1, settings.bins)
    highest = settings.bins if settings.method == "fixed_bin_number" else int(levels.max())
    if highest > MOST_LEVELS:
        raise CaseError(f"{highest} levels from bins of {width:g}; expected at most {MOST_LEVELS}: widen the bins")
    array[mask] = levels
    return Levels(array, highest, lowest, width)
