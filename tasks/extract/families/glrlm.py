"""Runs of equal levels (GLRLM): the 16 features of the IBSI, section 3.7 (arXiv:1612.07003).

A *run* is a longest series of voxels of one level along a direction: one of the 13 to a voxel's neighbours (4 in a
slice) of which none is the opposite of another. Its length is its number of voxels, on diagonals too.
"""

from __future__ import annotations

import numpy as np

from tasks.extract.feature import FeatureInfo
from tasks.extract.region import Region
from tasks.extract.texture.aggregation import AGGREGATIONS, Aggregation, OfDirections, averaged, infos
from tasks.extract.texture.counts import Counts, Index
from tasks.extract.texture.emphasis import described, emphases
from tasks.extract.texture.scan import Scan, scan
from tasks.settings import StageSettings

KNOWN = described(
    {
        "short_runs_emphasis": ("22OV", "rlm_sre"),
        "long_runs_emphasis": ("W4KF", "rlm_lre"),
        "low_grey_level_run_emphasis": ("V3SW", "rlm_lgre"),
        "high_grey_level_run_emphasis": ("G3QZ", "rlm_hgre"),
        "short_run_low_grey_level_emphasis": ("HTZT", "rlm_srlge"),
        "short_run_high_grey_level_emphasis": ("GD3A", "rlm_srhge"),
        "long_run_low_grey_level_emphasis": ("IVPO", "rlm_lrlge"),
        "long_run_high_grey_level_emphasis": ("3KUM", "rlm_lrhge"),
        "grey_level_non_uniformity": ("R5YN", "rlm_glnu"),
        "normalised_grey_level_non_uniformity": ("OVBL", "rlm_glnu_norm"),
        "run_length_non_uniformity": ("W92Y", "rlm_rlnu"),
        "normalised_run_length_non_uniformity": ("IC23", "rlm_rlnu_norm"),
        "run_percentage": ("9ZK5", "rlm_r_perc"),
        "grey_level_variance": ("8CE5", "rlm_gl_var"),
        "run_length_variance": ("SXLW", "rlm_rl_var"),
        "run_entropy": ("HJ9O", "rlm_rl_entr"),
    },
    one="run",
    size="length",
)
MOST_CELLS = 1 << 22
"""Of matrices that are counted at a time; those of the slices may be many."""


class Settings(StageSettings):
    """What is counted.

    Attributes
    ----------
    aggregations
        How slices and directions come together, by the names of the standard's tables.
    """

    aggregations: OfDirections = ("3D_comb",)


def features(settings: Settings) -> dict[str, FeatureInfo]:
    """All features under each aggregation."""
    return infos(KNOWN, settings.aggregations)


def compute(region: Region, settings: Settings) -> dict[str, float]:
    """Features of the runs, by the names of `features`."""
    voxels = scan(region)
    found: dict[str, float] = {}
    for name in settings.aggregations:
        way = AGGREGATIONS[name]
        directions = len(voxels.directions(planar=way.planar))
        each = voxels.slice_voxels if way.by_slice else np.array([len(voxels.positions)])
        possible = np.repeat(each, directions) if way.by_direction else each * directions
        values = emphases(run_lengths(voxels, way), possible.astype(np.float64))
        found |= averaged(dict(zip(KNOWN, values, strict=False)), name)
    return found


def run_lengths(voxels: Scan, aggregation: Aggregation) -> Counts:
    """Runs by matrix, of levels (rows) and lengths (columns)."""
    offsets = voxels.directions(planar=aggregation.planar)
    directions, levels, lengths = len(offsets) if aggregation.by_direction else 1, voxels.count + 1, max(voxels.shape)
    slices = len(voxels.slice_ends)
    at_once = max(1, MOST_CELLS // (directions * levels * lengths)) if aggregation.by_slice else slices
    cells, counts = [], []
    for first in range(0, slices, at_once):
        last = min(first + at_once, slices)
        matrices = np.zeros((last - first if aggregation.by_slice else 1, directions, levels, lengths), dtype=np.int32)
        found = _run_lengths(voxels, offsets, first, last, matrices)
        cells.append(found + first * matrices[0].size)
        counts.append(matrices.reshape(-1)[found])
    return Counts.of_cells(np.concatenate(cells), np.concatenate(counts), (levels, lengths))


def _run_lengths(voxels: Scan, offsets: Index, first: int, last: int, matrices: np.ndarray) -> Index:
    """Count the runs of some slices into ``matrices``; the cells that are not 0."""
    from tasks.extract.kernels.runs import count_run_voxels

    start = int(voxels.slice_ends[first - 1]) if first else 0
    positions, ends = voxels.positions[start : voxels.slice_ends[last - 1]], voxels.slice_ends[first:last] - start
    state = np.zeros(len(voxels.levels), dtype=np.int32)
    count_run_voxels(voxels.levels, positions, ends, offsets, state, matrices)
    matrices[..., 1:-1] -= matrices[..., 2:]  # n or more, less n + 1 or more
    return np.flatnonzero(matrices)
