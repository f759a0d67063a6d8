"""The Laplacian pyramid: what each level of the Gaussian one has that the next does not, structures of one size each.

An image is the sum of its levels: from the coarsest on, each is expanded and added to the next finer one. This gives
the image back exactly, whatever the weights, since the same expansion was subtracted.

References
----------
Burt & Adelson 1983, doi:10.1109/TCOM.1983.1095851
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

from tasks.imaging.pyramid.formula import UNTIL
from tasks.imaging.pyramid.gaussian import along, axes_between, gaussian_pyramid
from tasks.imaging.step import Array, Index, Spacing, floating


def laplacian_pyramid(
    array: Array,
    *,
    spacing_mm: Spacing,
    levels: int | None = None,
    until: int = UNTIL,
    threads: int | None = None,
) -> list[Array]:
    """Differences between the levels of a Gaussian pyramid, finest first, and its coarsest level last.

    Parameters
    ----------
    array
        ``(y, x)`` or ``(z, y, x)``, perhaps with colour last.
    spacing_mm, levels, until
        As in :func:`~tasks.imaging.pyramid.formula.grids`.

    Returns
    -------
    list
        Of arrays, float32 (float64 of float64), of the shapes of the Gaussian levels.
    """
    smooth = [
        floating(level)
        for level in gaussian_pyramid(array, spacing_mm=spacing_mm, levels=levels, until=until, threads=threads)
    ]
    axes = len(spacing_mm)
    differences = [fine - expand(coarse, fine.shape[:axes], threads=threads) for fine, coarse in pairwise(smooth)]
    return [*differences, smooth[-1].copy()]


def image_of(levels: Sequence[Array], *, threads: int | None = None) -> Array:
    """The image of :func:`laplacian_pyramid`'s levels. Raises ``ValueError`` when their shapes do not fit."""
    image = levels[-1]
    for difference in reversed(levels[:-1]):
        image = expand(image, difference.shape, threads=threads) + difference
    return image


def expand(array: Array, shape: Index, *, threads: int | None = None) -> Array:
    """A level on the grid of the finer one before it, of this shape: Burt and Adelson's EXPAND.

    Raises
    ------
    ValueError
        When ``array`` is not of the next level of such a shape.
    """
    from tasks.imaging.kernels.pyramid import expand_lines

    array = floating(array)
    for axis in axes_between(shape, array.shape[: len(shape)]):
        array = along(expand_lines, array, axis, shape[axis], threads)
    return array
