"""What can be counted and measured in the colours of a picture: moments, histograms, correlogram, asymmetry.

Colours are three numbers per pixel in one of the *spaces* RGB (0–1), HSV (0–1) and CIELAB (L 0–100, a and b about
-100 to 100; D65). In CIELAB the distance of two colours is about what an eye sees.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from tasks.imaging.morphology import BoolArray

Floats = npt.NDArray[np.float64]
Pixels = npt.NDArray[np.uint8]

RANGES = {
    "rgb": {"r": (0.0, 1.0), "g": (0.0, 1.0), "b": (0.0, 1.0)},
    "hsv": {"h": (0.0, 1.0), "s": (0.0, 1.0), "v": (0.0, 1.0)},
    "lab": {"l": (0.0, 100.0), "a": (-100.0, 100.0), "b": (-100.0, 100.0)},
}
"""The channels of each space, and what their histograms span."""
GREY = 1e-6
"""A saturation below has no hue."""


def in_spaces(pixels: Pixels) -> dict[str, Floats]:
    """A picture uint8 RGB ``(y, x, 3)`` in each of the spaces, ``(y, x, 3)``."""
    from skimage.color import rgb2hsv, rgb2lab

    rgb = np.asarray(pixels, dtype=np.float64) / 255
    return {"rgb": rgb, "hsv": np.asarray(rgb2hsv(rgb)), "lab": np.asarray(rgb2lab(rgb))}


def colour_moments(values: Floats) -> tuple[float, float, float]:
    """Mean, standard deviation, and skewness (0 of equal values) of a channel (Stricker & Orengo 1995).

    doi:10.1117/12.205308; the skewness is the standardized one.
    """
    mean = float(values.mean())
    centred = values - mean
    spread = float(np.mean(centred * centred)) ** 0.5
    # Products, since a general power takes ten times as long.
    skewness = float(np.mean(centred * centred * centred)) / spread**3 if spread > 1e-9 else 0.0
    return mean, spread, skewness


def hue_moments(hue: Floats, saturation: Floats) -> tuple[float, float]:
    """Circular mean (0–1), and how much hues agree (0–1), weighted by saturation; NaN where all is grey.

    The mean is NaN, too, where hues cancel each other out.
    """
    total = float(saturation.sum())
    if total <= GREY * saturation.size:
        return float("nan"), float("nan")
    resultant = complex((saturation * np.exp(2j * np.pi * hue)).sum()) / total
    mean = float(np.angle(resultant) / (2 * np.pi) % 1.0) if abs(resultant) > GREY else float("nan")
    return mean, min(abs(resultant), 1.0)


def auto_correlogram(
    colours: npt.NDArray[np.intp], mask: BoolArray, *, count: int, distances: tuple[int, ...]
) -> Floats:
    """How often a pixel at a distance has the same colour, for each colour (Huang et al. 1997).

    doi:10.1109/CVPR.1997.609412, section 3.1; distances are the larger one along y and x.

    Parameters
    ----------
    colours
        Number of each pixel's colour ``(y, x)``, 0 to ``count - 1``.
    mask
        Pairs count where both pixels are inside.

    Returns
    -------
    numpy.ndarray
        ``(count, distances)``; 0 where a colour has no pair.
    """
    found = np.zeros((count, len(distances)))
    for place, distance in enumerate(distances):
        same, pairs = np.zeros(count), np.zeros(count)
        for dy, dx in _half_ring(distance):
            here, there = _shifted(colours.shape, dy, dx)
            both = mask[here] & mask[there]
            one, other = colours[here][both], colours[there][both]
            # Each pair is seen from both of its ends.
            pairs += np.bincount(one, minlength=count) + np.bincount(other, minlength=count)
            same += 2 * np.bincount(one[one == other], minlength=count)
        found[:, place] = same / np.maximum(pairs, 1)
    return found


def asymmetry(lab: Floats, mask: BoolArray) -> dict[str, float]:
    """How a shape and its colours differ from their mirror images at its two principal axes.

    The A of the ABCD rule for skin lesions (Nachbar et al. 1994, doi:10.1016/S0190-9622(94)70061-3), measured rather
    than scored.

    Parameters
    ----------
    lab
        Colours in CIELAB ``(y, x, 3)``.
    mask
        The shape, not empty.

    Returns
    -------
    dict
        ``shape_major``, ``shape_minor``: share of the mirrored shape that lies outside of the shape, 0 to 1;
        ``colour_major``, ``colour_minor``: mean distance of colours where shape and mirror image overlap.
    """
    points = np.argwhere(mask).astype(np.float64)
    centre = points.mean(axis=0)
    _, axes = np.linalg.eigh((points - centre).T @ (points - centre))
    values = {}
    for name, axis in (("major", axes[:, 1]), ("minor", axes[:, 0])):
        mirrored = centre + 2 * ((points - centre) @ axis)[:, None] * axis - (points - centre)
        inside = _sampled(mask.astype(np.float64), mirrored) >= 0.5
        there = np.stack([_sampled(lab[..., channel], mirrored[inside]) for channel in range(3)], axis=-1)
        values[f"shape_{name}"] = float(1 - inside.mean())
        values[f"colour_{name}"] = (
            float(np.linalg.norm(there - lab[mask][inside], axis=-1).mean()) if inside.any() else float("nan")
        )
    return {name: values[name] for name in ("shape_major", "shape_minor", "colour_major", "colour_minor")}


def _half_ring(distance: int) -> list[tuple[int, int]]:
    """Half of the steps whose larger part is the distance; the others are their opposites."""
    reach = range(-distance, distance + 1)
    steps = [(dy, dx) for dy in reach for dx in reach if max(abs(dy), abs(dx)) == distance]
    return [step for step in steps if step > (0, 0)]


def _shifted(shape: tuple[int, ...], dy: int, dx: int) -> tuple[tuple[slice, slice], tuple[slice, slice]]:
    """Where pixels are that have a neighbour one step on, and where those neighbours are; dy ≥ 0."""
    height, width = shape[0], shape[1]
    rows = slice(0, max(height - dy, 0)), slice(dy, height)
    low, high = max(0, -dx), max(width - max(0, dx), 0)
    return (rows[0], slice(low, high)), (rows[1], slice(low + dx, max(high + dx, 0)))


def _sampled(plane: npt.NDArray[Any], points: Floats) -> Floats:
    from scipy import ndimage

    return np.asarray(ndimage.map_coordinates(plane, points.T, order=1, mode="constant"))
