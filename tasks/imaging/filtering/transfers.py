"""What the Simoncelli wavelet and the Riesz transform multiply frequencies by."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from tasks.imaging.filtering.spectral import Frequencies


def simoncelli(frequencies: Frequencies, level: int) -> npt.NDArray[np.float64]:
    """The band-pass of a level: ``cos(pi/2 log2(2 f / top))`` for ``f`` from a quarter of ``top = 2^(1 - level)`` on.

    Non-separable: it depends on the distance from frequency 0 alone. IBSI PRT7;
    Portilla & Simoncelli 2000, doi:10.1023/A:1026553619983
    """
    top = 2.0 ** (1 - level)
    share = np.sqrt(_squared(frequencies)) / top
    inside = (share >= 0.25) & (share <= 1)
    return np.where(inside, np.cos(np.pi / 2 * np.log2(2 * np.where(inside, share, 1))), 0.0)


def riesz(frequencies: Frequencies, order: Sequence[int]) -> npt.NDArray[Any]:
    """The Riesz transform of an order along each axis: a derivative of which only the direction is left.

    ``(-i)^L sqrt(L! / (l1! l2! ...)) f1^l1 f2^l2 ... / |f|^L`` with ``L = l1 + l2 + ...``. IBSI AYRS;
    Unser & Van De Ville 2010, doi:10.1109/TIP.2009.2038832
    """
    total = sum(order)
    scale = math.sqrt(math.factorial(total) / math.prod(map(math.factorial, order)))
    squared = _squared(frequencies)
    product = math.prod((f**power for f, power in zip(frequencies, order, strict=True)), start=np.ones(()))
    # At frequency 0 there is no direction.
    return (-1j) ** total * scale * product / np.where(squared > 0, squared, 1) ** (total / 2) * (squared > 0)


def _squared(frequencies: Frequencies) -> npt.NDArray[np.float64]:
    return np.asarray(sum(f**2 for f in frequencies))
