"""The luminance of a coloured image: what its structure is judged by where all colours must be treated alike."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np

from tasks.imaging.step import Array, Blocks, Index, View, floating

LUMA = (0.299, 0.587, 0.114)
"""Weights of red, green and blue (ITU-R BT.601-7)."""


def luminance(array: Array, axes: int) -> Array:
    """The grey image itself, or the luminance of a coloured one.

    Parameters
    ----------
    array
        Spatial axes, perhaps with red, green, blue last.
    axes
        Number of spatial axes.
    """
    if array.ndim == axes:
        return array
    values = floating(array)
    red, green, blue = (values[..., c] * values.dtype.type(weight) for c, weight in enumerate(LUMA))
    return np.asarray(red + green + blue)


def luminances(blocks: Blocks, view: View) -> Blocks:
    """The blocks of an image as grey ones."""

    def grey() -> Iterator[tuple[Index, Array]]:
        for start, block in blocks():
            yield start, luminance(block, len(view.shape))

    return grey


def by_luminance(function: Callable[[Array], Array], array: Array, axes: int) -> Array:
    """A function of a grey image, applied to the luminance; of a coloured image, its result in every channel."""
    result = function(luminance(array, axes))
    return result if array.ndim == axes else np.repeat(result[..., None], array.shape[-1], axis=-1)
