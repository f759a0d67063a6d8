"""Trachea and main bronchi of a CT: air that grows from the trachea until it would leak into the lung.

A *pocket* is air that tissue encloses within one slice. Where pockets of the size of a trachea lie above each other in
the middle of the body, they are the trachea. From there, air below a threshold is taken; the highest threshold is
kept at which it has not leaked through the thin walls of small bronchi, as the sudden growth shows (Mori et al. 1996,
doi:10.1109/ICPR.1996.546964; Hu et al. 2001, doi:10.1109/42.929615). What is narrower than a main bronchus stays lung.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from storage.volume import Triple
from tasks.imaging.morphology import BoolArray, distance_mm, grow_box, label_components, mask_box

TRACHEA_MM2 = (40.0, 900.0)
"""Area of its lumen in a slice: a child's, and one where it divides."""
BARE_AIR_HU = -900.0
LEAST_BARE = 0.3
"""Share of a trachea's voxels that are bare air: the wall takes much of a small one, and lung has less than a tenth."""
LEAST_LENGTH_MM = 12.0
FROM_MIDDLE_MM = 45.0
THRESHOLDS_HU = (-960.0, -940.0, -920.0, -900.0, -880.0, -860.0, -840.0)
LEAK = 1.6
"""Growth from one threshold to the next that is taken for a leak."""
MOST_ML = 150.0
MAIN_RADIUS_MM = 3.5
"""Radius of the narrowest bronchus that is no lung."""
WALL_MM = 1.5
REACH_MM = 80.0
"""Main bronchi end less far from where the trachea is seen."""


def main_airways(hu: npt.NDArray[Any], air: BoolArray, *, spacing_mm: Triple) -> BoolArray:
    """Lumen and wall of trachea and main bronchi.

    Parameters
    ----------
    hu
        CT ``(z, y, x)`` in HU, slices across the trachea.
    air
        Boolean, same shape: air inside the body, the lungs too.
    spacing_mm
        Voxel spacing ``(z, y, x)`` in mm.

    Returns
    -------
    numpy.ndarray
        Boolean, same shape; empty where no trachea is seen.
    """
    seed = trachea(hu, air, spacing_mm=spacing_mm)
    result = np.zeros(air.shape, dtype=bool)
    if not seed.any():
        return result
    box = grow_box(mask_box(seed), REACH_MM, air.shape, spacing_mm)
    lumen = _grown(hu[box], air[box], seed[box], float(np.prod(spacing_mm)) / 1000.0)
    wide = distance_mm(~lumen, spacing_mm) > MAIN_RADIUS_MM
    # Opened by a ball: back to the wall, and the wall itself.
    result[box] = distance_mm(wide | seed[box], spacing_mm) <= MAIN_RADIUS_MM + WALL_MM
    result[box] &= distance_mm(lumen, spacing_mm) <= WALL_MM
    return result


def trachea(hu: npt.NDArray[Any], air: BoolArray, *, spacing_mm: Triple) -> BoolArray:
    """Pockets of air above each other in the middle of the body; empty where there are none so long."""
    pockets, number = _pockets(air)
    inside = np.flatnonzero(air)
    if inside.size == 0:
        return np.zeros(air.shape, dtype=bool)
    pocket, column_mm = pockets.ravel()[inside], (inside % air.shape[2]) * spacing_mm[2]
    voxels = np.maximum(np.bincount(pocket, minlength=number + 1), 1)
    area = voxels * spacing_mm[1] * spacing_mm[2]
    bare = np.bincount(pocket, weights=hu.ravel()[inside] < BARE_AIR_HU, minlength=number + 1) / voxels
    x = np.bincount(pocket, weights=column_mm, minlength=number + 1) / voxels
    middle = 0.5 * (float(column_mm.min()) + float(column_mm.max()))
    fits = (area >= TRACHEA_MM2[0]) & (area <= TRACHEA_MM2[1]) & (bare > LEAST_BARE)
    fits &= np.abs(x - middle) < FROM_MIDDLE_MM
    fits[0] = False
    stacked, boxes = label_components(fits[pockets])
    lengths = np.asarray([(z.stop - z.start) * spacing_mm[0] for z, _, _ in boxes])
    if lengths.size == 0 or lengths.max() < LEAST_LENGTH_MM:
        return np.zeros(air.shape, dtype=bool)
    return np.asarray(stacked == 1 + int(np.argmax(lengths)))


def _pockets(air: BoolArray) -> tuple[npt.NDArray[np.int32], int]:
    """Components of each slice by itself."""
    within_slices = np.zeros((3, 3, 3), dtype=bool)
    within_slices[1] = ndimage.generate_binary_structure(2, 1)
    labels: npt.NDArray[np.int32] = np.zeros(air.shape, dtype=np.int32)
    return labels, int(ndimage.label(air, within_slices, output=labels))


def _grown(hu: npt.NDArray[Any], air: BoolArray, seed: BoolArray, voxel_ml: float) -> BoolArray:
    """What hangs together with the seed below the highest threshold at which it does not leak."""
    start = tuple(np.argwhere(seed & (hu <= hu[seed].min()))[0])
    kept, before = seed, 0.0
    for threshold in THRESHOLDS_HU:
        labels, _ = label_components((hu < threshold) & air)
        if labels[start] == 0:
            continue
        grown = labels == labels[start]
        ml = float(grown.sum()) * voxel_ml
        if ml > MOST_ML or (before and ml > LEAK * before and ml > 2.0 * float(seed.sum()) * voxel_ml):
            break
        kept, before = grown | seed, ml
    return np.asarray(kept)
