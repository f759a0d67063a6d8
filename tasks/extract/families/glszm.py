"""Sizes of zones of equal levels (GLSZM): the 16 features of the IBSI, section 3.8 (arXiv:1612.07003).

A *zone* is what voxels of one level make up that touch over faces, edges or corners (26 neighbours, 8 in a slice); its
size is its number of voxels. There is no direction to merge.
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
        "small_zone_emphasis": ("5QRC", "szm_sze"),
        "large_zone_emphasis": ("48P8", "szm_lze"),
        "low_grey_level_zone_emphasis": ("XMSY", "szm_lgze"),
        "high_grey_level_zone_emphasis": ("5GN9", "szm_hgze"),
        "small_zone_low_grey_level_emphasis": ("5RAI", "szm_szlge"),
        "small_zone_high_grey_level_emphasis": ("HW1V", "szm_szhge"),
        "large_zone_low_grey_level_emphasis": ("YH51", "szm_lzlge"),
        "large_zone_high_grey_level_emphasis": ("J17V", "szm_lzhge"),
        "grey_level_non_uniformity": ("JNSA", "szm_glnu"),
        "normalised_grey_level_non_uniformity": ("Y1RO", "szm_glnu_norm"),
        "zone_size_non_uniformity": ("4JP3", "szm_zsnu"),
        "normalised_zone_size_non_uniformity": ("VB3A", "szm_zsnu_norm"),
        "zone_percentage": ("P30P", "szm_z_perc"),
        "grey_level_variance": ("BYLV", "szm_gl_var"),
        "zone_size_variance": ("3NSA", "szm_zs_var"),
        "zone_size_entropy": ("GU8N", "szm_zs_entr"),
    },
    one="zone",
    size="size",
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
    """Features of the zones' sizes, by the names of `features`."""
    found: dict[str, float] = {}
    for name in settings.aggregations:
        values = zone_emphases(region, AGGREGATIONS[name], "size")
        found |= averaged(dict(zip(KNOWN, values, strict=False)), name)
    return found
