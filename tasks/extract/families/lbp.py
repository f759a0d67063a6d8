"""Local binary patterns: how often a texture is flat, edge, line end or spot, on circles of several sizes.

Uniform, rotation-invariant patterns (Ojala et al. 2002, doi:10.1109/TPAMI.2002.1017623) on *three orthogonal planes*
(Zhao & Pietikäinen 2007, doi:10.1109/TPAMI.2007.1110): ``xy`` are the common ones of slices, pooled over all of them;
``xz`` and ``yz`` see how slices go on. Counted are the voxels whose intensity counts; their neighbours may lie beyond.

Values are the same for linearly changed intensities, for mirror images, and for the slices turned by 90° (where ``xz``
and ``yz`` change places).
"""

from __future__ import annotations

from typing import Annotated

import numpy as np
from pydantic import Field, field_validator

from storage.volume import Triple
from tasks.extract.feature import FeatureInfo
from tasks.extract.region import Region
from tasks.imaging.binary_patterns import uniform_patterns
from tasks.imaging.morphology import grow_box, mask_box
from tasks.settings import StageSettings

PLANES = {"xy": (1, 2), "xz": (0, 2), "yz": (0, 1)}
"""Axes of each plane in an array ``(z, y, x)``."""


class Settings(StageSettings):
    """The circles.

    Attributes
    ----------
    radii_mm
        In mm. A radius below the distance of slices compares, across slices, with a share of the neighbour only.
    points
        On each circle; a multiple of 4 keeps quarter turns exact.
    """

    radii_mm: tuple[Annotated[float, Field(gt=0)], ...] = (1.0, 2.0, 4.0)
    points: int = Field(8, ge=4, le=32)

    @field_validator("radii_mm")
    @classmethod
    def _each_once(cls, radii: tuple[float, ...]) -> tuple[float, ...]:
        if not radii or len({f"{radius:g}" for radius in radii}) != len(radii):
            raise ValueError(f"expected each radius once and at least one; got {radii}")
        return radii


def features(settings: Settings) -> dict[str, FeatureInfo]:
    """Shares of patterns: ``xy_2mm_bright_3`` has 3 bright neighbours in a run, ``xy_2mm_other`` several runs."""
    infos = {}
    for plane in PLANES:
        unless = "" if plane == "xy" else "an image of one slice"
        for radius in settings.radii_mm:
            start = f"{plane}_{radius:g}mm".replace(".", "_")
            circle = f"{settings.points} neighbours at {radius:g} mm in the {plane} plane"
            for bright in range(settings.points + 1):
                text = f"Share of voxels with {bright} of {circle} not darker, in one run."
                infos[f"{start}_bright_{bright}"] = FeatureInfo(None, "1", text, nan_when=unless)
            text = f"Share of voxels where those not darker of {circle} are several runs."
            infos[f"{start}_other"] = FeatureInfo(None, "1", text, nan_when=unless)
    return infos


def margin_mm(extent_mm: Triple, settings: Settings) -> Triple:  # noqa: ARG001 - all families are called alike
    """The largest circle."""
    reach = max(settings.radii_mm)
    return reach, reach, reach


def compute(region: Region, settings: Settings) -> dict[str, float]:
    """Histograms of patterns, by the names of :func:`features`; each plane and radius adds up to 1."""
    box = mask_box(region.counted)
    around = grow_box(box, max(settings.radii_mm), region.mask.shape, region.spacing_mm)
    image, counted = region.image[around], region.counted[around]
    shares = []
    for plane, axes in PLANES.items():
        for radius in settings.radii_mm:
            if plane != "xy" and region.mask.shape[0] == 1:
                shares.append(np.full(settings.points + 2, np.nan))
                continue
            codes = uniform_patterns(
                image, axes=axes, radius_mm=radius, spacing_mm=region.spacing_mm, points=settings.points
            )
            shares.append(np.bincount(codes[counted], minlength=settings.points + 2) / np.count_nonzero(counted))
    return dict(zip(features(settings), np.concatenate(shares).tolist(), strict=True))
