"""Where things lie in a chest: smooth fields that give the signed distance to the big surfaces.

All lengths are mm of the reference patient (see :mod:`tasks.phantom.canvas`): ``x`` to the Left, ``y`` to the back,
``z`` to the head. Fields are negative inside; they are distances along rays, near enough to Euclidean ones for
partial volume and for placing nodules. The shapes are drawn by eye after axial anatomy, not measured.

Words: the *cage* is the inner surface of the ribs, the *midline* all that lies between the two lungs.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from storage.volume import Triple
from tasks.phantom.canvas import Float32

CAGE_CENTER_Y = -3.0
SPINE_Y = 53.0
AORTA = (
    (4.0, -16.0, -22.0), (-12.0, -24.0, 5.0), (-15.0, -22.0, 32.0), (-8.0, -12.0, 50.0), (8.0, 8.0, 57.0),
    (20.0, 28.0, 50.0), (25.0, 40.0, 32.0), (25.0, 43.0, 0.0), (22.0, 42.0, -50.0), (12.0, 38.0, -150.0),
)  # fmt: skip
AORTA_RADII = (15.0, 15.0, 14.5, 14.0, 13.5, 12.5, 12.0, 11.5, 11.0, 10.5)


@dataclass(frozen=True)
class Anatomy:
    """What differs between patients, in reference mm and HU; the methods give the fields."""

    body_half_mm: tuple[float, float]
    fat_mm: float
    breast_mm: float
    cage_half_mm: tuple[float, float]
    right_dome_mm: float
    left_dome_mm: float
    heart_center_mm: Triple
    heart_half_mm: Triple
    lung_hu: float
    enhancement_hu: float

    def body(self, x: Float32, y: Float32, z: Float32) -> Float32:
        """The skin."""
        shoulder = np.clip((z - 55.0) / 75.0, 0.0, 1.0) ** 2
        half_x = self.body_half_mm[0] * (1.0 - 0.035 * np.cos((z + 60.0) / 60.0)) * (1.0 + 0.05 * shoulder)
        half_y = self.body_half_mm[1] * (1.0 - 0.16 * shoulder)
        skin = radial(x, y - 6.0 * shoulder, half_x, half_y, 2.35)
        groove = 6.0 * np.exp(-((x / 18.0) ** 2))
        skin = smooth_max(skin, y - 0.97 * self.body_half_mm[1] + groove, 16.0)
        if self.breast_mm > 0.0:
            front = -0.80 * self.body_half_mm[1]
            depth = 18.0 + self.breast_mm
            square = ((np.abs(x) - 74.0) / 58.0) ** 2 + ((y - front) / depth) ** 2 + ((z + 8.0) / 54.0) ** 2
            skin = smooth_min(skin, (np.sqrt(square) - 1.0) * 40.0, 22.0)
        return skin

    def cage(self, x: Float32, y: Float32, z: Float32) -> Float32:
        """The inner surface of the ribs: an egg that closes at the thoracic inlet."""
        center_y, half_x, half_y = self.cage_outline(z)
        return radial(x, y - center_y, half_x, half_y, 2.3)

    def cage_outline(self, z: Float32) -> tuple[Float32, Float32, Float32]:
        """Centre in y and half-widths in x and y of the cage at a height."""
        rise = np.clip((z + 45.0) / 180.0, 0.0, 0.985)
        close = (1.0 - rise**2.7) ** 0.55
        half_x, half_y = self.cage_half_mm
        return CAGE_CENTER_Y + 24.0 * (1.0 - close), half_x * close, half_y * close**0.8

    def midline(self, x: Float32, y: Float32, z: Float32) -> Float32:
        """Mediastinum with spine: narrow in front, wide at the hila and around the vertebrae."""
        half = 5.0 + 16.0 / (1.0 + np.exp(-(y + 48.0) / 9.0)) + 6.0 / (1.0 + np.exp(-(y - 66.0) / 4.0))
        half = half + 10.0 * np.exp(-(((y - 8.0) / 18.0) ** 2) - ((z - 12.0) / 20.0) ** 2)
        half = half + 9.0 * np.exp(-(((y + 14.0) / 22.0) ** 2) - ((z - 96.0) / 34.0) ** 2)
        bend = 2.0 + 5.0 * np.sin((z - 20.0) / 34.0) * np.exp(-(((y + 20.0) / 50.0) ** 2))
        return np.asarray(np.abs(x - bend) - half, dtype=np.float32)

    def heart(self, x: Float32, y: Float32, z: Float32) -> Float32:
        """Outer surface of the heart muscle; its long axis points left, forward and down."""
        dx, dy, dz = (v - c for v, c in zip((x, y, z), self.heart_center_mm, strict=True))
        along = 0.72 * dx - 0.52 * dy - 0.46 * dz
        across = 0.59 * dx + 0.81 * dy
        up = 0.37 * dx - 0.27 * dy + 0.89 * dz
        a, b, c = self.heart_half_mm
        return np.asarray((np.sqrt((along / a) ** 2 + (across / b) ** 2 + (up / c) ** 2) - 1.0) * b, dtype=np.float32)

    def diaphragm(self, x: Float32, y: Float32, z: Float32) -> Float32:
        """Negative below the two domes."""
        bowl = 34.0 * ((y + 12.0) / 92.0) ** 2 + 12.0 * np.clip((y - 10.0) / 70.0, 0.0, None) ** 2
        right = self.right_dome_mm - 46.0 * ((x + 58.0) / 78.0) ** 2 - bowl
        left = self.left_dome_mm - 46.0 * ((x - 62.0) / 74.0) ** 2 - bowl
        return np.asarray((z - smooth_max(right, left, 12.0)) * 0.8, dtype=np.float32)

    def lungs(self, x: Float32, y: Float32, z: Float32) -> Float32:
        """Both lungs: the cage without midline, heart, aorta and what lies under the diaphragm."""
        return self.lungs_between(x, y, z, self.cage(x, y, z), self.heart(x, y, z), self.diaphragm(x, y, z))

    def lungs_between(
        self, x: Float32, y: Float32, z: Float32, cage: Float32, heart: Float32, diaphragm: Float32
    ) -> Float32:
        """:meth:`lungs` from fields that are known already."""
        field = smooth_max(cage + 2.0, -self.midline(x, y, z), 12.0)
        field = smooth_max(field, 3.0 - heart, 8.0)
        field = smooth_max(field, 1.5 - self.descending_aorta(x, y, z), 5.0)
        return smooth_max(field, -diaphragm, 6.0)

    def descending_aorta(self, x: Float32, y: Float32, z: Float32) -> Float32:
        """The part of the aorta that dents the left lung: arch and descending, as a smooth column."""
        low = np.clip((40.0 - z) / 190.0, 0.0, 1.0)
        column = np.sqrt((x - (25.0 - 13.0 * low**2)) ** 2 + (y - (42.0 - 4.0 * low)) ** 2) - (12.0 - 1.5 * low)
        return smooth_max(column, z - 52.0, 20.0)


def draw_anatomy(rng: np.random.Generator) -> Anatomy:
    """A random patient."""
    cage_x, cage_y = rng.normal(129.0, 3.0), rng.normal(89.0, 3.0)
    fat = float(np.clip(rng.gamma(4.0, 3.0), 4.0, 24.0))
    return Anatomy(
        body_half_mm=(float(np.clip(cage_x + 25.0 + fat, 152.0, 173.0)), float(cage_y + 19.0 + 0.6 * fat)),
        fat_mm=fat,
        breast_mm=float(rng.choice([0.0, rng.uniform(10.0, 34.0)])),
        cage_half_mm=(float(cage_x), float(cage_y)),
        right_dome_mm=float(rng.normal(-52.0, 5.0)),
        left_dome_mm=float(rng.normal(-62.0, 5.0)),
        heart_center_mm=(float(rng.normal(21.0, 3.0)), float(rng.normal(-32.0, 3.0)), float(rng.normal(-44.0, 4.0))),
        heart_half_mm=(float(rng.normal(64.0, 4.0)), float(rng.normal(43.0, 2.5)), float(rng.normal(47.0, 3.0))),
        lung_hu=float(rng.normal(-862.0, 15.0)),
        enhancement_hu=float(rng.choice([0.0, 0.0, rng.uniform(90.0, 180.0)])),
    )


def radial(x: Float32, y: Float32, half_x: Float32 | float, half_y: Float32 | float, power: float) -> Float32:
    """Distance along the ray from the axis to a superellipse ``|x/half_x|^p + |y/half_y|^p = 1``."""
    share = (np.abs(x / half_x) ** power + np.abs(y / half_y) ** power) ** (1.0 / power)
    distance = np.sqrt(x * x + y * y)
    return np.asarray(distance - distance / np.maximum(share, 1e-3), dtype=np.float32)


def smooth_max(a: Float32, b: Float32, blend_mm: float) -> Float32:
    """Intersection of two fields with its edge rounded over ``blend_mm`` (quadratic polynomial)."""
    overlap = np.maximum(blend_mm - np.abs(a - b), 0.0)
    overlap *= overlap * np.float32(0.25 / blend_mm)
    return np.asarray(np.maximum(a, b) + overlap, dtype=np.float32)


def smooth_min(a: Float32, b: Float32, blend_mm: float) -> Float32:
    """Union of two fields with its seam rounded over ``blend_mm``."""
    return -smooth_max(-a, -b, blend_mm)
