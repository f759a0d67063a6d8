"""A volume like a CT of the chest, made from formulas: the same on every machine, and no patient's.

It has what makes filters work: smooth tissue, sharp edges at skin, lungs and bone, small vessels, and grain everywhere.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

AIR, LUNG, TISSUE, VESSEL, BONE = -1000.0, -820.0, 40.0, 60.0, 700.0
GRAIN_HU = 25.0
VESSELS = 40

Shape = tuple[int, int, int]
Slice = npt.NDArray[np.float32]


def ct_phantom(shape: Shape = (300, 512, 512), *, seed: int = 0) -> npt.NDArray[np.int16]:
    """HU, int16, ``(z, y, x)``; equal seeds give equal volumes."""
    rng = np.random.default_rng(seed)
    vessels = rng.uniform([-0.6, -0.45, -0.3, 0.006], [0.6, 0.45, 0.3, 0.03], (VESSELS, 4))
    rows, columns = np.meshgrid(*(np.linspace(-1, 1, n, dtype=np.float32) for n in shape[1:]), indexing="ij")
    volume = np.empty(shape, dtype=np.int16)
    for height, target in zip(np.linspace(-1, 1, shape[0]), volume, strict=True):
        hu = _slice(float(height), rows, columns, vessels)
        hu += GRAIN_HU * rng.standard_normal(hu.shape, dtype=np.float32)
        target[...] = np.rint(np.clip(hu, -1024, 3071))
    return volume


def _slice(height: float, y: Slice, x: Slice, vessels: npt.NDArray[np.float64]) -> Slice:
    """One slice without grain; organs change slowly along z."""
    swell = 1 + 0.08 * np.sin(3 * height)
    body = (x / (0.9 * swell)) ** 2 + (y / 0.65) ** 2
    hu = np.where(body < 1, TISSUE + 30 * np.cos(4 * x) * np.cos(5 * y + height), AIR).astype(np.float32)
    hu[(body > 0.86) & (body < 0.9) & (np.sin(9 * np.arctan2(y, x) + 8 * height) > 0)] = BONE  # ribs
    lungs = ((np.abs(x) - 0.4) / 0.26) ** 2 + ((y + 0.05) / 0.42) ** 2 < 1 - 0.5 * height**2
    hu[lungs] = LUNG + 20 * np.sin(6 * y[lungs] + 3 * height)
    for across, down, slope, radius in vessels:
        near = (x - across - slope * height) ** 2 + (y - down) ** 2 < radius**2
        hu[near & lungs] = VESSEL
    hu[x**2 + (y - 0.45) ** 2 < 0.012] = BONE  # spine
    return hu
