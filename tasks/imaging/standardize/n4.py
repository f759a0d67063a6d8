"""N4: the slow changes of brightness that the coils of an MR scanner leave, taken off (doi:10.1109/TMI.2010.2046908).

The field multiplies the image. It is found on a shrunk image inside a mask, as a smooth B-spline surface that makes the
histogram of the divided image sharpest, and is then evaluated at full resolution. The work is SimpleITK's.
"""

from __future__ import annotations

from typing import Any, Literal

import numpy as np
import numpy.typing as npt
from pydantic import Field

from storage.errors import CaseError
from tasks.imaging.step import Array, Kind, Spacing, Step, View, floating
from tasks.threads import thread_budget

LEAST_SIDE = 4
"""Voxels along a side for the field to be a surface at all (a cubic spline)."""


def bias_field(
    array: Array,
    *,
    spacing_mm: Spacing,
    shrink: int = 4,
    iterations: tuple[int, ...] = (50, 50, 50, 50),
    convergence: float = 0.001,
    mask: npt.NDArray[np.bool_] | None = None,
    threads: int | None = None,
) -> npt.NDArray[np.float32]:
    """Estimate the field that multiplies an image: SimpleITK's, of the image's shape.

    Its mean is not fixed: the intensities of the divided image are no longer the scanner's.

    Parameters
    ----------
    array
        ``(y, x)`` or ``(z, y, x)``. The field multiplies, so that it has no meaning below 0; values there, which an
        interpolation may have left, do not take part in its estimation.
    spacing_mm
        Along the axes, in mm.
    shrink
        Factor along each axis; less along an axis that would be left with fewer than 4 voxels.
    iterations
        At most, on each level of the spline, from coarse to fine.
    mask
        Where the field is estimated; ``None``: above Otsu's threshold.
    threads
        ``None``: the budget of this process.

    Raises
    ------
    CaseError
        When the image is too small, nowhere above 0, or without contrast.
    """
    values = np.asarray(array, dtype=np.float32)
    thin = tuple(axis for axis, side in enumerate(values.shape) if side < LEAST_SIDE)
    kept = [axis for axis in range(values.ndim) if axis not in thin]
    if len(kept) < 2:
        raise CaseError(f"the image is too small for a bias field: expected {LEAST_SIDE} voxels along two axes")
    if values.max() <= 0 or values.min() == values.max():
        raise CaseError("a bias field needs intensities above 0 that are not all equal")
    flat = np.maximum(values, 0).mean(axis=thin)  # a few slices have one field: a spline needs more along an axis
    inside = None if mask is None else np.asarray(np.any(mask, axis=thin))
    field = _field(flat, [spacing_mm[axis] for axis in kept], shrink, iterations, convergence, inside, threads)
    return np.array(np.broadcast_to(np.expand_dims(field, thin), values.shape))


def _field(
    values: npt.NDArray[np.float32],
    spacing_mm: list[float],
    shrink: int,
    iterations: tuple[int, ...],
    convergence: float,
    mask: npt.NDArray[np.bool_] | None,
    threads: int | None,
) -> npt.NDArray[np.float32]:
    import SimpleITK as sitk

    count = threads or thread_budget()
    image = sitk.GetImageFromArray(values)
    image.SetSpacing([float(s) for s in spacing_mm[::-1]])
    chosen = sitk.GetArrayFromImage(sitk.OtsuThreshold(image, 0, 1)) > 0 if mask is None else mask
    inside = sitk.GetImageFromArray((chosen & (values > 0)).astype(np.uint8))
    inside.CopyInformation(image)
    factors = [max(1, min(shrink, side // LEAST_SIDE)) for side in image.GetSize()]
    corrector = sitk.N4BiasFieldCorrectionImageFilter()
    corrector.SetNumberOfThreads(count)
    corrector.SetMaximumNumberOfIterations([int(n) for n in iterations])
    corrector.SetConvergenceThreshold(convergence)
    small: Any = sitk.Shrink(image, factors)
    try:
        corrector.Execute(small, sitk.Shrink(inside, factors))
        log_field = corrector.GetLogBiasFieldAsImage(image)
    except RuntimeError as error:
        raise CaseError("no bias field could be estimated: the image holds too little of the patient") from error
    return np.asarray(np.exp(sitk.GetArrayFromImage(log_field)), dtype=np.float32)


class Settings(Step):
    """Divided by the bias field.

    Attributes
    ----------
    shrink
        The field is estimated on an image shrunk by this factor.
    iterations
        At most, on each level of the spline; each level is twice as fine as the one before.
    convergence
        A level ends when the field changes by less.
    """

    name: Literal["n4"] = "n4"
    kinds = frozenset[Kind]({"2-D", "3-D"})
    whole = True
    shrink: int = Field(default=4, ge=1, le=16)
    iterations: tuple[int, ...] = Field(default=(50, 50, 50, 50), min_length=1, max_length=8)
    convergence: float = Field(default=0.001, gt=0, lt=1)

    def apply(self, block: Array, view: View) -> Array:
        """Divide the image by its field."""
        field = bias_field(
            block,
            spacing_mm=view.spacing_mm,
            shrink=self.shrink,
            iterations=self.iterations,
            convergence=self.convergence,
        )
        values = floating(block)
        return np.asarray(values / field, dtype=values.dtype)
