"""Contrast of a coloured picture changed in its luminance, and its hue kept.

A new luminance scales red, green and blue alike, which changes neither hue nor saturation. A pixel whose strongest
colour would then be brighter than white is mixed with grey of the same luminance until it is not: hue and luminance
stay, saturation gives way. (Naik and Murthy, doi:10.1109/TIP.2003.819231, keep the hue within white in the same spirit,
through the complement.)
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from tasks.imaging.luminance import luminance
from tasks.imaging.step import Array, floating

DARK = 1e-6
"""Below this share of white a pixel has no colour to keep."""


def on_luminance(array: Array, axes: int, function: Callable[[Array], Array], white: float | None = None) -> Array:
    """Apply a function of a grey image to it, or to the luminance of a coloured one, whose hue is kept.

    Parameters
    ----------
    axes
        Spatial ones; one more is colour.
    function
        Is given float32, or float64 of float64.
    white
        The brightest value that a colour of the result may have; ``None`` for no limit.
    """
    if array.ndim == axes:
        return function(floating(array))
    before = luminance(array, axes)
    return with_luminance(floating(array), before, function(before), white)


def with_luminance(rgb: Array, before: Array, after: Array, white: float | None = None) -> Array:
    """The colours of a picture with another luminance; black becomes grey."""
    dark = before <= DARK * max(1.0, white or 1.0)
    ratio = np.where(dark, 0, after / np.where(dark, 1, before))[..., None]
    scaled = np.where(dark[..., None], after[..., None], rgb * ratio).astype(rgb.dtype, copy=False)
    return scaled if white is None else within_gamut(scaled, after, white)


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
