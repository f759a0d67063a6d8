"""Changes of how an image was taken: thickness of slices, sharpness, coils, contrast and noise. Nothing is moved.

Each function takes its amount as a plain number; what is drawn by chance comes from the generator that it is given.
"""

from __future__ import annotations

from itertools import product

import numpy as np

from tasks.imaging.step import Array

BIAS_ORDER = 3


def thick_slices(volume: Array, factor: int, *, first: int = 0) -> Array:
    """As if slices had been ``factor`` times as thick, and brought back to the old grid by linear interpolation.

    Parameters
    ----------
    volume
        ``(z, y, x)``, floating. Each thick slice is the mean of ``factor`` thin ones and lies in their middle, so that
        nothing is shifted; before the first and behind the last the border's slices count.
    first
        How many thin slices of the first thick one lie before the image, below ``factor``.
    """
    depth = len(volume)
    count = -(-(first + depth) // factor)
    padded = np.pad(volume, ((first, count * factor - first - depth), (0, 0), (0, 0)), mode="edge")
    thick = padded.reshape(count, factor, *volume.shape[1:]).mean(axis=1, dtype=np.float64)
    # In units of thick slices, of which slice j lies at j.
    at = np.clip((np.arange(depth) + first - (factor - 1) / 2) / factor, 0, count - 1)
    below = np.minimum(at.astype(np.intp), max(count - 2, 0))
    above = np.minimum(below + 1, count - 1)
    share = (at - below)[:, None, None]
    return np.asarray((1 - share) * thick[below] + share * thick[above], dtype=volume.dtype)


def bias_field(shape: tuple[int, ...], coefficients: Array) -> Array:
    """A smooth field of factors around 1: the exponential of a polynomial without a constant, less its mean.

    A polynomial is the model of the bias of van Leemput et al. (doi:10.1109/42.811268).

    Parameters
    ----------
    shape
        Of the image along its spatial axes, ``(n,)``.
    coefficients
        One for each of `bias_terms`.
    """
    sides = [np.linspace(-1, 1, n) if n > 1 else np.zeros(1) for n in shape]
    total = np.zeros(shape)
    for powers, coefficient in zip(bias_terms(len(shape)), coefficients, strict=True):
        term = np.array(coefficient)
        for side, power in zip(sides, powers, strict=True):
            term = term[..., None] * side**power
        total += term
    return np.asarray(np.exp(total - total.mean()))


def bias_terms(axes: int) -> list[tuple[int, ...]]:
    """Powers along each axis of the polynomial's terms: all of at most third order but the constant."""
    return [powers for powers in product(range(BIAS_ORDER + 1), repeat=axes) if 0 < sum(powers) <= BIAS_ORDER]


def with_contrast(image: Array, *, gain: float, offset: float) -> Array:
    """Contrast about the mean times ``gain``, and ``offset`` more."""
    middle = image.mean(dtype=np.float64)
    return np.asarray((image - middle) * gain + middle + offset, dtype=image.dtype)
