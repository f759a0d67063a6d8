"""Local intensity: the two peaks of the IBSI, section 3.2 (arXiv:1612.07003); see :mod:`tasks.extract.peaks`."""

from __future__ import annotations

from storage.volume import Triple
from tasks.extract.feature import FeatureInfo
from tasks.extract.peaks import MARGIN_MM, peaks
from tasks.extract.region import Region
from tasks.settings import StageSettings

FEATURES = {
    "local_peak": FeatureInfo(
        "VJGA", "intensity", "Mean of the sphere of 1 cm3 around the highest intensity.", "loc_peak_loc"
    ),
    "global_peak": FeatureInfo(
        "0F91", "intensity", "Highest mean of a sphere of 1 cm3 around a voxel of the region.", "loc_peak_glob"
    ),
}


class Settings(StageSettings):
    """No options: the standard leaves none."""


def margin_mm(extent_mm: Triple, settings: Settings) -> Triple:  # noqa: ARG001 - all families are called alike
    """The spheres reach beyond the region."""
    return MARGIN_MM


def compute(region: Region, settings: Settings) -> dict[str, float]:  # noqa: ARG001 - all families are called alike
    """The peaks of the region, by the names of ``FEATURES``."""
    found = region.once("peaks", peaks)
    return {"local_peak": found.at_maximum, "global_peak": found.highest}
