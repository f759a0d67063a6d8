"""Dependence of neighbouring levels (NGLDM): the 17 features of the IBSI, section 3.11 (arXiv:1612.07003).

A voxel depends on its neighbours whose levels differ from its own by ``alpha`` or less. Its *dependence count* includes
itself: 1 where no neighbour is like it.
"""

from __future__ import annotations

import numpy as np
from pydantic import Field

from tasks.extract.feature import FeatureInfo
from tasks.extract.region import Region
from tasks.extract.texture.aggregation import AGGREGATIONS, Aggregation, OfNeighbourhoods, averaged, infos
from tasks.extract.texture.counts import Counts
from tasks.extract.texture.emphasis import described, emphases
from tasks.extract.texture.scan import scan
from tasks.settings import StageSettings

KNOWN = described(
    {
        "low_dependence_emphasis": ("SODN", "ngl_lde"),
        "high_dependence_emphasis": ("IMOQ", "ngl_hde"),
        "low_grey_level_count_emphasis": ("TL9H", "ngl_lgce"),
        "high_grey_level_count_emphasis": ("OAE7", "ngl_hgce"),
        "low_dependence_low_grey_level_emphasis": ("EQ3F", "ngl_ldlge"),
        "low_dependence_high_grey_level_emphasis": ("JA6D", "ngl_ldhge"),
        "high_dependence_low_grey_level_emphasis": ("NBZI", "ngl_hdlge"),
        "high_dependence_high_grey_level_emphasis": ("9QMG", "ngl_hdhge"),
        "grey_level_non_uniformity": ("FP8K", "ngl_glnu"),
        "normalised_grey_level_non_uniformity": ("5SPA", "ngl_glnu_norm"),
        "dependence_count_non_uniformity": ("Z87G", "ngl_dcnu"),
        "normalised_dependence_count_non_uniformity": ("OKJI", "ngl_dcnu_norm"),
        "dependence_count_percentage": ("6XV8", "ngl_dc_perc"),
        "grey_level_variance": ("1PFV", "ngl_gl_var"),
        "dependence_count_variance": ("DNX2", "ngl_dc_var"),
        "dependence_count_entropy": ("FCBV", "ngl_dc_entr"),
        "dependence_count_energy": ("CAS9", "ngl_dc_energy"),
    },
    one="voxel",
    size="dependence count",
)


class Settings(StageSettings):
    """What is counted.

    Attributes
    ----------
    aggregations
        In slices or in the volume, by the names of the standard's tables.
    alpha
        Difference of levels up to which neighbours depend on each other (coarseness).
    distance
        Chebyshev distance up to which voxels are neighbours.
    """

    aggregations: OfNeighbourhoods = ("3D",)
    alpha: float = Field(0.0, ge=0, le=65_536)
    distance: int = Field(1, ge=1, le=10)


def features(settings: Settings) -> dict[str, FeatureInfo]:
    """All features under each aggregation."""
    return infos(KNOWN, settings.aggregations)


def compute(region: Region, settings: Settings) -> dict[str, float]:
    """Features of the dependence counts, by the names of `features`."""
    found: dict[str, float] = {}
    for name in settings.aggregations:
        counts = dependences(region, AGGREGATIONS[name], settings.alpha, settings.distance)
        # Each voxel has a dependence count: as many are possible as there are.
        found |= averaged(dict(zip(KNOWN, emphases(counts, counts.totals), strict=True)), name)
    return found


def dependences(region: Region, aggregation: Aggregation, alpha: float, distance: int) -> Counts:
    """Voxels by matrix, of levels (rows) and dependence counts (columns)."""
    from tasks.extract.kernels.neighbours import count_dependences

    voxels = scan(region, distance)
    offsets = voxels.neighbours(planar=aggregation.planar, distance=distance)
    slices = len(voxels.slice_ends) if aggregation.by_slice else 1
    counts = np.zeros((slices, voxels.count + 1, len(offsets) + 2), dtype=np.int32)
    count_dependences(voxels.levels, voxels.positions, voxels.slice_ends, offsets, int(alpha), counts)
    return Counts.of_matrices(counts)
