"""The spectrum of a candidate and its surroundings: how coarse its texture is, which way it runs, how slices go on.

Power is that of the slices of a box around the candidate, tapered towards the box's sides: by frequency in cycles/mm,
by direction in the slice, and the coherence of neighbouring slices (:mod:`tasks.imaging.spectrum.features`,
:mod:`tasks.imaging.spectrum.coherence`). Shares do not change when intensities are scaled or shifted.

A band that the spacing cannot show, or that is slower than the box, has no power: compare images of one spacing.
"""

from __future__ import annotations

import itertools

import numpy as np
from pydantic import Field

from storage.volume import Triple
from tasks.extract.context import context_box, context_margin_mm
from tasks.extract.feature import FeatureInfo
from tasks.extract.region import Region
from tasks.settings import StageSettings

BANDS_PER_M = (30, 60, 120, 240, 480)
"""Edges of the bands of `tasks.imaging.spectrum.cross_slices`, in cycles per metre: a name has no decimal point."""
SLOW = 1
"""The slowest bands have no coherence: the tiles that it is taken over are 16 mm wide."""
ONE_SLICE = "one slice"


class Settings(StageSettings):
    """What is looked at.

    Attributes
    ----------
    context
        Sides of the box, as multiples of those of the candidate's. The taper takes the outer parts away.
    sectors
        Directions that are told apart in the slice.
    """

    context: float = Field(1.5, ge=1)
    sectors: int = Field(6, ge=2, le=36)


def features(settings: Settings) -> dict[str, FeatureInfo]:
    """Spectrum, directions, and what slices have in common."""
    bands = [(f"{low}_{high}_per_m", f"{low / 1000:g} to {high / 1000:g} cycles/mm") for low, high in _bands()]
    infos = {f"power_{name}": FeatureInfo(None, "1", f"Share of the power at {text}.") for name, text in bands}
    infos |= {
        "centroid": FeatureInfo(None, "1/mm", "Mean frequency, weighted by power."),
        "spread": FeatureInfo(None, "1/mm", "Standard deviation of the frequency, weighted by power."),
        "entropy": FeatureInfo(None, "1", "Entropy of the power over the coefficients, 0 (one) to 1 (all alike)."),
        "slope": FeatureInfo(None, "1", "Slope of log power over log frequency; about -2 for edges, 0 for noise."),
        "anisotropy": FeatureInfo(None, "1", "0 where no direction is preferred, 1 where there is one only."),
    }
    for sector in range(settings.sectors):
        degrees = sector * 180 / settings.sectors
        text = f"Share of the power of waves that run at {degrees:g}° in the slice (0° along x, 90° along y)."
        infos[f"direction_{degrees:.0f}deg"] = FeatureInfo(None, "1", text)
    infos["direction_entropy"] = FeatureInfo(
        None, "1", "Entropy of the power over directions, 0 (one) to 1 (all alike)."
    )
    for name, text in bands[SLOW:]:
        text = f"Mean squared coherence of neighbouring slices at {text}."
        infos[f"coherence_{name}"] = FeatureInfo(None, "1", text, nan_when=ONE_SLICE)
    text = "Mean length of the shift between neighbouring slices."
    return infos | {"slice_shift": FeatureInfo(None, "mm", text, nan_when=ONE_SLICE)}


def margin_mm(extent_mm: Triple, settings: Settings) -> Triple:
    """What the box has beyond the candidate on each side."""
    return context_margin_mm(extent_mm, settings.context)


def compute(region: Region, settings: Settings) -> dict[str, float]:
    """Spectral features by the names of :func:`features`; all 0 where intensities are equal."""
    from tasks.imaging.spectrum.directions import direction_shares
    from tasks.imaging.spectrum.features import spectral_features

    box = region.image[context_box(region, region.mask, settings.context)]
    found = spectral_features(box, spacing_mm=region.spacing_mm)
    edges = [f"{low / 1000:g}_{high / 1000:g}" for low, high in _bands()]
    shares = direction_shares(box, spacing_mm=region.spacing_mm, sectors=settings.sectors)
    filled = shares[shares > 0]
    values = [
        *(found[f"power_{edge}"] for edge in edges),
        *(found[name] for name in ("centroid_per_mm", "spread_per_mm", "entropy", "slope", "anisotropy")),
        *shares.tolist(),
        float(-(filled * np.log(filled)).sum() / np.log(settings.sectors)) + 0.0,
        *(found.get(f"coherence_{edge}", float("nan")) for edge in edges[SLOW:]),
        found.get("shift_mm", float("nan")),
    ]
    return dict(zip(features(settings), values, strict=True))


def _bands() -> list[tuple[int, int]]:
    return list(itertools.pairwise(BANDS_PER_M))
