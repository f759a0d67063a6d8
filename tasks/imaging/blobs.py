"""Candidate regions by shape: bright blobs at several scales, each with a region.

The scale-normalized Laplacian of Gaussian (Lindeberg, doi:10.1023/A:1008045108935), ``-sigma² ∇² (G_sigma * image)``,
peaks at the centre of a bright ball of radius ``sqrt(3) sigma``, with a value of 0.925 times its contrast. Unlike a
threshold it also finds what touches a vessel or the chest wall.

Around each peak a region is grown: the connected voxels above half the way from the surroundings to the middle of the
blob, inside a ball (half-maximum; a vessel that leaves the ball is cut).
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
from pydantic import Field
from scipy import fft, ndimage

from storage.volume import FloatArray, Triple
from tasks.imaging.candidate_set import Piece
from tasks.imaging.morphology import BoolArray, Box, grow_box, label_components, mask_box
from tasks.settings import StageSettings

RADIUS_PER_SIGMA = float(np.sqrt(3.0))
BALL_RESPONSE = float(4 * np.pi * 3**1.5 * (2 * np.pi) ** -1.5 * np.exp(-1.5))
"""Response at the centre of a ball of radius sqrt(3) sigma and contrast 1: 0.925."""


class Settings(StageSettings):
    """Which blobs are candidates. ``None`` is filled by unit, see `by_unit`.

    Attributes
    ----------
    sigmas_mm
        Scales in mm, ascending; a ball of diameter d answers most at ``d / 3.46``. Empty: no blobs.
    min_contrast
        Smallest contrast of an equivalent ball against its surroundings, in the image's unit; without a unit, in
        standard deviations of the intensities inside the searched region.
    clip
        Intensities are cut to this range first, so that bone and metal do not outshine; ``()`` for no clipping.
    max_blobs
        The strongest are kept.
    grow_factor
        Radius of the ball that holds the region, as a multiple of the blob's radius.
    """

    sigmas_mm: tuple[float, ...] | None = None
    min_contrast: float | None = Field(None, gt=0)
    clip: tuple[float, float] | tuple[()] | None = None
    max_blobs: int = Field(250, ge=1)
    grow_factor: float = Field(1.5, ge=1)

    def by_unit(self, unit: str) -> Settings:
        """These settings with every ``None`` replaced by the unit's default (``UNIT_DEFAULTS``)."""
        defaults = UNIT_DEFAULTS.get(unit, UNIT_DEFAULTS["arbitrary"])
        return self.model_copy(update={name: value for name, value in defaults.items() if getattr(self, name) is None})


UNIT_DEFAULTS: dict[str, dict[str, Any]] = {
    "SUV": {"sigmas_mm": (), "min_contrast": 1.0, "clip": ()},
    "HU": {"sigmas_mm": (1.7, 2.4, 3.4, 4.8, 6.8, 9.0), "min_contrast": 150.0, "clip": (-1000.0, 200.0)},
    "arbitrary": {"sigmas_mm": (2.0, 4.0, 8.0), "min_contrast": 1.0, "clip": ()},
}


def laplacian_blobs(
    array: npt.NDArray[Any], within: BoolArray, *, spacing_mm: Triple, unit: str, settings: Settings | None = None
) -> list[Piece]:
    """Bright blobs and their regions.

    Parameters
    ----------
    array
        Image ``(z, y, x)``.
    within
        Boolean, same shape: where to search. Outside, the image counts as the median of the inside, so that the edge of
        the searched region is no blob.
    spacing_mm
        Voxel spacing ``(z, y, x)`` in mm.
    unit
        ``"HU"``, ``"SUV"`` or ``"arbitrary"``: chooses the defaults.
    settings
        ``None``: the defaults.

    Returns
    -------
    list of Piece
        Strongest first. A peak whose middle is not brighter than its surroundings inside ``within`` has no region and
        is left out.
    """
    chosen = (settings or Settings()).by_unit(unit)
    if not chosen.sigmas_mm or not within.any():
        return []
    box = mask_box(within)
    inside = within[box]
    image = np.asarray(array[box], dtype=np.float32)
    if chosen.clip:
        image = np.clip(image, *chosen.clip)
    values = image[inside]
    image = np.where(inside, image, np.float32(np.median(values)))
    scale = 1.0 if unit in UNIT_DEFAULTS and unit != "arbitrary" else float(values.std()) or 1.0
    peaks = _peaks(image, inside, spacing_mm, chosen, (chosen.min_contrast or 0.0) * scale)
    pieces = []
    for sigma, centre in peaks:
        region = _grow(image, inside, centre, sigma * RADIUS_PER_SIGMA, spacing_mm, chosen.grow_factor)
        if region is not None:
            (z, y, x), mask = region
            shifted = tuple(slice(b.start + s.start, b.start + s.stop) for b, s in zip(box, (z, y, x), strict=True))
            pieces.append(Piece("blob", sigma, (shifted[0], shifted[1], shifted[2]), mask))
    return pieces


def laplacian_responses(
    image: npt.NDArray[np.float32], *, sigmas_mm: tuple[float, ...], spacing_mm: Triple
) -> FloatArray:
    """Contrast of the ball that would answer so, for each scale: shape ``(scales, z, y, x)``, ``float32``.

    The filter is applied in the cosine domain, ``sigma² k² exp(-sigma² k² / 2)`` with k in rad/mm, exact for
    anisotropic voxels; the cosine transform continues the image at its faces by reflection, without padding.
    """
    spectrum = fft.dctn(image, workers=1)
    axes = (
        np.float32(np.pi / (n * s)) * np.arange(n, dtype=np.float32)
        for n, s in zip(image.shape, spacing_mm, strict=True)
    )
    z, y, x = (axis**2 for axis in axes)
    k2 = z[:, None, None] + y[:, None] + x
    responses = np.empty((len(sigmas_mm), *image.shape), dtype=np.float32)
    for i, sigma in enumerate(sigmas_mm):
        q = np.float32(sigma**2) * k2
        responses[i] = fft.idctn(spectrum * (q * np.exp(q * np.float32(-0.5))), workers=1)
    responses /= np.float32(BALL_RESPONSE)
    return responses


def _peaks(
    image: npt.NDArray[np.float32], inside: BoolArray, spacing_mm: Triple, settings: Settings, min_contrast: float
) -> list[tuple[float, tuple[int, int, int]]]:
    """Scale and voxel of the local maxima over 26 neighbours and the neighbouring scales, strongest first."""
    sigmas = tuple(sorted(set(settings.sigmas_mm or ())))
    contrast = laplacian_responses(image, sigmas_mm=sigmas, spacing_mm=spacing_mm)
    highest = ndimage.maximum_filter(contrast, size=3, mode="nearest")
    found = np.argwhere((contrast == highest) & (contrast > min_contrast) & inside)
    order = np.argsort(-contrast[tuple(found.T)], kind="stable")[: settings.max_blobs]
    return [(sigmas[i], (int(z), int(y), int(x))) for i, z, y, x in found[order]]


def _grow(
    image: npt.NDArray[np.float32],
    inside: BoolArray,
    centre: tuple[int, int, int],
    radius_mm: float,
    spacing_mm: Triple,
    factor: float,
) -> tuple[Box, BoolArray] | None:
    z, y, x = (slice(c, c + 1) for c in centre)
    box = grow_box((z, y, x), 2 * factor * radius_mm, image.shape, spacing_mm)
    grids = [(np.arange(b.start, b.stop) - c) * s for b, c, s in zip(box, centre, spacing_mm, strict=True)]
    distance2 = grids[0][:, None, None] ** 2 + grids[1][:, None] ** 2 + grids[2] ** 2
    part, free = image[box], inside[box]
    core = (distance2 <= max((radius_mm / 2) ** 2, float(distance2.min()))) & free
    shell = (distance2 > (factor * radius_mm) ** 2) & (distance2 <= (2 * factor * radius_mm) ** 2) & free
    if not shell.any():
        return None
    middle, around = float(part[core].mean()), float(np.median(part[shell]))
    if middle <= around:
        return None
    labels, boxes = label_components((part > (middle + around) / 2) & (distance2 <= (factor * radius_mm) ** 2) & free)
    label = labels[np.unravel_index(int(np.argmax(np.where(core, part, -np.inf))), part.shape)]
    tight = boxes[label - 1]
    z, y, x = (slice(b.start + t.start, b.start + t.stop) for b, t in zip(box, tight, strict=True))
    return (z, y, x), labels[tight] == label
