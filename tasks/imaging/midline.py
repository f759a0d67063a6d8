"""The plane that a body, a head or a pair of organs is symmetric about, found from its mask alone.

The plane is moved and tilted until the mask's mirror image overlaps the mask best. It starts in the middle of the mask,
across the patient's left-right axis, and stays within ``TILT_DEGREES`` of it: a patient is never laid down so askew.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from storage.volume import Triple, Volume
from tasks.imaging.morphology import BoolArray, mask_box

Floats = npt.NDArray[np.float64]

SAMPLES = 48
"""Along each axis of the mask's box at most: what the search looks at."""
PADDING = 3
"""Samples of background around the mask: its faces are smoothed."""
TILT_DEGREES = 20.0
COARSE_DEGREES = (-15.0, -10.0, -5.0, 0.0, 5.0, 10.0, 15.0)
"""Tilts that are tried first."""
FIRST_STEP = (4.0, 3.0, 3.0)
"""Of the search from there: mm, degrees, degrees."""


@dataclass(frozen=True)
class Plane:
    """A plane in the coordinates ``(z, y, x)`` of an image in mm, 0 in the centre of its first voxel.

    Attributes
    ----------
    normal
        Unit vector; its side of the plane is the positive one.
    offset_mm
        Of the plane from the origin, along the normal.
    symmetry
        Share of the mask that lies in the mask again when it is mirrored, 0 to 1.
    """

    normal: Triple
    offset_mm: float
    symmetry: float

    def distance_mm(self, points_mm: npt.ArrayLike) -> Floats:
        """Signed distances of points ``(…, 3)``."""
        return np.asarray(np.asarray(points_mm, dtype=np.float64) @ np.asarray(self.normal) - self.offset_mm)


def towards_left(volume: Volume) -> Triple:
    """The patient's left as a unit vector along the array's axes ``(z, y, x)``."""
    z, y, x = volume.direction[0]
    return z, y, x


def midline(mask: BoolArray, *, spacing_mm: Triple, across: Triple) -> Plane:
    """The plane of best symmetry.

    Parameters
    ----------
    mask
        ``(z, y, x)``, not empty.
    spacing_mm
        Voxel spacing ``(z, y, x)`` in mm.
    across
        Unit vector ``(z, y, x)`` that the plane's normal lies near to: the patient's left.

    Returns
    -------
    Plane
        With a normal towards ``across``. Its ``symmetry`` says whether there is one: a body or a brain has above 0.9.
    """
    from scipy.optimize import fmin

    search = _Search.of(mask, spacing_mm, np.asarray(across, dtype=np.float64))
    poses = [np.array([0.0, first, second]) for first in COARSE_DEGREES for second in COARSE_DEGREES]
    start = min(poses, key=search.unlikeness)
    simplex = start + np.vstack([np.zeros(3), np.diag(FIRST_STEP)])
    best = fmin(search.unlikeness, start, xtol=0.05, ftol=1e-6, maxiter=150, initial_simplex=simplex, disp=0)
    normal, offset = search.plane(best)
    z, y, x = (float(part) for part in normal)
    return Plane((z, y, x), offset, search.overlap(best))


@dataclass(frozen=True, eq=False)
class _Search:
    """A thinned mask against its mirror image, for poses (shift in mm, two tilts in degrees)."""

    mask: Floats
    smooth: Floats
    points_mm: Floats
    start_mm: Floats
    step_mm: Floats
    centre_mm: Floats
    across: Floats
    tilts: tuple[Floats, Floats]

    @classmethod
    def of(cls, mask: BoolArray, spacing_mm: Triple, across: Floats) -> _Search:
        box = mask_box(mask)
        strides = [max(1, -(-(side.stop - side.start) // SAMPLES)) for side in box]
        thin = mask[tuple(slice(side.start, side.stop, k) for side, k in zip(box, strides, strict=True))]
        start = np.array([side.start * s for side, s in zip(box, spacing_mm, strict=True)])
        step = np.array(strides) * np.asarray(spacing_mm)
        points = start + np.argwhere(thin) * step
        # Two directions in the plane, made from the array's axis that lies least across.
        from scipy import ndimage

        first = np.cross(across, np.eye(3)[int(np.argmin(np.abs(across)))])
        first /= np.linalg.norm(first)
        tilts = (first, np.cross(across, first))
        exact = np.pad(thin.astype(np.float64), PADDING)
        smooth = ndimage.gaussian_filter(exact, 1.0)
        return cls(exact, smooth, points, start, step, points.mean(axis=0), across, tilts)

    def plane(self, pose: Floats) -> tuple[Floats, float]:
        """Normal and offset of a pose; tilts end at ``TILT_DEGREES``."""
        shift, *degrees = pose
        angles = np.radians(np.clip(degrees, -TILT_DEGREES, TILT_DEGREES))
        normal = self.across + np.tan(angles[0]) * self.tilts[0] + np.tan(angles[1]) * self.tilts[1]
        normal = normal / np.linalg.norm(normal)
        return normal, float(self.centre_mm @ normal + shift)

    def overlap(self, pose: Floats) -> float:
        """Share of the mirrored mask that lies in the mask."""
        return self._mirrored_in(self.mask, pose)

    def unlikeness(self, pose: Floats) -> float:
        """Less the overlap, with the mask's faces smoothed: how samples happen to meet the grid does not matter."""
        return -self._mirrored_in(self.smooth, pose)

    def _mirrored_in(self, mask: Floats, pose: Floats) -> float:
        from scipy import ndimage

        normal, offset = self.plane(pose)
        mirrored = self.points_mm - 2 * (self.points_mm @ normal - offset)[:, None] * normal
        at = (mirrored - self.start_mm) / self.step_mm + PADDING
        return float(ndimage.map_coordinates(mask, at.T, order=1, mode="constant").mean())
