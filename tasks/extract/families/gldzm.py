"""Distances of zones of equal levels (GLDZM): the 16 features of the IBSI, section 3.9 (arXiv:1612.07003).

Zones are those of ``glszm``. The distance of a zone is the smallest city-block distance of its voxels to the outside,
1 at the border. It is measured on the morphological mask: holes that re-segmentation has left in the intensity mask
make no border. In slices, zones and distances are those of the slice.
"""

from __future__ import annotations

from tasks.extract.feature import FeatureInfo
from tasks.extract.region import Region
from tasks.extract.texture.aggregation import AGGREGATIONS, OfNeighbourhoods, averaged, infos
from tasks.extract.texture.emphasis import described
from tasks.extract.texture.zones import zone_emphases
from tasks.settings import StageSettings

KNOWN = described(
    {
        "small_distance_emphasis": ("0GBI", "dzm_sde"),
        "large_distance_emphasis": ("MB4I", "dzm_lde"),
        "low_grey_level_zone_emphasis": ("S1RA", "dzm_lgze"),
        "high_grey_level_zone_emphasis": ("K26C", "dzm_hgze"),
        "small_distance_low_grey_level_emphasis": ("RUVG", "dzm_sdlge"),
        "small_distance_high_grey_level_emphasis": ("DKNJ", "dzm_sdhge"),
        "large_distance_low_grey_level_emphasis": ("A7WM", "dzm_ldlge"),
        "large_distance_high_grey_level_emphasis": ("KLTH", "dzm_ldhge"),
        "grey_level_non_uniformity": ("VFT7", "dzm_glnu"),
        "normalised_grey_level_non_uniformity": ("7HP3", "dzm_glnu_norm"),
        "zone_distance_non_uniformity": ("V294", "dzm_zdnu"),
        "normalised_zone_distance_non_uniformity": ("IATH", "dzm_zdnu_norm"),
        "zone_percentage": ("VIWW", "dzm_z_perc"),
        "grey_level_variance": ("QK93", "dzm_gl_var"),
        "zone_distance_variance": ("7WT1", "dzm_zd_var"),
        "zone_distance_entropy": ("GBDU", "dzm_zd_entr"),
    },
    one="zone",
    size="distance",
)


class Settings(StageSettings):
    """What is counted.

    Attributes
    ----------
    aggregations
        In slices or in the volume, by the names of the standard's tables.
    """

    aggregations: OfNeighbourhoods = ("3D",)


def features(settings: Settings) -> dict[str, FeatureInfo]:
    """All features under each aggregation."""
    return infos(KNOWN, settings.aggregations)


def compute(region: Region, settings: Settings) -> dict[str, float]:
    """Features of the zones' distances, by the names of `features`."""
    found: dict[str, float] = {}
    for name in settings.aggregations:
        values = zone_emphases(region, AGGREGATIONS[name], "distance")
        found |= averaged(dict(zip(KNOWN, values, strict=False)), name)
    return found
