"""Lines in an image at several widths: the strongest answer of all scales, a few slices at a time.

What a line is, is said by the eigenvalues of the second derivatives: strong curvature across it, none along it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Annotated, Literal

import numpy as np
from pydantic import Field

from tasks.imaging import gaussian_weights
from tasks.imaging.step import Array, Index, Spacing, floating
from tasks.threads import over_slabs

SLICES = 16
"""So many are done together: of each, six second derivatives are held."""

Ridges = Literal["bright", "dark"]
Scales = Annotated[tuple[Annotated[float, Field(gt=0, le=50)], ...], Field(min_length=1, max_length=10)]
"""Standard deviations in mm: about the lines' radii."""
AddAnswer = Callable[[Array, float, Array, int, int], None]
"""Takes second derivatives, the sign of the curvature, the result so far, and a range of it to raise."""


def strongest(grey: Array, *, spacing_mm: Spacing, scales_mm: Sequence[float], ridges: Ridges, add: AddAnswer) -> Array:
    """The strongest answer of all scales, at least 0; the border is mirrored.

    Parameters
    ----------
    grey
        ``(y, x)`` or ``(z, y, x)``.
    spacing_mm
        Along the axes, in mm.
    scales_mm
        Standard deviations of the Gaussians.
    ridges
        Whether lines are brighter or darker than what surrounds them.

    Returns
    -------
    numpy.ndarray
        float32, or float64 of float64.
    """
    from tasks.imaging.kernels.hessian import hessian

    sign = 1.0 if ridges == "dark" else -1.0
    out = np.zeros(grey.shape, dtype=floating(grey[:0]).dtype)
    for target, slices in _slabs(out):
        for sigma_mm in scales_mm:
            parts = hessian(grey, spacing_mm, sigma_mm, slices)
            over_slabs(partial(add, parts, sign, target), target.size)
    return out


def halo(scales_mm: Sequence[float], spacing_mm: Spacing) -> Index:
    """How far the widest scale looks, in voxels."""
    return gaussian_weights.halo(max(scales_mm), spacing_mm, order=2)


def _slabs(out: Array) -> list[tuple[Array, tuple[int, int] | None]]:
    """Parts of the result, flattened but not copied, and which slices they are; a picture is one."""
    if out.ndim == 2:
        return [(out.reshape(-1), None)]
    firsts = range(0, len(out), SLICES)
    return [(out[z : z + SLICES].reshape(-1), (z, min(z + SLICES, len(out)))) for z in firsts]
