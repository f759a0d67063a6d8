"""Statistics of a candidate on the levels of its image pyramid: texture the size of voxels, twice that, and so on.

*Smooth* levels are those of the Gaussian pyramid, *detail* levels those of the Laplacian one (Burt & Adelson 1983,
doi:10.1109/TCOM.1983.1095851): what a level has that the next does not. Sizes are those of voxels; axes with thick
slices are halved later than the others (:mod:`tasks.imaging.pyramid.formula`). Detail ``1`` is the finest.

The mask goes through the same pyramid, and what is left of it in a voxel is that voxel's weight: small candidates fade
but do not vanish. Surroundings enter by the pyramid's filter alone.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from pydantic import Field

from storage.volume import Triple
from tasks.extract.context import context_box, context_margin_mm
from tasks.extract.feature import FeatureInfo
from tasks.extract.region import Region
from tasks.settings import StageSettings

Floats = npt.NDArray[np.float64]
FLAT = 1e-9
"""Times the largest intensity: a spread below is rounding."""


class Settings(StageSettings):
    """How far the pyramid goes.

    Attributes
    ----------
    levels
        Beside the image.
    context
        Sides of the box that the pyramid is made of, as multiples of those of the candidate's.
    """

    levels: int = Field(3, ge=1, le=8)
    context: float = Field(1.5, ge=1)


def features(settings: Settings) -> dict[str, FeatureInfo]:
    """Statistics of detail and smooth levels, the finest first."""
    infos: dict[str, FeatureInfo] = {}
    unless = "a region that cannot be halved so often"
    for level in range(1, settings.levels + 1):
        where = f"detail {level}, weighted by the mask"
        infos |= {
            f"detail_{level}_mean_absolute": FeatureInfo(None, "intensity", f"Mean size of {where}.", None, unless),
            f"detail_{level}_sd": FeatureInfo(None, "intensity", f"Standard deviation of {where}.", None, unless),
            f"detail_{level}_skewness": FeatureInfo(None, "1", f"Skewness of {where}.", None, unless),
            f"detail_{level}_kurtosis": FeatureInfo(None, "1", f"Excess kurtosis of {where}.", None, unless),
            f"detail_{level}_energy_share": FeatureInfo(
                None, "1", f"Mean square of {where}, over the sum of all details'; 0 where it is 0.", None, unless
            ),
        }
    for level in range(1, settings.levels + 1):
        where = f"smooth level {level}, weighted by the mask"
        infos |= {
            f"smooth_{level}_mean": FeatureInfo(None, "intensity", f"Mean of {where}.", None, unless),
            f"smooth_{level}_sd": FeatureInfo(None, "intensity", f"Standard deviation of {where}.", None, unless),
            f"smooth_{level}_skewness": FeatureInfo(None, "1", f"Skewness of {where}.", None, unless),
            f"smooth_{level}_kurtosis": FeatureInfo(None, "1", f"Excess kurtosis of {where}.", None, unless),
        }
    return infos


def margin_mm(extent_mm: Triple, settings: Settings) -> Triple:
    """What the box has beyond the candidate on each side."""
    return context_margin_mm(extent_mm, settings.context)


def compute(region: Region, settings: Settings) -> dict[str, float]:
    """Statistics by the names of :func:`features`; skewness and kurtosis of a flat level are 0."""
    from tasks.imaging.pyramid.gaussian import gaussian_pyramid
    from tasks.imaging.pyramid.laplacian import laplacian_pyramid

    box = context_box(region, region.counted, settings.context)
    image, mask = np.asarray(region.image[box], dtype=np.float64), region.counted[box]
    spacing, levels = region.spacing_mm, settings.levels
    weights = gaussian_pyramid(mask.astype(np.float64), spacing_mm=spacing, levels=levels, threads=1)
    smooth = gaussian_pyramid(image, spacing_mm=spacing, levels=levels, threads=1)[1:]
    details = laplacian_pyramid(image, spacing_mm=spacing, levels=levels, threads=1)[:-1]
    scale = float(np.abs(image).max())
    values = dict.fromkeys(features(settings), float("nan"))
    energies = []
    for level, (detail, weight) in enumerate(zip(details, weights, strict=False), 1):
        found = _statistics(detail, weight, scale)
        energies.append(found["energy"])
        values |= {f"detail_{level}_{name}": found[name] for name in ("mean_absolute", "sd", "skewness", "kurtosis")}
    total = sum(energies) or 1.0
    values |= {f"detail_{level}_energy_share": energy / total for level, energy in enumerate(energies, 1)}
    for level, (seen, weight) in enumerate(zip(smooth, weights[1:], strict=True), 1):
        found = _statistics(seen, weight, scale)
        values |= {f"smooth_{level}_{name}": found[name] for name in ("mean", "sd", "skewness", "kurtosis")}
    return values


def _statistics(values: Floats, weights: Floats, scale: float) -> dict[str, float]:
    inside = weights > 0
    share, seen = weights[inside] / weights.sum(), values[inside]
    mean = float(np.sum(share * seen))
    centred = seen - mean
    squared = centred * centred
    variance = float(np.sum(share * squared))
    flat = variance <= (FLAT * scale) ** 2
    return {
        "mean": mean,
        "mean_absolute": float(np.sum(share * np.abs(seen))),
        "energy": float(np.sum(share * seen * seen)) if np.abs(seen).max() > FLAT * scale else 0.0,
        "sd": variance**0.5 if not flat else 0.0,
        "skewness": float(np.sum(share * squared * centred)) / variance**1.5 if not flat else 0.0,
        "kurtosis": float(np.sum(share * squared * squared)) / variance**2 - 3.0 if not flat else 0.0,
    }
