"""Contrast of a coloured picture changed in its luminance, and its hue kept.

A new luminance scales red, green and blue alike, which changes neither hue nor saturation. Two things limit that. A
pixel whose strongest colour would then be brighter than white is mixed with grey of the same luminance until it is not:
hue and luminance stay, saturation gives way. (Naik and Murthy, doi:10.1109/TIP.2003.819231, keep the hue within white
in the same spirit, through the complement.) And what is nearly black has only noise for a hue: the darker it is, the
more grey it becomes.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from tasks.imaging.luminance import luminance, luminances
from tasks.imaging.order_statistics import moments
from tasks.imaging.step import Array, Blocks, Facts, View, floating

DARK = 0.02
"""Share of white below which a pixel's hue fades to grey: 5 of 255."""


def on_luminance(
    array: Array, axes: int, function: Callable[[Array], Array], *, white: float, white_after: float | None = None
) -> Array:
    """Apply a function of a grey image to it, or to the luminance of a coloured one, whose hue is kept.

    Parameters
    ----------
    axes
        Spatial ones; one more is colour.
    function
        Is given float32, or float64 of float64.
    white
        The brightest value that a colour can have; of no account for a grey image.
    white_after
        The same of the result; ``None`` where it does not change.
    """
    if array.ndim == axes:
        return function(floating(array))
    before = luminance(array, axes)
    return with_luminance(
        floating(array), before, function(before), white, white if white_after is None else white_after
    )


def with_luminance(rgb: Array, before: Array, after: Array, white: float, white_after: float) -> Array:
    """The colours of a picture with another luminance, which is cut to what lies between black and white."""
    after = np.clip(after, 0, white_after)
    share = np.clip(before / (DARK * white), 0, 1)
    ratio = share * after / np.where(before > 0, before, 1)
    scaled = rgb * ratio[..., None] + ((1 - share) * after)[..., None]
    return within_gamut(scaled.astype(rgb.dtype, copy=False), after, white_after)


def within_gamut(rgb: Array, grey: Array, white: float) -> Array:
    """Mixed with grey of the same luminance just so far that no colour is below 0 or above white."""
    middle = np.clip(grey, 0, white)[..., None]
    away = rgb - middle
    room, needed = np.where(away > 0, white - middle, middle), np.abs(away)
    share = np.where(needed > room, room / np.where(needed > 0, needed, 1), 1).min(axis=-1, keepdims=True)
    return np.asarray(np.clip(middle + share * away, 0, white), dtype=rgb.dtype)


def white_of(maximum: float) -> float:
    """What white is in a picture whose brightest value is known: 1, or 255 of 8 bits, or 65535 of 16."""
    return next((white for white in (1.0, 255.0, 65535.0) if maximum <= white), maximum)


def white_in(blocks: Blocks, view: View) -> float:
    """What white is in a coloured image; 1 for a grey one, which has none and is not read."""
    first = next(iter(blocks()))[1]
    return white_of(moments(blocks).maximum) if first.ndim > len(view.shape) else 1.0


def brightness(blocks: Blocks, view: View) -> Facts:
    """``low`` and ``high`` of the luminance, and ``white``."""
    grey = moments(luminances(blocks, view))
    return {"low": grey.minimum, "high": grey.maximum, "white": white_in(blocks, view)}
