"""Baselines that threshold the image: fixed SUV, 41 % of a local maximum, and tissue inside the lung.

Components are face-connected and keep to the body.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
from scipy import ndimage
from skimage.segmentation import flood

from storage.errors import CaseError
from storage.volume import Triple, Volume
from tasks.evaluate.components import brightest_voxels, rank_components
from tasks.evaluate.matching import ScoredRegions
from tasks.evaluate.settings import Settings
from tasks.imaging.morphology import BoolArray, Box, grow_box, mask_box
from tasks.imaging.organs.lungs import lung_mask

LOCAL_FRACTION = 0.41
TISSUE_ABOVE_HU = -400.0


def above_suv(suv: Volume, body: BoolArray, threshold: float, settings: Settings) -> ScoredRegions:
    """Components above a fixed SUV, the largest first."""
    labels, _ = ndimage.label((suv.array > threshold) & body)
    return rank_components(suv, labels, least_ml=settings.component_ml)


def above_local_fraction(suv: Volume, body: BoolArray, settings: Settings) -> ScoredRegions:
    """Around each candidate's maximum, what exceeds 41 % of it and hangs together with it; the largest first.

    Candidates are the components above `Settings.local_seed_suv`. The hottest grows first and may leave its component;
    a candidate whose maximum is taken by then is part of the hotter one.

    References
    ----------
    Boellaard et al. 2015, doi:10.1007/s00259-014-2961-x (41 % isocontour)
    """
    candidates, _ = ndimage.label((suv.array > settings.local_seed_suv) & body)
    peaks = brightest_voxels(suv.array, candidates).astype(np.int64)
    heights = suv.array[tuple(peaks.T)]
    labels = np.zeros(suv.shape, dtype=np.int32)
    number = 0
    for k in np.argsort(-heights, kind="stable"):
        peak = tuple(int(i) for i in peaks[k])
        if labels[peak] == 0:
            number += 1
            free = (suv.array > LOCAL_FRACTION * heights[k]) & body & (labels == 0)
            labels[flood(free, peak, connectivity=1)] = number
    return rank_components(suv, labels, least_ml=settings.component_ml)


def tissue_in_lung(hu: Volume, body: BoolArray, settings: Settings) -> ScoredRegions:
    """Pieces of tissue inside the closed lung fields, the most ball-like first.

    Voxels above −400 HU inside the lung fields, which dents at the pleura are part of, are opened by a small ball:
    vessels vanish, and nodules come off vessels and chest wall. The score is the volume of the largest ball that fits
    into a piece over the piece's own volume. Where there are no lungs, there is nothing to say.
    """
    try:
        lungs = lung_mask(hu.array, body, spacing_mm=hu.spacing_mm)
    except CaseError:
        return rank_components(hu, np.zeros(hu.shape, dtype=np.int32), least_ml=settings.nodule_ml)
    box = grow_box(mask_box(lungs), 2.0 * settings.lung_opening_mm, hu.shape, hu.spacing_mm)
    tissue = (hu.array[box] > TISSUE_ABOVE_HU) & lungs[box]
    depth_mm = ndimage.distance_transform_edt(tissue, sampling=hu.spacing_mm)
    opened = tissue & _grown(depth_mm > settings.lung_opening_mm, settings.lung_opening_mm, hu.spacing_mm)
    labels, n = ndimage.label(opened)
    radii = np.asarray(ndimage.maximum(depth_mm, labels, np.arange(1, n + 1))).reshape(n)
    volumes_mm3 = np.bincount(labels.ravel())[1:] * 1000.0 * hu.voxel_ml
    roundness = 4.0 / 3.0 * np.pi * radii**3 / volumes_mm3
    return rank_components(
        hu, _placed(labels, box, hu.shape), least_ml=settings.nodule_ml, scores=np.asarray(roundness)
    )


def _grown(mask: BoolArray, radius_mm: float, spacing_mm: Triple) -> BoolArray:
    """Dilation by a ball; the ball is small, so that it is cheaper than a distance transform."""
    reach = [int(radius_mm / s) for s in spacing_mm]
    offsets = np.meshgrid(*(np.arange(-r, r + 1) * s for r, s in zip(reach, spacing_mm, strict=True)), indexing="ij")
    ball = sum(axis**2 for axis in offsets) <= radius_mm**2
    return np.asarray(ndimage.binary_dilation(mask, ball))


def _placed(labels: npt.NDArray[Any], box: Box, shape: tuple[int, int, int]) -> npt.NDArray[np.int32]:
    """The labels of a box in the whole grid."""
    whole = np.zeros(shape, dtype=np.int32)
    whole[box] = labels
    return whole
