"""The outline of a candidate's largest slice: how round, dented, rough and spiculated it is.

Outlines are traced, smoothed and evenly spaced in mm (:mod:`tasks.imaging.outline`); of several pieces the largest is
looked at, without its holes. What has no length in its unit does not depend on position, size, rotation and mirroring.

Sources: Fourier descriptors, Zahn & Roskies 1972 (doi:10.1109/TC.1972.5008949) and Persoon & Fu 1977
(doi:10.1109/TSMC.1977.4309681); bending energy, Young et al. 1974 (doi:10.1016/S0019-9958(74)91038-9); measures of the
radial length, Kilday et al. 1993 (doi:10.1109/42.251116).
"""

from __future__ import annotations

import numpy as np
from pydantic import Field

from tasks.extract.feature import FeatureInfo
from tasks.extract.plane import largest_piece, largest_slice
from tasks.extract.region import Region
from tasks.imaging.outline import Floats, Outline
from tasks.settings import StageSettings

OF_THE_MASK = True
OF_RESPONSES = False
BINS = 20
"""Of the radial length between 0 and the longest."""


class Settings(StageSettings):
    """How the outline is made.

    Attributes
    ----------
    points
        On the outline.
    smoothing
        Sigma of the Gaussian along the outline, as a multiple of the larger side of a pixel; 0 for none. With
        less than 3 the curvature is that of the staircase of pixels; with more, fine spicules go.
    harmonics
        Highest order of the Fourier descriptors.
    dent
        Dents that are deeper count as concavities: a multiple of the larger side of a pixel.
    """

    points: int = Field(256, ge=32, le=4096)
    smoothing: float = Field(3.0, ge=0)
    harmonics: int = Field(8, ge=2, le=15)
    dent: float = Field(1.0, gt=0)


PLAIN = {
    "area": FeatureInfo(None, "mm2", "Area inside the outline."),
    "perimeter": FeatureInfo(None, "mm", "Length of the outline."),
    "compactness": FeatureInfo(None, "1", "4 pi area / perimeter^2; 1 for a circle."),
    "solidity": FeatureInfo(None, "1", "Area over that of the convex hull."),
    "convexity": FeatureInfo(None, "1", "Length of the convex hull over that of the outline."),
    "concavities": FeatureInfo(None, "1", "Number of dents deeper than a pixel, or what the settings say."),
    "deepest_concavity": FeatureInfo(None, "mm", "Depth of the deepest dent below the convex hull."),
    "curvature_mean_absolute": FeatureInfo(None, "1/mm", "Mean absolute curvature along the outline."),
    "curvature_sd": FeatureInfo(None, "1/mm", "Standard deviation of the curvature."),
    "curvature_minimum": FeatureInfo(None, "1/mm", "Smallest curvature; negative in a dent."),
    "curvature_maximum": FeatureInfo(None, "1/mm", "Largest curvature: the sharpest corner."),
    "concave_share": FeatureInfo(None, "1", "Share of the outline that bends outwards."),
    "bending_energy": FeatureInfo(None, "1", "Mean squared curvature times (perimeter / 2 pi)^2; 1 for a circle."),
    "fractal_dimension": FeatureInfo(None, "1", "1 less the slope of log length over log ruler; 1 of a smooth curve."),
    "radial_mean": FeatureInfo(None, "mm", "Mean distance of the outline from the centre of its area."),
    "radial_variation": FeatureInfo(None, "1", "Standard deviation of that distance over its mean: spiculation."),
    "radial_entropy": FeatureInfo(None, "1", "Entropy of the distance in 20 bins up to the longest, in bits."),
    "radial_crossings": FeatureInfo(None, "1", "How often the distance crosses its mean around the outline."),
    "radial_roughness": FeatureInfo(
        None, "1", "Mean step of the distance from point to point, over its mean, times points."
    ),
    "radial_area_ratio": FeatureInfo(None, "1", "Mean excess of the distance above its mean, over its mean."),
}


def features(settings: Settings) -> dict[str, FeatureInfo]:
    """Measures of the outline, and its Fourier descriptors ``harmonic_plus_2``, ``harmonic_minus_1`` and so on."""
    infos = dict(PLAIN)
    for order in range(2, settings.harmonics + 1):
        text = f"Fourier descriptor of order +{order} over the first: {order - 1} notches or bulges inwards."
        infos[f"harmonic_plus_{order}"] = FeatureInfo(None, "1", text)
    for order in range(1, settings.harmonics + 1):
        meaning = "elongation" if order == 1 else f"{order + 1} corners"
        infos[f"harmonic_minus_{order}"] = FeatureInfo(
            None, "1", f"Fourier descriptor of order -{order} over the first: {meaning}."
        )
    return infos


def compute(region: Region, settings: Settings) -> dict[str, float]:
    """Measures of the largest slice's outline, by the names of :func:`features`."""
    spacing = (region.spacing_mm[1], region.spacing_mm[2])
    outline = Outline.of(
        largest_piece(region.mask[largest_slice(region)]),
        spacing_mm=spacing,
        sigma_mm=settings.smoothing * max(spacing),
        points=settings.points,
    )
    plus, minus = outline.harmonics(settings.harmonics)
    values = {
        **_roundness(outline, settings.dent * max(spacing)),
        **_curvature(outline),
        "fractal_dimension": outline.fractal_dimension(),
        **_radial(outline.radii_mm),
    }
    values |= {f"harmonic_plus_{order}": float(part) for order, part in enumerate(plus, 2)}
    return values | {f"harmonic_minus_{order}": float(part) for order, part in enumerate(minus, 1)}


def _roundness(outline: Outline, dent_mm: float) -> dict[str, float]:
    hull, depths = outline.hull, outline.concavity_depths_mm()
    return {
        "area": outline.area_mm2,
        "perimeter": outline.perimeter_mm,
        "compactness": 4 * np.pi * outline.area_mm2 / outline.perimeter_mm**2,
        "solidity": outline.area_mm2 / hull.area_mm2,
        "convexity": hull.perimeter_mm / outline.perimeter_mm,
        "concavities": float(np.count_nonzero(depths > dent_mm)),
        "deepest_concavity": float(depths.max(initial=0.0)),
    }


def _curvature(outline: Outline) -> dict[str, float]:
    curvature = outline.curvature_per_mm
    return {
        "curvature_mean_absolute": float(np.abs(curvature).mean()),
        "curvature_sd": float(curvature.std()),
        "curvature_minimum": float(curvature.min()),
        "curvature_maximum": float(curvature.max()),
        "concave_share": float((curvature < 0).mean()),
        "bending_energy": float((curvature**2).mean() * (outline.perimeter_mm / (2 * np.pi)) ** 2),
    }


def _radial(radii: Floats) -> dict[str, float]:
    mean = float(radii.mean())
    shares = np.histogram(radii / radii.max(), bins=BINS, range=(0.0, 1.0))[0] / len(radii)
    shares = shares[shares > 0]
    # Differences that are rounding alone, as around a circle, are no crossings.
    above = radii > mean * (1 + 1e-9)
    return {
        "radial_mean": mean,
        "radial_variation": float(radii.std()) / mean,
        "radial_entropy": float(-(shares * np.log2(shares)).sum()) + 0.0,
        "radial_crossings": float(np.count_nonzero(above != np.roll(above, 1))),
        "radial_roughness": float(np.abs(radii - np.roll(radii, 1)).sum()) / mean,
        "radial_area_ratio": float(np.maximum(radii / mean - 1, 0.0).mean()),
    }
