"""How well one label map agrees with the annotated one: for each structure, and for all of them together."""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np

from storage.volume import Triple
from tasks.imaging.structures import ClassMap, masks_of
from tasks.metrics.overlap import dice
from tasks.metrics.surface import hausdorff_mm, surface_dice, surface_distances

Measures = dict[str, float | None]
"""By metric; ``None`` where it is not defined, since the structure is neither annotated nor found."""
METRICS = ("dice", "hausdorff_95_mm", "surface_dice", "volume_difference_ml")


def compare(
    found: ClassMap, truth: ClassMap, structures: Mapping[str, int], *, spacing_mm: Triple, tolerance_mm: float
) -> dict[str, Measures]:
    """Measures of each structure by its name, and of all together by ``"whole"``.

    ``dice``; ``hausdorff_95_mm``, the 95th percentile of the distances between the surfaces, where a structure that
    only one of the maps has is as far away as the image is long (its diagonal); ``surface_dice``, the part of both
    surfaces within ``tolerance_mm`` of the other; ``volume_difference_ml``, found minus annotated.

    Raises
    ------
    ValueError
        When the maps differ in shape.
    """
    ours, theirs = masks_of(found, structures), masks_of(truth, structures)
    diagonal_mm = float(np.linalg.norm(np.multiply(truth.shape, spacing_mm)))
    voxel_ml = float(np.prod(spacing_mm)) / 1000.0
    measures: dict[str, Measures] = {}
    for name, mask in ours.items():
        distances = surface_distances(mask, theirs[name], spacing_mm)
        values = {
            "dice": dice(mask, theirs[name]),
            "hausdorff_95_mm": min(hausdorff_mm(distances), diagonal_mm) if not distances.both_empty else math.nan,
            "surface_dice": surface_dice(distances, tolerance_mm=tolerance_mm),
            "volume_difference_ml": (int(mask.sum()) - int(theirs[name].sum())) * voxel_ml,
        }
        measures[name] = {metric: None if math.isnan(value) else round(value, 6) for metric, value in values.items()}
    return measures
