"""Candidate regions by stability: pieces that hardly change while the threshold does.

The components above each of many thresholds form a tree: each lies in one of the next lower threshold. Where a piece
with a sharp border ends, the same piece comes back threshold after threshold; where it is about to flow into its
surroundings it grows by leaps. Kept are the *maximally stable* ones (Matas et al., doi:10.1016/j.imavis.2004.02.006; in
three dimensions Donoser and Bischof, doi:10.1109/CVPR.2006.107): the *variation* of a piece is by how much of its
volume it grows ``delta`` thresholds further down, and a stable one varies less than the piece it lies in, and no more
than any that lie in it. So each lesion needs no threshold of its own, and gives few candidates.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt
from pydantic import Field

from storage.volume import FloatArray, Triple
from tasks.imaging.candidate_set import Piece
from tasks.imaging.finder import LevelFinder
from tasks.imaging.morphology import BoolArray, label_components, mask_box, placed_box

Ints = npt.NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Layer:
    """The components above one threshold, by label less 1.

    Attributes
    ----------
    voxels
        ``(n,)``: their sizes.
    parents
        ``(n,)``: in which component of the threshold below each lies; of the lowest threshold -1.
    """

    voxels: Ints
    parents: Ints


class Settings(LevelFinder):
    """Which pieces are stable.

    Attributes
    ----------
    delta
        By how many thresholds down the variation is measured.
    max_variation
        A piece may grow by this part of its volume, at most.
    """

    unit_defaults: ClassVar[dict[str, dict[str, Any]]] = {
        "SUV": {
            "thresholds": tuple(float(t) for t in np.round(np.geomspace(0.5, 25.0, 40), 3)),
            "smoothing_sigma_mm": 3.0,
            "min_ml": 2.0,
            "max_ml": 4000.0,
        },
        "HU": {
            "thresholds": tuple(range(-800, 101, 25)),
            "smoothing_sigma_mm": 0.0,
            "min_ml": 0.06,
            "max_ml": 40.0,
        },
        "arbitrary": {
            "quantiles": tuple(float(q) for q in np.round(1 - np.geomspace(0.5, 0.002, 40), 4)),
            "smoothing_sigma_mm": 1.0,
            "min_ml": 0.1,
            "max_ml": 1000.0,
        },
    }

    delta: int = Field(3, ge=1)
    max_variation: float = Field(0.5, gt=0)

    def find(self, array: npt.NDArray[Any], within: BoolArray, *, spacing_mm: Triple, unit: str) -> list[Piece]:
        """Stable pieces: thresholds ascending; within one, in scan order."""
        chosen = self.by_unit(unit)
        if not within.any():
            return []
        box = mask_box(within)
        inside = within[box]
        smooth = chosen.smoothed(array, spacing_mm)[box]
        levels = chosen.levels(smooth, inside)
        tree = component_tree(smooth, inside, levels)
        voxel_ml = float(np.prod(spacing_mm)) / 1000.0
        pieces = []
        for level, layer, stable in zip(
            levels, tree, stable_components(tree, chosen.delta, chosen.max_variation), strict=True
        ):
            wanted = np.flatnonzero(stable & chosen.fits(layer.voxels * voxel_ml))
            if wanted.size:
                labels, boxes = label_components((smooth > level) & inside)
                pieces += [
                    Piece("tree", float(level), placed_box(boxes[n], box), labels[boxes[n]] == n + 1) for n in wanted
                ]
        return pieces


def component_tree(image: FloatArray, within: BoolArray, levels: list[float]) -> list[Layer]:
    """The face-connected components above each of some ascending levels, and how they lie in each other."""
    layers: list[Layer] = []
    below: npt.NDArray[np.int32] | None = None
    for level in levels:
        labels, _ = label_components((image > level) & within)
        flat = labels.ravel()
        places = np.flatnonzero(flat)
        one_voxel = np.zeros(int(flat.max(initial=0)) + 1, dtype=np.int64)
        one_voxel[flat[places]] = places
        parents = (
            np.full(len(one_voxel), -1, dtype=np.int64) if below is None else below[one_voxel].astype(np.int64) - 1
        )
        layers.append(Layer(np.bincount(flat, minlength=len(one_voxel))[1:], parents[1:]))
        below = flat
    return layers


def stable_components(tree: list[Layer], delta: int, max_variation: float) -> list[BoolArray]:
    """For each level which of its components are maximally stable; for the words see this module."""
    variations = [_variation(tree, level, delta) for level in range(len(tree))]
    chosen = []
    for level, (layer, variation) in enumerate(zip(tree, variations, strict=True)):
        stable = variation <= max_variation
        if level:
            stable &= variation < variations[level - 1][layer.parents]
        if level + 1 < len(tree):
            least = np.full(len(variation), np.inf)
            np.minimum.at(least, tree[level + 1].parents, variations[level + 1])
            stable &= variation <= least
        chosen.append(stable)
    return chosen


def _variation(tree: list[Layer], level: int, delta: int) -> FloatArray:
    """By which part each component grows ``delta`` levels down; infinite where there are no such levels."""
    voxels = tree[level].voxels
    if level < delta:
        return np.full(len(voxels), np.inf)
    ancestors = np.arange(len(voxels))
    for step in range(delta):
        ancestors = tree[level - step].parents[ancestors]
    return np.asarray((tree[level - delta].voxels[ancestors] - voxels) / voxels)
