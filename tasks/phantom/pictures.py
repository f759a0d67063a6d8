"""Pictures and a head that never were, each with its truth: for organs and fields of which no free data are at hand.

They are simple on purpose: what is drawn is what a method has to cope with (shading, speckle, ribs over lungs, letters,
a muscle in the corner), by shapes whose mask is known exactly.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
from scipy import ndimage

Mask = npt.NDArray[np.bool_]


class DrawnPicture(NamedTuple):
    """A picture ``(y, x)`` or ``(y, x, 3)``, uint8, or a volume ``(z, y, x)``; and what it shows by name."""

    pixels: npt.NDArray[Any]
    truth: Mapping[str, Mask]


def fundus(rng: np.random.Generator, *, size: int = 480) -> DrawnPicture:
    """A fundus: field of view with a tab, shading, optic disc, and a tree of vessels that begins there."""
    y, x = np.mgrid[:size, :size].astype(np.float32)
    middle, radius = size / 2.0, 0.47 * size
    away = np.hypot(y - middle, x - middle)
    field = away <= radius
    centre, disc_radius = (0.48 * size, 0.24 * size), 0.066 * size
    disc = np.hypot(y - centre[0], x - centre[1]) <= disc_radius
    vessels = _tree(rng, size, centre) & field
    colour = np.asarray((185.0, 88.0, 60.0)) * (1.1 - 0.35 * (away / radius) ** 2)[..., None]
    colour[disc] = (240.0, 200.0, 130.0)
    colour[vessels] *= (0.72, 0.55, 0.7)
    tab = (np.abs(y - 0.06 * size) < 0.02 * size) & (np.abs(x - 0.73 * size) < 0.03 * size)
    colour[~(field | tab)] = 2.0
    picture = ndimage.gaussian_filter(colour, (0.8, 0.8, 0)) + rng.normal(0, 2.0, colour.shape)
    return DrawnPicture(_bytes(picture), {"retina_field": field, "optic_disc": disc & field, "retina_vessels": vessels})


def frontal_chest(rng: np.random.Generator, *, size: int = 360) -> DrawnPicture:
    """A frontal chest X-ray: two lungs under ribs, mediastinum, shoulders, and air beside the patient."""
    y, x = np.mgrid[:size, :size].astype(np.float32) / size
    body = (np.abs(x - 0.5) / 0.45) ** 4 + (np.maximum(0.0, 0.42 - y) / 0.40) ** 3 < 1
    right = ((x - 0.31) / 0.135) ** 2 + ((y - 0.5) / 0.33) ** 2 < 1
    left = ((x - 0.69) / 0.125) ** 2 + ((y - 0.49) / 0.32) ** 2 < 1
    left &= np.hypot((x - 0.57) / 0.12, (y - 0.66) / 0.15) > 1
    lungs = (right | left) & (y < 0.8 - 0.5 * (x - 0.5) ** 2)
    picture = np.where(body, 150.0 + 40.0 * y, 8.0)
    picture[lungs] -= (95.0 - 35.0 * y)[lungs]
    picture += np.where((np.abs(np.sin(28 * (y - 0.6 * (x - 0.5) ** 2))) > 0.93) & body, 16.0, 0.0)
    picture += np.where(np.abs(x - 0.5) < 0.05, 35.0, 0.0) * body
    picture = ndimage.gaussian_filter(picture, 2.0) + rng.normal(0, 4.0, picture.shape)
    return DrawnPicture(_bytes(picture), {"lungs_xray": lungs})


def mammogram(rng: np.random.Generator, *, size: int = 420, muscle: bool = True) -> DrawnPicture:
    """A mammogram: the breast at the left side, dense tissue, a label, and on an oblique view the pectoral muscle."""
    y, x = np.mgrid[:size, : int(0.8 * size)].astype(np.float32) / size
    breast = (x / 0.5) ** 2 + ((y - 0.52) / 0.5) ** 2 < 1
    pectoral = (x / 0.3 + y / 0.55 < 1) & breast if muscle else np.zeros(breast.shape, bool)
    tissue = ndimage.gaussian_filter(rng.normal(0, 1, breast.shape), 0.02 * size) * 0.04 * size
    picture = np.where(breast, 105.0 + 45.0 * np.exp(-((x - 0.22) ** 2 + (y - 0.56) ** 2) / 0.012) + 14.0 * tissue, 6.0)
    picture[pectoral] = 195.0
    picture[int(0.05 * size) : int(0.09 * size), int(0.62 * size) : int(0.75 * size)] = 230.0
    picture = ndimage.gaussian_filter(picture, 1.2) + rng.normal(0, 3.0, picture.shape)
    return DrawnPicture(_bytes(picture), {"breast_mammography": breast & ~pectoral})


def ultrasound(rng: np.random.Generator, *, size: int = 360) -> DrawnPicture:
    """A breast ultrasound in a black frame: layers with speckle, a cyst, and letters beside the tissue."""
    shape = (size, int(1.3 * size))
    y, x = np.mgrid[: shape[0], : shape[1]].astype(np.float32) / size
    tissue = (np.abs(x - 0.65) < 0.45) & (y > 0.06) & (y < 0.9)
    layers = 90.0 + 45.0 * np.sin(18 * y + 2 * np.sin(5 * x)) * np.exp(-1.5 * y)
    cyst = np.hypot((x - 0.6) / 0.13, (y - 0.4) / 0.1) < 1
    picture = np.where(tissue, np.where(cyst, 4.0, layers * rng.rayleigh(0.8, shape)), 0.0)
    picture = ndimage.gaussian_filter(picture, 1.0)
    picture[int(0.1 * size) : int(0.14 * size), int(0.04 * size) : int(0.12 * size) : 3] = 255.0
    return DrawnPicture(_bytes(picture), {"breast_ultrasound": tissue})


def head(rng: np.random.Generator, *, spacing_mm: tuple[float, float, float] = (4.0, 2.0, 2.0)) -> DrawnPicture:
    """An MR of a head, T1-like: scalp, dark skull, brain with ventricles, and eyes that the optic nerves join to it."""
    nz, ny, nx = (round(mm / s) for mm, s in zip((176.0, 220.0, 190.0), spacing_mm, strict=True))
    z, y, x = np.meshgrid(*(np.arange(n) * s for n, s in zip((nz, ny, nx), spacing_mm, strict=True)), indexing="ij")
    z, y, x = z - 80.0, y - 112.0, x - 95.0

    def egg(half_z: float, half_y: float, half_x: float) -> Mask:
        return np.asarray((z / half_z) ** 2 + (y / half_y) ** 2 + (x / half_x) ** 2 < 1)

    brain, ventricles = egg(66.0, 84.0, 68.0), egg(14.0, 26.0, 12.0)
    mr = np.where(egg(84.0, 102.0, 86.0), 520.0, 0.0)
    mr[egg(78.0, 96.0, 80.0)] = 30.0
    mr[brain] = 300.0
    mr[ventricles] = 90.0
    for side in (-1.0, 1.0):
        eye = (z + 40.0) ** 2 + (y + 88.0) ** 2 + (x - side * 32.0) ** 2 < 11.0**2
        nerve = (np.abs(z + 38.0) < 3.0) & (np.abs(x - side * 24.0) < 3.0) & (y > -84.0) & (y < -40.0)
        mr[(eye | nerve) & ~brain] = 300.0
    shading = 1.0 + 0.15 * x / 95.0
    mr = ndimage.gaussian_filter(mr * shading, [0.5 * 2.0 / s for s in spacing_mm])
    return DrawnPicture((mr + rng.normal(0, 8.0, mr.shape)).astype(np.float32), {"brain": brain})


def _tree(rng: np.random.Generator, size: int, start: tuple[float, float]) -> Mask:
    """Four vessels that leave a point, bend, thin out, and send off branches."""
    from skimage.draw import disk

    vessels = np.zeros((size, size), dtype=bool)
    waiting = [(start, angle, 0.0075 * size, 0.75 * size) for angle in (-1.1, -0.5, 0.6, 1.2, 2.6, 3.7)]
    while waiting:
        (row, column), angle, radius, left = waiting.pop()
        bend = rng.normal(0, 0.004)
        while left > 0 and radius > 0.0022 * size:
            vessels[disk((row, column), max(radius, 0.9), shape=vessels.shape)] = True
            row, column, left = row + np.sin(angle), column + np.cos(angle), left - 1.0
            angle, radius = angle + bend - 0.0016 * np.sign(np.sin(angle)), radius * 0.9985
            if rng.random() < 0.01:
                waiting.append(((row, column), angle + rng.choice([-0.7, 0.7]), 0.7 * radius, 0.5 * left))
    return vessels


def _bytes(picture: npt.NDArray[Any]) -> npt.NDArray[np.uint8]:
    return np.asarray(np.clip(np.rint(picture), 0, 255), dtype=np.uint8)
