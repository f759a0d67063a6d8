"""From probabilities on the grid that a network sees to a label map on the image's own, and how large things are."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypedDict

import numpy as np
import numpy.typing as npt

from storage.volume import Triple, Volume
from tasks.imaging.morphology import label_components
from tasks.imaging.resample import resample_onto
from tasks.imaging.structures import ClassMap, to_labels


class Structure(TypedDict):
    """A segmented structure: volume, and its centre in DICOM LPS (``None`` where it has no voxel)."""

    volume_ml: float
    centroid_mm: Triple | None


def label_map(
    probabilities: npt.NDArray[np.float32],
    seen: Volume,
    grid: Volume,
    structures: Mapping[str, int],
    *,
    largest_component: bool,
) -> Volume:
    """The label map of an image.

    Parameters
    ----------
    probabilities
        Of each class at each voxel that the network saw, ``(classes, z, y, x)``.
    seen, grid
        Grid of what the network saw, and that of the image. Where they differ, probabilities are interpolated, and not
        labels: borders lie between voxels. What the network did not see is background.
    structures
        Value by name, in the order of the classes from 1.
    largest_component
        Whether only the largest connected part of all structures together is kept.

    Returns
    -------
    Volume
        On the image's grid, uint16, unit ``"label"``.
    """
    best = np.zeros(grid.shape, dtype=np.float32)
    classes: ClassMap = np.zeros(grid.shape, dtype=np.uint8)
    for number, share in enumerate(probabilities):
        outside = 1.0 if number == 0 else 0.0
        placed = resample_onto(seen.with_array(share), grid, interpolation="linear", outside=outside).array
        classes[placed > best] = number
        np.maximum(best, placed, out=best)
    if largest_component:
        classes = largest_part(classes)
    return grid.with_array(to_labels(classes, structures), unit="label")


def largest_part(classes: ClassMap) -> ClassMap:
    """The classes within their largest connected part (by faces), background elsewhere; of equal ones the first."""
    parts, boxes = label_components(classes > 0)
    if len(boxes) < 2:
        return classes
    sizes = np.bincount(parts.ravel())[1:]
    return np.where(parts == 1 + int(sizes.argmax()), classes, 0).astype(np.uint8)


def measured(labels: Volume, structures: Mapping[str, int]) -> dict[str, Structure]:
    """Volume and centre of each structure of a label map."""
    return {name: _structure(labels, labels.array == value) for name, value in structures.items()}


def _structure(labels: Volume, mask: npt.NDArray[Any]) -> Structure:
    voxels = np.argwhere(mask)
    if not len(voxels):
        return Structure(volume_ml=0.0, centroid_mm=None)
    x, y, z = (round(float(mm), 3) for mm in labels.to_world_mm(voxels.mean(axis=0)))
    return Structure(volume_ml=round(len(voxels) * labels.voxel_ml, 6), centroid_mm=(x, y, z))
