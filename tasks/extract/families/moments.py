"""Moment invariants of a candidate: how its mask and its intensities are spread about their centre.

On the slice of the largest area: Hu's seven invariants (Hu 1962, doi:10.1109/TIT.1962.1057692) and the sizes of Zernike
moments; in space: contractions of the second and third moments (:mod:`tasks.imaging.moments`). Each is given of the
mask, and of the intensities less the smallest of the region, which makes them a mass. All are reckoned in mm.

None changes when the candidate is moved, turned or scaled, nor when the intensities are scaled or shifted. Mirrored,
Hu's seventh invariant changes its sign.
"""

from __future__ import annotations

import numpy as np
from pydantic import Field

from storage.volume import Triple
from tasks.extract.feature import FeatureInfo
from tasks.extract.plane import largest_slice
from tasks.extract.region import Region
from tasks.imaging.moments import Floats, space_invariants, zernike_magnitudes, zernike_orders
from tasks.imaging.morphology import BoolArray
from tasks.settings import StageSettings

OF_RESPONSES = False
FLOOR = 1e-12
"""Invariants of this size and less count as none: symmetric shapes leave rounding of 1e-20 and less."""
SPACE = {
    "trace": "Trace of the second moments: how far from the centre the mass lies",
    "minors": "Sum of the principal minors of the second moments",
    "determinant": "Determinant of the second moments",
    "third_norm": "Squared size of the third moments: how lopsided the mass is",
    "third_vector": "Squared length of the contracted third moments",
    "third_along": "Second moments along the contracted third ones",
}
FLAT = "intensities that are all equal"
FLAT_SLICE = "intensities that are all equal, or none, in the largest slice"


class Settings(StageSettings):
    """Which moments.

    Attributes
    ----------
    zernike_order
        The highest.
    """

    zernike_order: int = Field(6, ge=2, le=20)


def features(settings: Settings) -> dict[str, FeatureInfo]:
    """``hu_…``, ``zernike_…`` and ``space_…``, of the ``mask`` and of the ``intensity``."""
    infos = {}
    for mass in ("mask", "intensity"):
        flat, solid = ("", "") if mass == "mask" else (FLAT_SLICE, FLAT)
        for number in range(1, 8):
            text = f"Hu's invariant {number} of the {mass} in the largest slice, log10(1 + size / {FLOOR:g}), signed."
            infos[f"{mass}_hu_{number}"] = FeatureInfo(None, "1", text, nan_when=flat)
        for n, m in zernike_orders(settings.zernike_order):
            text = f"Size of the Zernike moment of order {n} and repetition {m} of the {mass} in the largest slice."
            infos[f"{mass}_zernike_{n}_{m}"] = FeatureInfo(None, "1", text, nan_when=flat)
        for name, meaning in SPACE.items():
            infos[f"{mass}_space_{name}"] = FeatureInfo(None, "1", f"{meaning}, of the {mass}.", nan_when=solid)
    return infos


def compute(region: Region, settings: Settings) -> dict[str, float]:
    """Invariants by the names of :func:`features`."""
    core = region.core
    above = np.where(core.counted, core.image - core.values.min(), 0.0)
    masses = {"mask": (core.mask.astype(np.float64), core.mask), "intensity": (above, core.counted)}
    z = largest_slice(core)
    values: dict[str, float] = {}
    for name, (mass, where) in masses.items():
        values |= {f"{name}_{key}": v for key, v in _in_plane(mass[z], where[z], core.spacing_mm[1:], settings).items()}
        values |= {f"{name}_space_{key}": v for key, v in _in_space(mass, where, core.spacing_mm).items()}
    return values


def _in_plane(mass: Floats, where: BoolArray, spacing_mm: tuple[float, float], settings: Settings) -> dict[str, float]:
    orders = zernike_orders(settings.zernike_order)
    hu, zernike = np.full(7, np.nan), np.full(len(orders), np.nan)
    if mass.any():
        mass = _of_mean_one(mass, where)
        hu = _hu(mass, spacing_mm)
        zernike = zernike_magnitudes(mass, spacing_mm=spacing_mm, highest=settings.zernike_order)
    values = {f"hu_{number}": float(value) for number, value in enumerate(hu, 1)}
    return values | {f"zernike_{n}_{m}": float(value) for (n, m), value in zip(orders, zernike, strict=True)}


def _in_space(mass: Floats, where: BoolArray, spacing_mm: Triple) -> dict[str, float]:
    if not mass.any():
        return dict.fromkeys(SPACE, float("nan"))
    return space_invariants(_of_mean_one(mass, where), spacing_mm=spacing_mm)


def _of_mean_one(mass: Floats, where: BoolArray) -> Floats:
    """The mass so that its total is the volume: intensities of another scale have the same invariants."""
    return mass / float(mass[where].mean())


def _hu(mass: Floats, spacing_mm: tuple[float, float]) -> Floats:
    """Hu's invariants, each as the logarithm of its size with its sign: they span ten orders of magnitude."""
    from skimage.measure import moments_central, moments_hu, moments_normalized

    central = moments_central(mass, order=3, spacing=spacing_mm)
    # Pixels of these sides, and not points: their area is the mass's unit.
    central = central * np.prod(spacing_mm)
    invariants = moments_hu(moments_normalized(central, order=3))
    return np.asarray(np.sign(invariants) * np.log10(1 + np.abs(invariants) / FLOOR))
