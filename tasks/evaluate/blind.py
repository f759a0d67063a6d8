"""Baselines that do not look at the image, or hardly: what the frame alone gives away."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from storage.volume import Volume
from tasks.evaluate.components import rank_components
from tasks.evaluate.matching import ScoredRegions
from tasks.imaging.morphology import BoolArray


def central_sphere(image: Volume, sphere_ml: float | None) -> ScoredRegions:
    """A sphere of this volume at the centre of the image; nothing when no volume is known."""
    centre = (np.asarray(image.shape, dtype=float) - 1.0) / 2.0
    return _sphere(image, centre, sphere_ml)


def random_sphere(image: Volume, body: BoolArray, sphere_ml: float | None, rng: np.random.Generator) -> ScoredRegions:
    """A sphere of this volume at a voxel of the body, each equally likely; nothing without a body or a volume."""
    inside = np.flatnonzero(body)
    if inside.size == 0:
        return one_region(body, np.zeros(3))
    centre = np.array(np.unravel_index(inside[rng.integers(inside.size)], image.shape), dtype=float)
    return _sphere(image, centre, sphere_ml)


def inner_region(image: Volume, margin_mm: float) -> ScoredRegions:
    """The box that is left when `margin_mm` is taken off each face; nothing when the image is smaller than that."""
    box = inner_mask(image, margin_mm)
    return one_region(box, (np.asarray(image.shape, dtype=float) - 1.0) / 2.0)


def inner_region_above(suv: Volume, body: BoolArray, margin_mm: float, threshold: float) -> ScoredRegions:
    """The largest component above an SUV inside that box."""
    labels, _ = ndimage.label(inner_mask(suv, margin_mm) & body & (suv.array > threshold))
    sizes = np.bincount(labels.ravel())
    sizes[0] = 0
    largest = (labels == sizes.argmax()) & (labels > 0)
    return rank_components(suv, largest.astype(np.int32), least_ml=0.0)


def inner_mask(image: Volume, margin_mm: float) -> BoolArray:
    """Voxels at least `margin_mm` from each face, by whole voxels."""
    mask = np.zeros(image.shape, dtype=bool)
    cuts = [math.ceil(margin_mm / s) for s in image.spacing_mm]
    mask[tuple(slice(c, max(c, n - c)) for c, n in zip(cuts, image.shape, strict=True))] = True
    return mask


def one_region(mask: BoolArray, peak_zyx: npt.NDArray[np.float64]) -> ScoredRegions:
    """A mask as the only region, with a score of 1; no region when it is empty."""
    n = int(mask.any())
    return ScoredRegions(
        labels=mask.astype(np.int32),
        scores=np.ones(n),
        peaks_zyx=np.tile(peak_zyx, (n, 1)),
        accepted=np.ones(n, dtype=bool),
    )


def _sphere(image: Volume, centre_zyx: npt.NDArray[np.float64], sphere_ml: float | None) -> ScoredRegions:
    """Voxels whose centre lies in the sphere, and always the voxel nearest to its centre."""
    mask = np.zeros(image.shape, dtype=bool)
    if sphere_ml is not None:
        radius_mm = (3.0 * 1000.0 * sphere_ml / (4.0 * math.pi)) ** (1.0 / 3.0)
        offsets = [(np.arange(n) - c) * s for n, c, s in zip(image.shape, centre_zyx, image.spacing_mm, strict=True)]
        z, y, x = np.meshgrid(*offsets, indexing="ij", sparse=True)
        mask = z**2 + y**2 + x**2 <= radius_mm**2
        mask[tuple(np.floor(centre_zyx + 0.5).astype(int))] = True
    return one_region(mask, centre_zyx)
