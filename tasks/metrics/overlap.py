"""How much two masks share: intersection over union (Jaccard) and Dice, from arrays or from voxel counts."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

BoolArray = npt.NDArray[np.bool_]
FloatArray = npt.NDArray[np.float64]


def iou(first: BoolArray, second: BoolArray) -> float:
    """Intersection over union of two masks of one shape.

    Parameters
    ----------
    first, second
        Boolean masks on the same grid, any number of axes.

    Returns
    -------
    float
        0–1; ``nan`` when both masks are empty.

    Raises
    ------
    ValueError
        When the masks are not boolean or differ in shape.

    References
    ----------
    Jaccard 1912, doi:10.1111/j.1469-8137.1912.tb05611.x
    """
    shared, a, b = _counts(first, second)
    return float(iou_of_counts(shared, a, b))


def dice(first: BoolArray, second: BoolArray) -> float:
    """Dice coefficient, twice the intersection over the sum of the sizes; arguments and errors as in `iou`.

    References
    ----------
    Dice 1945, doi:10.2307/1932409
    """
    shared, a, b = _counts(first, second)
    return float(dice_of_counts(shared, a, b))


def iou_of_counts(shared: npt.ArrayLike, first: npt.ArrayLike, second: npt.ArrayLike) -> FloatArray:
    """Intersection over union from voxel counts, which broadcast; ``nan`` where both are empty."""
    shared = np.asarray(shared, dtype=float)
    return _ratio(shared, np.asarray(first, dtype=float) + np.asarray(second, dtype=float) - shared)


def dice_of_counts(shared: npt.ArrayLike, first: npt.ArrayLike, second: npt.ArrayLike) -> FloatArray:
    """Dice coefficient from voxel counts, which broadcast; ``nan`` where both are empty."""
    return _ratio(
        2.0 * np.asarray(shared, dtype=float), np.asarray(first, dtype=float) + np.asarray(second, dtype=float)
    )


def _ratio(numerator: FloatArray, denominator: FloatArray) -> FloatArray:
    """Quotient, ``nan`` where the denominator is 0."""
    with np.errstate(invalid="ignore"):
        return np.asarray(numerator / denominator)


def _counts(first: npt.NDArray[Any], second: npt.NDArray[Any]) -> tuple[int, int, int]:
    """Voxels shared, in the first mask and in the second."""
    if first.dtype != bool or second.dtype != bool:
        raise ValueError(f"masks must be boolean; got {first.dtype} and {second.dtype}")
    if first.shape != second.shape:
        raise ValueError(f"masks must have one shape; got {first.shape} and {second.shape}")
    return int(np.count_nonzero(first & second)), int(np.count_nonzero(first)), int(np.count_nonzero(second))
