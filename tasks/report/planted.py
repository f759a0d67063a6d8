"""Faults planted into good images, so that operations that repair can be seen at work. The same ones each time."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[Any]
Planted = Callable[[Array, int], Array]
"""From an image and the number of its spatial axes to a spoilt copy, float32."""


def _copy(array: Array) -> Array:
    return array.astype(np.float32)


def _random() -> np.random.Generator:
    return np.random.default_rng(7)


def hot_and_dead_pixels(array: Array, axes: int) -> Array:
    """Two of a thousand voxels are the brightest value, two the darkest."""
    spoilt, draw = _copy(array), _random().random(array.shape[:axes])
    spoilt[draw < 0.002], spoilt[draw > 0.998] = array.max(), array.min()
    return spoilt


def dead_lines(array: Array, axes: int) -> Array:
    """Three rows and two columns that hold the darkest value."""
    spoilt = np.moveaxis(_copy(array), (axes - 2, axes - 1), (0, 1))
    rows, columns = spoilt.shape[:2]
    spoilt[[rows // 3, rows // 2, rows * 3 // 4]] = array.min()
    spoilt[:, [columns // 3, columns * 2 // 3]] = array.min()
    return np.ascontiguousarray(np.moveaxis(spoilt, (0, 1), (axes - 2, axes - 1)))


def missing_values(array: Array, axes: int) -> Array:
    """A disc in each slice, and single voxels, that are not a number."""
    spoilt = _copy(array)
    rows, columns = array.shape[axes - 2 : axes]
    y, x = np.ogrid[:rows, :columns]
    disc = (y - 0.45 * rows) ** 2 + (x - 0.55 * columns) ** 2 < (0.06 * min(rows, columns)) ** 2
    spoilt[(disc | np.zeros(array.shape[:axes], bool)) | (_random().random(array.shape[:axes]) < 0.001)] = np.nan
    return spoilt


def slice_drift(array: Array, axes: int) -> Array:
    """Every other slice is a third brighter, as after an interleaved scan; and all become brighter along the stack."""
    del axes
    gains = 1 + 0.35 * (np.arange(len(array)) % 2) + np.linspace(-0.1, 0.1, len(array))
    return np.asarray((_copy(array).T * gains.astype(np.float32)).T)


def shading(array: Array, axes: int) -> Array:
    """One side has 45 % of the brightness of the other."""
    ramp = np.linspace(1.45, 0.65, array.shape[axes - 1], dtype=np.float32)
    return np.asarray(_copy(array) * (ramp[:, None] if array.ndim > axes else ramp))


def ramp(array: Array, axes: int) -> Array:
    """Light added from one side to the other, half of the range from the 2nd to the 98th percentile."""
    low, high = np.percentile(array, [2, 98])
    added = np.linspace(-0.25, 0.25, array.shape[axes - 1], dtype=np.float32) * np.float32(high - low)
    return np.asarray(_copy(array) + (added[:, None] if array.ndim > axes else added))


def label(array: Array, axes: int) -> Array:
    """White writing burned into a corner."""
    from PIL import Image, ImageDraw

    rows, columns = array.shape[axes - 2 : axes]
    writing = Image.new("L", (columns, rows))
    ImageDraw.Draw(writing).text((columns // 16, rows // 16), "EXAMPLE 12:34", fill=255, font_size=max(10, rows // 14))
    where = np.broadcast_to(np.asarray(writing) > 127, array.shape[:axes])
    spoilt = _copy(array)
    spoilt[where] = array.max()
    return spoilt


def metal(array: Array, axes: int) -> Array:
    """A disc that is saturated, as metal is in CT."""
    spoilt = _copy(array)
    rows, columns = array.shape[axes - 2 : axes]
    y, x = np.ogrid[:rows, :columns]
    disc = (y - 0.5 * rows) ** 2 + (x - 0.5 * columns) ** 2 < (0.035 * min(rows, columns)) ** 2
    spoilt[np.broadcast_to(disc, array.shape[:axes])] = 3071.0
    return spoilt


def grain(array: Array, axes: int) -> Array:
    """Gaussian noise of 8 % of the range from the 2nd to the 98th percentile."""
    del axes
    low, high = np.percentile(array, [2, 98])
    noise = _random().standard_normal(array.shape, dtype=np.float32)
    return np.asarray(_copy(array) + np.float32(0.08 * (high - low)) * noise)


def stripes(array: Array, axes: int) -> Array:
    """A pattern of waves across, as from an electric disturbance."""
    low, high = np.percentile(array, [2, 98])
    wave = np.cos(2 * np.pi * np.arange(array.shape[axes - 1], dtype=np.float32) / 8) * 0.12 * (high - low)
    return np.asarray(_copy(array) + (wave[:, None] if array.ndim > axes else wave).astype(np.float32))


def brighter(array: Array, axes: int) -> Array:
    """Half as bright again, as another scanner would have it."""
    del axes
    return _copy(array) * np.float32(1.5)


def dimmer(array: Array, axes: int) -> Array:
    """A flat, underexposed picture."""
    del axes
    return _copy(array) * np.float32(0.4) + np.float32(20)


def faded(array: Array, axes: int) -> Array:
    """Dyes of half the strength: the square root of the share of light that gets through."""
    del axes
    return np.asarray(255 * np.sqrt(np.clip(_copy(array), 0, None) / 255))


def colour_cast(array: Array, axes: int) -> Array:
    """A yellow tinge."""
    del axes
    return np.asarray(np.clip(_copy(array) * np.asarray([1.1, 0.95, 0.6], np.float32), 0, 255))


def hairs(array: Array, axes: int) -> Array:
    """Dark hairs across the picture."""
    from PIL import Image, ImageDraw

    rows, columns = array.shape[axes - 2 : axes]
    drawn = Image.new("L", (columns, rows))
    for start, bend in ((0.15, 0.3), (0.4, -0.2), (0.6, 0.25), (0.85, -0.3)):
        points = [(columns * (start + bend * at**2), rows * at) for at in np.linspace(0, 1, 40)]
        ImageDraw.Draw(drawn).line(points, fill=255, width=max(2, rows // 160))
    spoilt = _copy(array)
    spoilt[np.broadcast_to(np.asarray(drawn) > 127, array.shape[:axes])] = np.percentile(array, 1)
    return spoilt


FAULTS: Mapping[str, Planted] = {
    fault.__name__.replace("_", " "): fault
    for fault in (
        hot_and_dead_pixels,
        dead_lines,
        missing_values,
        slice_drift,
        shading,
        ramp,
        label,
        metal,
        grain,
        stripes,
        brighter,
        dimmer,
        faded,
        colour_cast,
        hairs,
    )
}
"""By name, as the page says it."""
