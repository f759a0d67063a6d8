"""Feature maps: what a feature is in the neighbourhood of each voxel, as an image beside the table.

A *neighbourhood* is the cube of ``2 * radius + 1`` voxels a side around a voxel; of it count the voxels of the mask.
Levels are those of the whole mask, not of the cube, so that maps of one case are of one scale. Names are those of the
families: ``first_order`` with the entropy of the levels (TLU2), and the 25 features of ``glcm`` (the symmetric matrix
of neighbours at distance 1; features of each of the 13 directions that have a pair, then their mean).

Where definitions leave a gap: of one level the correlation is 1, and the entropies, both measures of information and
the inverse variance are 0; of equal intensities variance, skewness and excess kurtosis are 0; a voxel without a
neighbour has statistics and, without a pair, NaN for co-occurrence. All of this is as in pyradiomics' voxel-based
extraction. Two things are not: its kurtosis is not less 3, and where the two levels of a pair are independent, so that
its rounding may leave the second measure of information no number, it drops that direction, which counts as 0 here.

References
----------
Zwanenburg et al., arXiv:1612.07003, sections 3.3, 3.4.1 and 3.6; van Griethuysen et al. 2017,
doi:10.1158/0008-5472.CAN-17-0339, voxel-based extraction
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import product
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from storage.volume import Volume
from tasks.extract.discretize import Levels, discretize
from tasks.extract.grid import Grid
from tasks.extract.map_settings import CO_OCCURRENCE, STATISTICS
from tasks.extract.resegment import resegment
from tasks.imaging.grids import moved
from tasks.imaging.morphology import BoolArray, mask_box
from tasks.threads import over_slabs

if TYPE_CHECKING:
    from tasks.extract.settings import Settings
    from tasks.imaging.candidate_set import CandidateSet

Map = npt.NDArray[np.float32]
Index = npt.NDArray[np.int64]

INTENSITIES = {f"first_order.{name}" for name in ("mean", "median", "minimum", "maximum")}
"""Maps in the unit of the image."""
DIRECTIONS = [step for step in product((-1, 0, 1), repeat=3) if step > (0, 0, 0)]


def maps_of_case(image: Volume, candidates: CandidateSet, settings: Settings) -> Iterator[tuple[str, Volume]]:
    """The maps that the settings name, on the grid of the features: float32, NaN outside of the candidates.

    Parameters
    ----------
    image
        The image that the candidates were found in.
    candidates
        The union of their masks is the mask; without candidates there are no maps.
    """
    if not settings.maps.names or not len(candidates):
        return
    grid = Grid(image, settings.interpolation)
    where = _union(grid, candidates)
    if not where.any():
        return
    chosen = settings.maps
    box = mask_box(where if chosen.masked else np.ones_like(where))
    part, there = grid.image(box), where[box]
    counted = resegment(part, there if chosen.masked else np.ones_like(there), settings.resegmentation)
    levels = discretize(part, counted, settings.bins())
    for name, values in voxel_maps(part, levels, there & counted, chosen.names, radius=chosen.radius):
        array = np.full(grid.shape, np.nan, dtype=np.float32)
        array[box] = values
        placed = moved(image, grid.placement, array) if grid.placement else image.with_array(array)
        yield name, placed.with_array(array, image.unit if name in INTENSITIES else "arbitrary")


def voxel_maps(
    image: npt.NDArray[Any],
    levels: Levels,
    where: BoolArray,
    names: tuple[str, ...],
    *,
    radius: int = 1,
    threads: int | None = None,
) -> Iterator[tuple[str, Map]]:
    """Maps of an array, those of the statistics first; one at a time, since each has the size of the image.

    Parameters
    ----------
    image
        ``(z, y, x)``.
    levels
        Of the same shape; a voxel with level 0 counts in no neighbourhood.
    where
        The voxels that are asked for; the maps are NaN elsewhere.
    names
        Of ``STATISTICS`` and ``CO_OCCURRENCE``.
    radius
        See :class:`tasks.extract.map_settings.MapSettings`.
    threads
        ``None``: the budget of this process. The result does not depend on it.
    """
    for known, table in ((STATISTICS, _statistics), (CO_OCCURRENCE, _co_occurrence)):
        wanted = [name for name in known if name in names]
        if wanted:
            of_voxels = table(image, levels, where, radius, threads)
        for name in wanted:
            values = np.full(image.shape, np.nan, dtype=np.float32)
            values[where] = of_voxels[:, known.index(name)]
            yield name, values


def _union(grid: Grid, candidates: CandidateSet) -> BoolArray:
    union = np.zeros(grid.shape, dtype=bool)
    for box, mask in candidates.masks():
        tight, inside = grid.mask(box, mask)
        union[tight] |= inside
    return union


def _statistics(
    image: npt.NDArray[Any], levels: Levels, where: BoolArray, radius: int, threads: int | None
) -> npt.NDArray[np.float32]:
    from tasks.extract.kernels.voxel_statistics import statistics_of_voxels

    corners, around = np.argwhere(where), np.pad(levels.array, radius)
    values = np.pad(image.astype(np.float64), radius)
    table = np.empty((len(corners), len(STATISTICS)), dtype=np.float32)
    side = 2 * radius + 1
    over_slabs(lambda a, b: statistics_of_voxels(values, around, corners, side, table, a, b), len(corners), threads)
    return table


def _co_occurrence(
    image: npt.NDArray[Any], levels: Levels, where: BoolArray, radius: int, threads: int | None
) -> npt.NDArray[np.float32]:
    from tasks.extract.kernels.voxel_glcm import glcm_of_voxels

    del image
    corners, around = np.argwhere(where), np.pad(levels.array, radius)
    side = 2 * radius + 1
    (pairs, ends), inverse = _pairs(side), _inverse(levels.count)
    table = np.empty((len(corners), len(CO_OCCURRENCE)), dtype=np.float32)
    over_slabs(
        lambda a, b: glcm_of_voxels(around, corners, side, pairs, ends, inverse, table, a, b), len(corners), threads
    )
    return table


def _pairs(side: int) -> tuple[Index, Index]:
    """Neighbours in a raveled cube by direction, ``(pairs, 2)``, and where each direction's begin and end."""
    places = np.arange(side**3, dtype=np.int64).reshape((side,) * 3)
    pairs = []
    for step in DIRECTIONS:
        first = places[tuple(slice(max(0, -s), side - max(0, s)) for s in step)]
        second = places[tuple(slice(max(0, s), side - max(0, -s)) for s in step)]
        pairs.append(np.stack([first.ravel(), second.ravel()], axis=1))
    return np.concatenate(pairs), np.cumsum([0, *(len(some) for some in pairs)], dtype=np.int64)


def _inverse(count: int) -> npt.NDArray[np.float64]:
    """What each difference of two of so many levels weighs in the inverse features."""
    d = np.arange(count, dtype=np.float64)
    of_difference, of_square = (1 / (1 + d), 1 / (1 + d / count)), (1 / (1 + d**2), 1 / (1 + (d / count) ** 2))
    return np.stack([*of_difference, *of_square, np.where(d > 0, 1 / np.maximum(d, 1) ** 2, 0.0)], axis=1)
