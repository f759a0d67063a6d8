"""From labelled components to scored regions, best first: shared by all baselines that threshold."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from storage.volume import Volume
from tasks.evaluate.matching import ScoredRegions

FloatArray = npt.NDArray[np.float64]
Labels = npt.NDArray[np.integer[Any]]


def rank_components(
    image: Volume, labels: Labels, *, least_ml: float, scores: FloatArray | None = None
) -> ScoredRegions:
    """Components of at least `least_ml` as accepted regions, numbered from the highest score down.

    Parameters
    ----------
    image
        Its brightest voxel in a component is the component's peak.
    labels
        (z, y, x), components 1…n.
    scores
        (n,); ``None`` ranks by volume in ml. Ties keep the order of `labels`.
    """
    volumes_ml = np.bincount(labels.ravel())[1:] * image.voxel_ml
    ranking = volumes_ml if scores is None else scores
    kept = np.flatnonzero((volumes_ml >= least_ml) & (volumes_ml > 0))
    kept = kept[np.argsort(-ranking[kept], kind="stable")]
    number = np.zeros(len(volumes_ml) + 1, dtype=np.int32)
    number[kept + 1] = np.arange(1, len(kept) + 1)
    renumbered = number[labels]
    return ScoredRegions(
        labels=renumbered,
        scores=ranking[kept].astype(float),
        peaks_zyx=brightest_voxels(image.array, renumbered),
        accepted=np.ones(len(kept), dtype=bool),
    )


def brightest_voxels(array: npt.NDArray[Any], labels: Labels) -> FloatArray:
    """Voxel coordinates (n, 3) of the brightest voxel of each component 1…n, the first in scan order among equals."""
    voxels = np.flatnonzero(labels)
    owner = labels.ravel()[voxels]
    order = np.lexsort((-array.ravel()[voxels].astype(float), owner))
    _, first = np.unique(owner[order], return_index=True)
    return np.stack(np.unravel_index(voxels[order[first]], labels.shape), axis=1).astype(float)
