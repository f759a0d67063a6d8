"""Uptake and metabolic volume on PET, and whether the scanner's blur has a say in them.

Standardized uptake values mean something only in their own scale: on any other image these features are NaN, as they
are on the responses of filters. Volumes are those of the region as it is given, and of its parts above thresholds; a
threshold does not look beyond the region. *SUVpeak* is the highest mean of a sphere of 1 ml around a voxel of the
region (see :mod:`tasks.extract.peaks`), which may reach beyond it.

A scanner blurs: what is smaller than about three times the width of its point-spread function loses uptake to its
surroundings, and every feature of uptake then measures size as well (Soret et al. 2007). ``partial_volume_affected``
says so for the largest ball that fits into the region, the part that suffers least; ``recovery_at_centre`` says how
much: the share of its contrast that the centre of such a ball keeps, in closed form for a Gaussian (Hoffman et al.
1979). The ball fits into the steps of the voxels, and so is up to a voxel smaller than a lesion that they stand for:
the warning is rather too loud. Nothing is corrected by it.

References
----------
Boellaard et al. 2015, doi:10.1007/s00259-014-2961-x (EANM: thresholds, SUVpeak); Soret et al. 2007,
doi:10.2967/jnumed.106.035774; Hoffman et al. 1979, doi:10.1097/00004728-197906000-00001
"""

from __future__ import annotations

from math import erf, exp, log, pi, sqrt
from typing import Annotated

import numpy as np
from pydantic import Field, field_validator

from storage.volume import Triple
from tasks.extract.feature import FeatureInfo
from tasks.extract.peaks import MARGIN_MM, peaks
from tasks.extract.region import Region
from tasks.imaging.morphology import BoolArray, distance_mm
from tasks.settings import StageSettings

OF_RESPONSES = False
NO_SUV = "the image is not in SUV"
WIDTHS = 3
"""Widths of the point-spread function that a region must measure to be free of its effect."""


class Settings(StageSettings):
    """Thresholds, and the scanner's blur.

    Attributes
    ----------
    fraction_of_maximum
        Threshold as a share of the region's highest uptake.
    thresholds_suv
        Thresholds in SUV.
    psf_fwhm_mm
        Full width at half maximum of the point-spread function of scanner and reconstruction, in mm: 4 to 5 with
        time of flight and resolution modelling, 6 to 8 without.
    """

    fraction_of_maximum: float = Field(0.41, gt=0, lt=1)
    thresholds_suv: tuple[Annotated[float, Field(gt=0)], ...] = (2.5, 4.0)
    psf_fwhm_mm: float = Field(7.0, gt=0)

    @field_validator("thresholds_suv")
    @classmethod
    def _each_once(cls, thresholds: tuple[float, ...]) -> tuple[float, ...]:
        if len({f"{suv:g}" for suv in thresholds}) != len(thresholds):
            raise ValueError(f"expected each threshold once; got {', '.join(f'{suv:g}' for suv in thresholds)}")
        return thresholds


def features(settings: Settings) -> dict[str, FeatureInfo]:
    """Uptake, volumes and glycolysis for each threshold, and the warnings."""
    infos = {
        "suv_max": _info("intensity", "Highest uptake."),
        "suv_mean": _info("intensity", "Mean uptake."),
        "suv_peak": _info("intensity", "Highest mean uptake of a sphere of 1 ml around a voxel of the region."),
        "mtv": _info("ml", "Metabolic tumour volume: that of the region."),
        "tlg": _info("intensity ml", "Total lesion glycolysis: volume times mean uptake."),
    }
    for name, of in _thresholds(settings).items():
        infos[f"mtv_{name}"] = _info("ml", f"Volume of the part of the region with at least {of}.")
        infos[f"tlg_{name}"] = _info("intensity ml", f"Volume times mean uptake of the part with at least {of}.")
    return infos | {
        "inner_diameter": _info("mm", "Diameter of the largest ball that fits into the region."),
        "partial_volume_affected": _info(
            "1", f"1 where this is less than {WIDTHS} times {settings.psf_fwhm_mm:g} mm, the width of the blur, else 0."
        ),
        "recovery_at_centre": _info("1", "Share of its contrast that the centre of this ball keeps in the blur."),
    }


def margin_mm(extent_mm: Triple, settings: Settings) -> Triple:  # noqa: ARG001 - all families are called alike
    """The spheres of SUVpeak reach beyond the region."""
    return MARGIN_MM


def compute(region: Region, settings: Settings) -> dict[str, float]:
    """Uptake of the region, by the names of `features`."""
    if region.unit != "SUV":
        return dict.fromkeys(features(settings), float("nan"))
    values, voxel_ml = region.values, region.voxel_mm3 / 1000
    highest = float(values.max())
    found = {
        "suv_max": highest,
        "suv_mean": float(values.mean()),
        "suv_peak": region.once("peaks", peaks).highest,
        "mtv": values.size * voxel_ml,
        "tlg": float(values.sum()) * voxel_ml,
    }
    thresholds = (settings.fraction_of_maximum * highest, *settings.thresholds_suv)
    for name, threshold in zip(_thresholds(settings), thresholds, strict=True):
        above = values[values >= threshold]
        found[f"mtv_{name}"], found[f"tlg_{name}"] = above.size * voxel_ml, float(above.sum()) * voxel_ml
    diameter = inner_diameter_mm(region.core)
    return found | {
        "inner_diameter": diameter,
        "partial_volume_affected": float(diameter < WIDTHS * settings.psf_fwhm_mm),
        "recovery_at_centre": recovery_at_centre(diameter, settings.psf_fwhm_mm),
    }


def inner_diameter_mm(region: Region) -> float:
    """Diameter of the largest ball inside the voxels of the region, around the middle of a voxel, face or edge."""
    outside = ~np.pad(region.mask, 1)
    for axis in range(3):
        outside = _halved(outside, axis)
    z, y, x = (s / 2 for s in region.spacing_mm)
    return 2 * float(distance_mm(outside, (z, y, x)).max())


def _halved(outside: BoolArray, axis: int) -> BoolArray:
    """Voxels along an axis as their middles and the faces between them, which belong to the outside if either does."""
    voxels = np.moveaxis(outside, axis, 0)
    points = np.zeros((2 * len(voxels) + 1, *voxels.shape[1:]), dtype=bool)
    points[1::2] = voxels
    points[:-1:2] |= voxels
    points[2::2] |= voxels
    return np.moveaxis(points, 0, axis)


def recovery_at_centre(diameter_mm: float, fwhm_mm: float) -> float:
    """Share of the contrast of a ball in even surroundings that its centre keeps behind a Gaussian blur."""
    ratio = diameter_mm / 2 / (fwhm_mm / sqrt(8 * log(2)))
    return erf(ratio / sqrt(2)) - sqrt(2 / pi) * ratio * exp(-(ratio**2) / 2)


def _thresholds(settings: Settings) -> dict[str, str]:
    """Names of the thresholds in features, and what they are."""
    percent = f"{100 * settings.fraction_of_maximum:g}"
    names = {f"{percent}_percent".replace(".", "_"): f"{percent} % of the highest uptake"}
    return names | {f"suv_{suv:g}".replace(".", "_"): f"SUV {suv:g}" for suv in settings.thresholds_suv}


def _info(unit: str, description: str) -> FeatureInfo:
    return FeatureInfo(None, unit, description, nan_when=NO_SUV)
