"""The mean of a box of voxels.

The plainest smoothing: noise of neighbours that are independent falls with the square root of their number, and edges
become ramps as wide as the box.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import AfterValidator, Field

from tasks.imaging.step import Array, Index, Spacing, Step, View, per_channel


def odd(size: int) -> int:
    """A number of voxels with one in the middle, or a ValueError."""
    if size % 2 == 0:
        raise ValueError(f"expected an odd number of voxels, so that one is in the middle; got {size}")
    return size


Side = Annotated[int, Field(ge=1, le=99), AfterValidator(odd)]
"""Voxels of a box along an axis."""
Size = Side | tuple[Side, Side] | tuple[Side, Side, Side]


def sides(size: int | Index, axes: int) -> Index:
    """Voxels along each spatial axis, of a size for all, for ``(z, y, x)`` or, within slices, for ``(y, x)``."""
    if isinstance(size, int):
        return (size,) * axes
    return ((1, *size) if len(size) < axes else tuple(size))[-axes:]


def mean(array: Array, *, spacing_mm: Spacing, size: int | Index = 3) -> Array:
    """The mean around each voxel; the border is mirrored (``d c b a | a b c d``).

    Parameters
    ----------
    array
        ``(y, x)`` or ``(z, y, x)``, perhaps with colour last: then of each channel.
    spacing_mm
        Along the spatial axes; says how many there are.
    size
        Voxels of the box, odd: along every axis, along ``(z, y, x)``, or ``(y, x)`` within slices.

    Returns
    -------
    numpy.ndarray
        float32, or float64 of float64.
    """
    from tasks.imaging.kernels.separable import convolve

    weights = [[1 / n] * n for n in sides(size, len(spacing_mm))]
    return per_channel(lambda grey: convolve(grey, weights), array, len(spacing_mm))


class Settings(Step):
    """The mean of ``size`` voxels: along every axis, along ``[z, y, x]``, or ``[y, x]`` within slices."""

    name: Literal["mean"] = "mean"
    size: Size = Field(default=3, description="Voxels of the box, odd.")

    def halo(self, spacing_mm: Spacing) -> Index:
        """Half the box."""
        return tuple(n // 2 for n in sides(self.size, len(spacing_mm)))

    def apply(self, block: Array, view: View) -> Array:
        """Average the block."""
        return mean(block, spacing_mm=view.spacing_mm, size=self.size)
