"""Sub-bands of a wavelet transform: what they are called, and their energies combined by weights.

PyWavelets names a band by a letter per axis, ``a`` for approximation (neighbours averaged) and ``d`` for detail
(neighbours subtracted), the first axis first. Here a band is named by the axes of detail: ``x`` answers to edges across
x, ``xy`` to lines along z, ``xyz`` to points. Level 1 is the finest.
"""

from __future__ import annotations

from collections.abc import Mapping
from itertools import product

import numpy as np
import numpy.typing as npt

from tasks.imaging.step import Array

AXES = "zyx"


def detail_keys(axes: int) -> list[str]:
    """PyWavelets' names of the bands with detail of 2 or 3 axes: edges first, then lines, then points."""
    keys = ("".join(key) for key in product("ad", repeat=axes))
    return sorted((key for key in keys if "d" in key), key=lambda key: (key.count("d"), key))


def detail_axes(key: str) -> str:
    """The axes of detail of a band: ``"add"``, averaged along z and subtracted along y and x, is called ``xy``."""
    return "".join(sorted(axis for axis, letter in zip(AXES[-len(key) :], key, strict=True) if letter == "d"))


def combined_energy(energies: Mapping[str, npt.ArrayLike], weights: Mapping[str, float]) -> Array:
    """Weighted sum of the energies of bands.

    Parameters
    ----------
    energies
        By band: one number each, or one per region, as a table's columns have them.
    weights
        By band, from settings or as learned on the training cases alone. Bands without a weight do not count.

    Raises
    ------
    ValueError
        When a weight's band is not among the energies.
    """
    if unknown := sorted(set(weights) - set(energies)):
        raise ValueError(f"no band {', '.join(unknown)}; choose from: {', '.join(energies)}")
    total = np.zeros(np.broadcast_shapes(*(np.shape(one) for one in energies.values())))
    for band, weight in weights.items():
        total = total + weight * np.asarray(energies[band], dtype=np.float64)
    return np.asarray(total)
