"""The orthonormal Haar wavelet transform of pictures and volumes, as PyWavelets has it and many times as fast.

Each pass halves an image along all its axes and gives one *band* per combination of sums (``a``) and differences
(``d``) of neighbours, named with the first axis first: ``"aa"``, ``"ad"``, ``"da"``, ``"dd"`` of a picture, ``"aaa"``
to ``"ddd"`` of a volume. Energy is kept: the squares of all bands sum up to those of the image (of even lengths).

Coefficients are those of ``pywt.dwtn(…, "haar", mode="symmetric")``, in the same order: of ``n`` voxels ``⌈n/2⌉`` are
left, and an odd last one is its own neighbour. PyWavelets does every other wavelet.

References
----------
Mallat 1989, doi:10.1109/34.192463; Lee et al. 2019 (PyWavelets), doi:10.21105/joss.01237
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import product
from typing import Any, cast

import numpy as np

from tasks.imaging.step import Array, Index
from tasks.threads import over_slabs

Bands = dict[str, Array]


def haar(array: Array, *, out: Array | None = None, threads: int | None = None) -> Bands:
    """One pass of the transform, along all axes.

    Parameters
    ----------
    array
        ``(y, x)`` or ``(z, y, x)``, of any real type, at least one voxel.
    out
        ``(4, ⌈y/2⌉, ⌈x/2⌉)`` or ``(8, ⌈z/2⌉, ⌈y/2⌉, ⌈x/2⌉)``, C-contiguous, of the result's type; it is written over.
        Spares a large volume the time that fresh memory takes. ``None``: fresh.
    threads
        ``None``: the budget of this process. The result does not depend on it.

    Returns
    -------
    dict
        Bands in the order of their names, views of one array: float32, or float64 of float64.

    Raises
    ------
    ValueError
        When ``array`` has another number of axes or no voxels, or ``out`` does not fit.
    """
    from tasks.imaging.kernels.haar import forward_2d, forward_3d

    if array.ndim not in (2, 3) or not array.size:
        raise ValueError(f"expected (y, x) or (z, y, x), at least one voxel; got {array.shape}")
    shape = (2**array.ndim, *(-(-n // 2) for n in array.shape))
    dtype = np.dtype(np.float64 if array.dtype == np.float64 else np.float32)
    if out is None:
        out = np.empty(shape, dtype)
    if (out.shape, out.dtype) != (shape, dtype) or not out.flags.c_contiguous:
        raise ValueError(f"expected out of {shape}, {dtype}, C-contiguous; got {out.shape}, {out.dtype}")
    forward = forward_3d if array.ndim == 3 else forward_2d
    image, bands = np.ascontiguousarray(array, dtype=_as_compiled(array.dtype)), out
    over_slabs(lambda start, stop: forward(image, bands, start, stop), shape[1], threads)
    return dict(zip(_names(array.ndim), out, strict=True))


def inverse_haar(bands: Mapping[str, Array], shape: Index | None = None, *, threads: int | None = None) -> Array:
    """The image of :func:`haar`'s bands.

    Parameters
    ----------
    bands
        All 4 or 8 by name, of one shape.
    shape
        Of the image, for one of odd lengths; ``None``: twice the bands' shape.

    Raises
    ------
    ValueError
        When a band is missing or the shapes do not fit.
    """
    from tasks.imaging.kernels.haar import inverse_2d, inverse_3d

    axes = len(next(iter(bands), ""))
    if axes not in (2, 3) or set(bands) != set(_names(axes)) or len({band.shape for band in bands.values()}) != 1:
        raise ValueError(f"expected all bands of a picture or a volume, of one shape; got {sorted(bands)}")
    dtype = np.result_type(np.float32, *bands.values())
    parts = tuple(np.ascontiguousarray(bands[name], dtype=dtype) for name in _names(axes))
    half = parts[0].shape
    shape = tuple(2 * n for n in half) if shape is None else shape
    if tuple(-(-n // 2) for n in shape) != half:
        raise ValueError(f"bands of {half} are not of an image of {shape}")
    image = np.empty(shape, dtype)
    inverse = inverse_3d if axes == 3 else inverse_2d
    over_slabs(lambda start, stop: inverse(parts, image, start, stop), half[0], threads)
    return image


def haar_levels(array: Array, levels: int | None = None, *, threads: int | None = None) -> list[Any]:
    """Several passes: each takes apart what the one before left as sums.

    Parameters
    ----------
    levels
        Passes; ``None``: until the shortest axis has one voxel, but no further.

    Returns
    -------
    list
        As ``pywt.wavedecn``: the last sums, then the bands with differences of each pass, the last pass first.

    Raises
    ------
    ValueError
        As :func:`haar`, and for a negative number of passes.
    """
    most = int(np.log2(max(1, min(array.shape, default=1))))
    if (levels := most if levels is None else levels) < 0:
        raise ValueError(f"expected no pass or more; got {levels}")
    found: list[Any] = []
    for _ in range(levels):
        bands = haar(array, threads=threads)
        array = bands.pop("a" * array.ndim)
        found.append(bands)
    return [array, *reversed(found)]


def inverse_haar_levels(coefficients: Sequence[Any], shape: Index, *, threads: int | None = None) -> Array:
    """The image of this shape that :func:`haar_levels` took apart. Raises ``ValueError`` when they do not fit."""
    array, differences = cast("Array", coefficients[0]), coefficients[1:]
    for done, bands in enumerate(differences, start=1):
        left = len(differences) - done
        finer = tuple(-(-n // 2**left) for n in shape)
        array = inverse_haar({"a" * array.ndim: array, **bands}, finer, threads=threads)
    return array


def _as_compiled(dtype: np.dtype[Any]) -> np.dtype[Any]:
    """The type in which numba can read an image: bytes in this machine's order, no halves."""
    return np.dtype(np.float32) if dtype == np.float16 else dtype.newbyteorder("=")


def _names(axes: int) -> list[str]:
    return ["".join(letters) for letters in product("ad", repeat=axes)]
