"""Candidate regions by the shape of their contours: round closed lines in a slice, joined across slices.

Each slice is cut at several levels by marching squares (Lorensen and Cline, doi:10.1145/37402.37422), which gives
contours between the voxels. A contour that is closed around something bright is kept by its shape: its area, its
*circularity* ``4 π area / perimeter²`` (1 of a circle), and its *solidity*, the part of its convex hull that it fills.
What is kept in neighbouring slices at one level, and shares a place, is one piece. A lesion that is round in a slice is
found so although it is long or lobed in three dimensions, or touches something above or below.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt
from pydantic import Field

from storage.volume import FloatArray, Triple
from tasks.imaging.candidate_set import Piece
from tasks.imaging.finder import LevelFinder
from tasks.imaging.morphology import BoolArray, label_components, mask_box, placed_box


class Settings(LevelFinder):
    """Which contours are kept, and which pieces they make.

    Attributes
    ----------
    min_area_mm2
        Area of a contour, at least.
    min_circularity, min_solidity
        0 to 1, at least. A square has a circularity of 0.79.
    min_slices
        Slices that a piece reaches over, at least. An image of fewer slices needs as many as it has.
    """

    unit_defaults: ClassVar[dict[str, dict[str, Any]]] = {
        "SUV": {
            "thresholds": (1.0, 1.5, 2.0, 2.5, 3.0, 4.0, 6.0, 8.0),
            "smoothing_sigma_mm": 3.0,
            "min_ml": 2.0,
            "max_ml": 4000.0,
        },
        "HU": {"thresholds": (-500.0, -300.0, -100.0), "smoothing_sigma_mm": 0.0, "min_ml": 0.06, "max_ml": 40.0},
        "arbitrary": {
            "quantiles": (0.8, 0.9, 0.95, 0.98, 0.99),
            "smoothing_sigma_mm": 1.0,
            "min_ml": 0.1,
            "max_ml": 1000.0,
        },
    }

    min_area_mm2: float = Field(8.0, ge=0)
    min_circularity: float = Field(0.6, ge=0, le=1)
    min_solidity: float = Field(0.85, ge=0, le=1)
    min_slices: int = Field(2, ge=1)

    def find(self, array: npt.NDArray[Any], within: BoolArray, *, spacing_mm: Triple, unit: str) -> list[Piece]:
        """Pieces of round contours: levels ascending; within one, in scan order."""
        chosen = self.by_unit(unit)
        if not within.any():
            return []
        box = mask_box(within)
        inside = within[box]
        smooth = chosen.smoothed(array, spacing_mm)[box]
        voxel_ml = float(np.prod(spacing_mm)) / 1000.0
        least = min(chosen.min_slices, len(inside))
        pieces = []
        for level in chosen.levels(smooth, inside):
            round_ones = np.stack(
                [chosen._round(plane, spacing_mm[1:], level) for plane in _walled(smooth, inside, level)]
            )
            labels, boxes = label_components(round_ones & inside)
            fits = chosen.fits(np.bincount(labels.ravel())[1:] * voxel_ml)
            for label in np.flatnonzero(fits) + 1:
                tight = boxes[label - 1]
                if tight[0].stop - tight[0].start >= least:
                    pieces.append(Piece("contour", level, placed_box(tight, box), labels[tight] == label))
        return pieces

    def _round(self, plane: FloatArray, pixel_mm: tuple[float, float], level: float) -> BoolArray:
        """What the contours of a slice enclose whose shapes fit."""
        from skimage.draw import polygon
        from skimage.measure import find_contours

        enclosed = np.zeros(plane.shape, dtype=bool)
        lines = find_contours(plane, level, fully_connected="low") if (plane > level).any() else []
        for contour in lines:
            shape = contour_shape(contour * np.asarray(pixel_mm))
            if shape is not None and self._keeps(*shape):
                enclosed[polygon(*contour.T, enclosed.shape)] = True
        return enclosed[1:-1, 1:-1]

    def _keeps(self, area_mm2: float, circularity: float, solidity: float) -> bool:
        return area_mm2 >= self.min_area_mm2 and circularity >= self.min_circularity and solidity >= self.min_solidity


def contour_shape(points_mm: FloatArray) -> tuple[float, float, float] | None:
    """Area in mm², circularity and solidity of a closed contour around something bright; ``None`` of a hole.

    Parameters
    ----------
    points_mm
        ``(n, 2)``: (y, x), the first again at the end, in the direction that scikit-image gives.
    """
    from scipy.spatial import ConvexHull

    steps = np.diff(points_mm, axis=0)
    y, x = points_mm[:-1].T
    area = float(np.sum(x * steps[:, 0] - y * steps[:, 1])) / 2
    if area <= 0:
        return None
    perimeter = float(np.linalg.norm(steps, axis=1).sum())
    return area, 4 * np.pi * area / perimeter**2, area / float(ConvexHull(points_mm).volume)


def _walled(smooth: FloatArray, inside: BoolArray, level: float) -> Iterator[FloatArray]:
    """Slices with a border of one pixel; border and what is not searched lie below the level, so that lines close."""
    low = min(float(smooth.min()), level) - 1.0
    for plane, searched in zip(smooth, inside, strict=True):
        yield np.pad(np.where(searched, plane, low), 1, constant_values=low)
