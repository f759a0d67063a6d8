"""Candidate regions by Fourier saliency: what stands out in its slice and is not continued by the slices around it.

The map of `tasks.imaging.spectrum.saliency` cut at several levels. It needs neither unit nor scale, and is coarse: its
pieces say where to look, and their borders are those of the map, not of the lesion.
"""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt
from pydantic import Field

from storage.volume import Triple
from tasks.imaging.candidate_set import Piece
from tasks.imaging.finder import Finder
from tasks.imaging.morphology import BoolArray, label_components, mask_box, placed_box


class Settings(Finder):
    """Which pieces of the map are candidates. ``None`` is filled by unit.

    Attributes
    ----------
    levels
        Of the map, 0 to 1: products of two ranks within the searched region.
    clip
        Intensities are cut to this range first; ``()`` for no clipping.
    min_ml, max_ml
        Limits of a piece's volume in ml.
    max_pieces
        Of each level the largest are kept.
    """

    unit_defaults: ClassVar[dict[str, dict[str, Any]]] = {
        "SUV": {"clip": (), "min_ml": 2.0, "max_ml": 4000.0},
        "HU": {"clip": (-1000.0, 200.0), "min_ml": 0.06, "max_ml": 40.0},
        "arbitrary": {"clip": (), "min_ml": 0.1, "max_ml": 1000.0},
    }

    levels: tuple[float, ...] = (0.8, 0.9, 0.95)
    clip: tuple[float, float] | tuple[()] | None = None
    min_ml: float | None = Field(None, ge=0)
    max_ml: float | None = Field(None, gt=0)
    max_pieces: int = Field(60, ge=1)

    def find(self, array: npt.NDArray[Any], within: BoolArray, *, spacing_mm: Triple, unit: str) -> list[Piece]:
        """Pieces of the map above each level: levels ascending; within one, in scan order.

        ``CaseError`` for an image of one slice: nothing could continue it.
        """
        from tasks.imaging.spectrum.saliency import saliency_map

        chosen = self.by_unit(unit)
        if not within.any():
            return []
        box = mask_box(within)
        inside = within[box]
        image = np.asarray(array[box], dtype=np.float32)
        if chosen.clip:
            image = np.clip(image, *chosen.clip)
        # What lies outside shall not stand out by its edge.
        image = np.where(inside, image, np.float32(np.median(image[inside])))
        salient = saliency_map(image, spacing_mm=spacing_mm, within=inside)
        voxel_ml = float(np.prod(spacing_mm)) / 1000.0
        pieces = []
        for level in sorted(set(chosen.levels)):
            labels, boxes = label_components((salient >= level) & inside)
            ml = np.bincount(labels.ravel())[1:] * voxel_ml
            fits = np.flatnonzero((ml >= (chosen.min_ml or 0.0)) & (ml <= (chosen.max_ml or np.inf)))
            largest = fits[np.argsort(-ml[fits], kind="stable")[: chosen.max_pieces]]
            pieces += [
                Piece("saliency", level, placed_box(boxes[n], box), labels[boxes[n]] == n + 1) for n in np.sort(largest)
            ]
        return pieces
