"""Where a lesion might be: places that stand out in their slice and are not continued by the slices around it.

Two maps, the spectral residual (`tasks.imaging.fourier.spectral_residual`) and the coherence anomaly
(`tasks.imaging.fourier.coherence_anomaly`), are each turned into ranks within the searched region and multiplied: only
what is high in both is high. Ranks need no scale, and no map can outshine the other.

A proposal is a place to look at. Ranks cannot say that there is no lesion: without one, other places are proposed, as
many. What the maps are worth beside plain brightness and local contrast is measured in the tests on real data: on PET,
where lesions are brighter than the rest, plain brightness is better.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from storage.errors import CaseError
from tasks.imaging.fourier.coherence_anomaly import Settings as Anomaly
from tasks.imaging.fourier.spectral_residual import Settings as Residual
from tasks.imaging.step import Array, Index, Spacing, apply_step

BoolArray = npt.NDArray[np.bool_]


@dataclass(frozen=True)
class Proposal:
    """A place to look at.

    Attributes
    ----------
    index
        Voxel ``(z, y, x)``.
    position_mm
        The same in mm from the centre of the first voxel, along the array's axes.
    saliency
        0 to 1.
    """

    index: Index
    position_mm: tuple[float, float, float]
    saliency: float


def saliency_map(
    volume: Array,
    *,
    spacing_mm: Spacing,
    within: BoolArray | None = None,
    residual: Residual | None = None,
    anomaly: Anomaly | None = None,
) -> npt.NDArray[np.float32]:
    """Both maps in one.

    Parameters
    ----------
    volume
        ``(z, y, x)``.
    within
        The searched region; ``None``: everywhere.
    residual, anomaly
        Settings of the two maps; ``None``: their defaults.

    Returns
    -------
    numpy.ndarray
        Product of the two ranks, each from 0 to 1; 0 outside the region.

    Raises
    ------
    CaseError
        There is one slice only, or the region is empty.
    """
    region = np.ones(volume.shape, dtype=bool) if within is None else within
    if not region.any():
        raise CaseError("the region to search for lesions is empty")
    combined = np.zeros(volume.shape, dtype=np.float32)
    combined[region] = 1.0
    for step in (residual or Residual(), anomaly or Anomaly()):
        combined[region] *= _ranks(apply_step(step, volume, spacing_mm)[region])
    return combined


def propose(
    saliency: Array, *, spacing_mm: Spacing, least: float = 0.9, apart_mm: float = 10.0, most: int = 50
) -> list[Proposal]:
    """The peaks of a map, most salient first.

    Parameters
    ----------
    saliency
        ``(z, y, x)``, as from `saliency_map`.
    least
        Lower peaks are none.
    apart_mm
        Of two nearer peaks the higher one is kept.
    most
        No more than these.
    """
    from scipy import ndimage

    size = [2 * int(min(apart_mm, 50.0) / s / 2) + 1 for s in spacing_mm]
    peaks = np.argwhere((saliency >= least) & (saliency == ndimage.maximum_filter(saliency, size, mode="nearest")))
    order = np.argsort(-saliency[tuple(peaks.T)], kind="stable")
    kept: list[Proposal] = []
    for at in peaks[order]:
        place = at * np.asarray(spacing_mm)
        if len(kept) < most and all(np.linalg.norm(place - one.position_mm) >= apart_mm for one in kept):
            z, y, x = (float(v) for v in place)
            kept.append(Proposal(tuple(int(i) for i in at), (z, y, x), float(saliency[tuple(at)])))
    return kept


def _ranks(values: Array) -> npt.NDArray[np.float32]:
    """From 0 (lowest) to 1 (highest); equal values, equal ranks: the lowest of them."""
    ordered = np.sort(values)
    return (np.searchsorted(ordered, values) / max(len(values) - 1, 1)).astype(np.float32)
