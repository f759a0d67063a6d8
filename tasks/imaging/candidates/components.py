"""Candidate regions by several thresholds: connected pieces of what is brighter.

One threshold cannot fit a cohort: in PET a cool sarcoma ends at SUV 1.5 where a hot one reaches 20. So the pieces above
each of several thresholds are all candidates, and a later model ranks them. Each piece is made solid (necrotic centres
and grooves belong to a tumour's contour): holes are filled slice by slice and a closing may be applied.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt
from pydantic import Field

from storage.volume import Triple
from tasks.imaging.candidate_set import Piece
from tasks.imaging.finder import LevelFinder
from tasks.imaging.morphology import BoolArray, Box, close_mask, fill_slices, label_components, mask_box, placed_box


class Settings(LevelFinder):
    """Which pieces are candidates.

    Attributes
    ----------
    fill
        Whether holes are filled slice by slice.
    closing_mm
        Radius of the closing ball in mm; 0 for none.
    min_ml, max_ml
        Limits of the volume in ml, before filling and closing; what becomes larger than ``max_ml`` by these is dropped
        too.
    """

    unit_defaults: ClassVar[dict[str, dict[str, Any]]] = {
        "SUV": {
            "thresholds": (0.8, 1.0, 1.25, 1.5, 1.75, 2.0, 2.5, 3.0, 3.5, 4.0, 5.0, 6.0, 8.0),
            "smoothing_sigma_mm": 3.0,
            "closing_mm": 12.0,
            "min_ml": 5.0,
            "max_ml": 4000.0,
        },
        "HU": {
            "thresholds": (-500.0, -300.0, -100.0),
            "smoothing_sigma_mm": 0.0,
            "closing_mm": 0.0,
            "min_ml": 0.06,
            "max_ml": 40.0,
        },
        "arbitrary": {
            "quantiles": (0.8, 0.9, 0.95, 0.98, 0.99),
            "smoothing_sigma_mm": 1.0,
            "closing_mm": 0.0,
            "min_ml": 0.1,
            "max_ml": 1000.0,
        },
    }

    fill: bool = True
    closing_mm: float | None = Field(None, ge=0)

    def find(self, array: npt.NDArray[Any], within: BoolArray, *, spacing_mm: Triple, unit: str) -> list[Piece]:
        """Connected pieces above each threshold: thresholds ascending; within one, in scan order.

        Pieces of different thresholds are nested.
        """
        chosen = self.by_unit(unit)
        if not within.any():
            return []
        smooth = chosen.smoothed(array, spacing_mm)
        voxel_ml = float(np.prod(spacing_mm)) / 1000.0
        pieces = []
        for threshold in chosen.levels(smooth, within):
            for box, mask in chosen._components((smooth > threshold) & within, voxel_ml):
                solid = chosen._solid(box, mask, within, spacing_mm)
                if chosen.max_ml is None or solid[1].sum() * voxel_ml <= chosen.max_ml:
                    pieces.append(Piece("component", threshold, *solid))
        return pieces

    def _components(self, above: BoolArray, voxel_ml: float) -> Iterator[tuple[Box, BoolArray]]:
        labels, boxes = label_components(above)
        for label in np.flatnonzero(self.fits(np.bincount(labels.ravel())[1:] * voxel_ml)) + 1:
            box = boxes[label - 1]
            yield box, labels[box] == label

    def _solid(self, box: Box, mask: BoolArray, within: BoolArray, spacing_mm: Triple) -> tuple[Box, BoolArray]:
        """Fill, close, fill again, inside the searched region. A closing stays inside the box of what it closes."""
        solid = fill_slices(mask) if self.fill else mask
        if self.closing_mm:
            solid = close_mask(solid, radius_mm=self.closing_mm, spacing_mm=spacing_mm)
            solid = fill_slices(solid) if self.fill else solid
        solid = solid & within[box]
        tight = mask_box(solid)
        return placed_box(tight, box), solid[tight]
