"""What every finder of candidate regions is: settings with defaults by unit, and a search that gives pieces.

A finder is one file in ``tasks/imaging/candidates``: a class ``Settings(Finder)``. Its block in the study file and the
name by which a study asks for it are the file's name. It sees the image alone, never an annotation.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping
from functools import cache
from typing import Any, ClassVar, Self

import numpy as np
import numpy.typing as npt
from pydantic import Field

from storage.volume import FloatArray, Triple
from tasks.discover import settings_by_name
from tasks.imaging.candidate_set import Piece
from tasks.imaging.morphology import BoolArray
from tasks.settings import StageSettings

FOLDER = "tasks.imaging.candidates"


class Finder(StageSettings, ABC):
    """One way to find candidates.

    Attributes
    ----------
    unit_defaults
        For each unit (``"HU"``, ``"SUV"``, ``"arbitrary"``) what stands for a setting that is ``None``. Other units
        take those of ``"arbitrary"``.
    """

    unit_defaults: ClassVar[Mapping[str, Mapping[str, Any]]] = {"arbitrary": {}}

    def by_unit(self, unit: str) -> Self:
        """These settings with every ``None`` replaced by the unit's default."""
        defaults = self.unit_defaults.get(unit, self.unit_defaults["arbitrary"])
        return self.model_copy(update={name: value for name, value in defaults.items() if getattr(self, name) is None})

    @abstractmethod
    def find(self, array: npt.NDArray[Any], within: BoolArray, *, spacing_mm: Triple, unit: str) -> list[Piece]:
        """Candidate regions of an image.

        Parameters
        ----------
        array
            Image ``(z, y, x)``, finite.
        within
            Boolean, same shape: where to search, e.g. the body. Pieces do not leave it.
        spacing_mm
            Voxel spacing ``(z, y, x)`` in mm.
        unit
            Of the intensities; chooses the defaults.

        Returns
        -------
        list of Piece
            In an order that depends on the image and the settings alone; none where ``within`` is empty.
        """


class LevelFinder(Finder):
    """A finder that cuts the image at several levels. ``None`` is filled by unit.

    Attributes
    ----------
    thresholds
        In the image's unit.
    quantiles
        Instead of thresholds, for images without a unit: quantiles (0–1) of the intensities inside the searched region.
    smoothing_sigma_mm
        Gaussian before thresholding, in mm.
    min_ml, max_ml
        Limits of a piece's volume in ml.
    """

    thresholds: tuple[float, ...] | None = None
    quantiles: tuple[float, ...] | None = None
    smoothing_sigma_mm: float | None = Field(None, ge=0)
    min_ml: float | None = Field(None, ge=0)
    max_ml: float | None = Field(None, gt=0)

    def by_unit(self, unit: str) -> Self:
        """As of every finder; thresholds given stand for the unit's quantiles too, and quantiles for its thresholds."""
        filled = super().by_unit(unit)
        if self.thresholds is None and self.quantiles is None:
            return filled
        return filled.model_copy(update={"thresholds": self.thresholds, "quantiles": self.quantiles})

    def smoothed(self, array: npt.NDArray[Any], spacing_mm: Triple) -> FloatArray:
        """The image as it is cut: smoothed, float32."""
        from scipy import ndimage

        smooth = np.asarray(array, dtype=np.float32)
        if not self.smoothing_sigma_mm:
            return smooth
        return np.asarray(
            ndimage.gaussian_filter(smooth, [self.smoothing_sigma_mm / s for s in spacing_mm], mode="nearest")
        )

    def levels(self, smooth: FloatArray, within: BoolArray) -> list[float]:
        """The levels, ascending, in the image's unit."""
        if self.thresholds is not None:
            return sorted(set(self.thresholds))
        return sorted({float(q) for q in np.quantile(smooth[within], self.quantiles or ())})

    def fits(self, ml: npt.NDArray[np.floating[Any]]) -> BoolArray:
        """Which volumes in ml are within the limits, their ends included."""
        return np.asarray((ml >= (self.min_ml or 0.0)) & (ml <= (self.max_ml or np.inf)))


@cache
def finders() -> dict[str, type[Finder]]:
    """Every finder by name. ``TypeError`` when a file has no ``Settings(Finder)``."""
    found: dict[str, type[Finder]] = settings_by_name(FOLDER, Finder)
    return found


def modules_of(names: Iterable[str]) -> tuple[str, ...]:
    """The files of some finders, as dotted names, sorted: their source belongs to the key of what they find."""
    return tuple(sorted(finders()[name].__module__ for name in names))
