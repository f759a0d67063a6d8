"""Integral images (summed-area tables) in 2-D and 3-D: the sum over any box from four or eight numbers.

An entry holds the sum of all voxels before it along every axis, so that a table has one entry more than the image along
each axis, and zeros on its first faces. Sums of whole numbers are int64 and exact; others are float64, and a box
differs from its direct sum by what rounding leaves of the whole image's: about 1e-16 of it.

References
----------
Crow 1984, doi:10.1145/800031.808600; Viola & Jones 2004, doi:10.1023/B:VISI.0000013087.49260.fb, sections 2.1 and 5.2
"""

from __future__ import annotations

from itertools import product
from math import prod

import numpy as np
import numpy.typing as npt

from tasks.imaging.step import Array
from tasks.threads import over_slabs

Floats = npt.NDArray[np.float64]


def integral_image(array: Array, axes: int | None = None, *, threads: int | None = None) -> Array:
    """The integral image of a picture or volume, or of each of a batch.

    Parameters
    ----------
    array
        ``(y, x)`` or ``(z, y, x)``, of any real type, finite; before these axes there may be others: ``(n, y, x)``.
    axes
        How many of the last axes are summed along, 2 or 3; ``None``: all.
    threads
        ``None``: the budget of this process. The result does not depend on it.

    Returns
    -------
    numpy.ndarray
        One longer along each of these axes; int64 of whole numbers, else float64.

    Raises
    ------
    ValueError
        When there are not 2 or 3 axes to sum along.
    """
    from tasks.imaging.kernels.integral import running_sums

    axes = array.ndim if axes is None else axes
    if axes not in (2, 3) or array.ndim < axes:
        raise ValueError(f"expected 2 or 3 axes to sum along; got {axes} of an array of {array.shape}")
    batch, image = array.shape[:-axes], array.shape[-axes:]
    sums = np.zeros((*batch, *(n + 1 for n in image)), np.float64 if array.dtype.kind == "f" else np.int64)
    along_z, slices = axes == 3, (prod(batch), *(1,) * (3 - axes))
    volumes = np.ascontiguousarray(array, sums.dtype).reshape(*slices, *image)
    into = sums.reshape(*slices, *sums.shape[-axes:])
    over_slabs(lambda start, stop: running_sums(volumes, into, along_z, start, stop), len(volumes), threads)
    return sums


def box_sums(integral: Array, starts: npt.ArrayLike, stops: npt.ArrayLike) -> Array:
    """Sums over many boxes of one image, or of each of a batch.

    Parameters
    ----------
    integral
        Of :func:`integral_image`.
    starts, stops
        First voxels of the boxes and those behind their last, ``(m, 2)`` or ``(m, 3)``, inside the image.

    Returns
    -------
    numpy.ndarray
        ``(…, m)``, of the integral image's type.

    Raises
    ------
    ValueError
        When boxes reach beyond the image, or end before they start.
    """
    ends = np.asarray(starts, dtype=np.intp), np.asarray(stops, dtype=np.intp)
    axes = ends[0].shape[-1]
    if (ends[0] < 0).any() or (ends[0] > ends[1]).any() or (ends[1] >= integral.shape[-axes:]).any():
        raise ValueError(f"expected boxes inside an image of {tuple(n - 1 for n in integral.shape[-axes:])}")
    found = np.zeros((*integral.shape[:-axes], len(ends[0])), dtype=integral.dtype)
    for corner in product((0, 1), repeat=axes):
        places = tuple(ends[end][:, axis] for axis, end in enumerate(corner))
        taken = integral[(slice(None),) * (integral.ndim - axes) + places]
        found += taken if (axes - sum(corner)) % 2 == 0 else -taken
    return found


def contrast_integrals(array: Array) -> tuple[Floats, Floats]:
    """Integral images of one picture or volume less its mean, and of the squares of this.

    Of any box they give the variance, ``squares / n - (sums / n)**2``, which tells a window's contrast (Viola & Jones
    2004, section 5.2). Less the mean, the two terms are of one size, and their difference keeps its digits.
    """
    centred = np.asarray(array, dtype=np.float64)
    centred = centred - (centred.mean() if centred.size else 0.0)
    return integral_image(centred), integral_image(centred**2)
