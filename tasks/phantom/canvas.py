"""The grid that a phantom is painted on.

Anatomy is described once, for a *reference* patient: LPS axes in mm, origin in the middle of the chest, an adult who
fills a field of 360 × 360 × 290 mm. A canvas knows where each of its voxels lies in that patient, whatever the
spacing, the size of the patient and the orientation of the slices. *Fields* are signed distances in reference mm,
negative inside; *coverage* is the share (0–1) of a voxel that a shape fills. Painting mixes by coverage, so that edges
show the partial volume of a real scanner.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from storage.volume import IDENTITY_DIRECTION, Triple, Volume
from tasks.phantom.ellipsoid import Ellipsoid, FloatArray, Matrix3

Float32 = npt.NDArray[np.float32]
Box = tuple[slice, slice, slice]
Coordinates = tuple[Float32, Float32, Float32]

WHOLE: Box = (slice(None), slice(None), slice(None))


class Canvas:
    """Hounsfield units on a grid around the patient's centre.

    Parameters
    ----------
    shape
        Voxels along ``(z, y, x)``.
    spacing_mm
        Voxel spacing ``(z, y, x)`` in mm.
    scale
        Size of this patient relative to the reference patient along LPS ``(x, y, z)``.
    center_mm
        LPS position of the patient's centre, which is the grid's centre.
    direction
        As in :class:`storage.volume.Volume`; oblique grids cut the same patient obliquely.
    """

    def __init__(
        self,
        shape: tuple[int, int, int],
        spacing_mm: Triple,
        *,
        scale: Triple = (1.0, 1.0, 1.0),
        center_mm: Triple = (0.0, 0.0, 0.0),
        direction: Matrix3 = IDENTITY_DIRECTION,
    ) -> None:
        half = (np.asarray(shape) - 1) / 2.0 * np.asarray(spacing_mm)
        x, y, z = np.asarray(center_mm) - np.asarray(direction, dtype=float) @ half
        air = np.full(shape, -1000.0, dtype=np.float32)
        self.volume = Volume(air, spacing_mm, (float(x), float(y), float(z)), direction, "HU")
        self.hu: Float32 = air
        self.scale = np.asarray(scale, dtype=float)
        self.center_mm = np.asarray(center_mm, dtype=float)
        to_patient = self.volume.affine[:3, :3] / self.scale[:, None]
        self._step = to_patient
        self._start = (np.asarray(self.volume.origin_mm) - self.center_mm) / self.scale
        self._upright = bool(np.allclose(np.asarray(direction), np.asarray(IDENTITY_DIRECTION)))
        self._lines: dict[tuple[int, int], Float32] = {}
        self._inverse = np.linalg.inv(to_patient)
        self.voxel_mm = np.linalg.norm(to_patient, axis=0)
        self.sub_slices = max(1, round(float(self.voxel_mm[0] / self.voxel_mm[2])))

    def to_patient(self, world_mm: npt.ArrayLike) -> FloatArray:
        """Reference positions ``(…, 3)`` of LPS positions in mm."""
        return np.asarray((np.asarray(world_mm, dtype=float) - self.center_mm) / self.scale)

    def to_world_mm(self, patient: npt.ArrayLike) -> FloatArray:
        """LPS positions in mm of reference positions ``(…, 3)``."""
        return np.asarray(np.asarray(patient, dtype=float) * self.scale + self.center_mm)

    def coordinates(self, box: Box = WHOLE, sub: tuple[int, int, int] = (1, 1, 1)) -> Coordinates:
        """Reference ``x, y, z`` of the voxels of a box, broadcastable to its shape.

        ``sub`` asks for that many evenly spread sub-voxels along ``(z, y, x)``.
        """
        along_z, along_y, along_x = (
            self._offsets(axis, count)[(part.start or 0) * count : None if part.stop is None else part.stop * count]
            for axis, (part, count) in enumerate(zip(box, sub, strict=True))
        )
        if self._upright:
            return along_x[None, None, :, 0], along_y[None, :, None, 1], along_z[:, None, None, 2]
        x, y, z = np.moveaxis(along_z[:, None, None] + along_y[None, :, None] + along_x[None, None, :], -1, 0)
        return x, y, z

    def _offsets(self, axis: int, sub: int) -> Float32:
        """What the sub-voxels of one array axis add to the reference ``(x, y, z)``; together they hold the start."""
        if (axis, sub) not in self._lines:
            ticks = -0.5 + (np.arange(self.hu.shape[axis] * sub) + 0.5) / sub
            line = ticks[:, None] * self._step[:, axis]
            line[:, 2 - axis] += self._start[2 - axis]
            self._lines[axis, sub] = line.astype(np.float32)
        return self._lines[axis, sub]

    def box(self, low: npt.ArrayLike, high: npt.ArrayLike) -> Box | None:
        """The voxels that the reference box ``[low, high]`` can touch; ``None`` when it lies off the canvas."""
        return self.boxes(np.asarray(low, dtype=float)[None], np.asarray(high, dtype=float)[None])[0]

    def boxes(self, low: FloatArray, high: FloatArray) -> list[Box | None]:
        """:meth:`box` for every row of ``low`` and ``high``, both ``(n, 3)``."""
        middle = ((low + high) / 2.0 - self._start) @ self._inverse.T
        reach = (high - low) / 2.0 @ np.abs(self._inverse).T + 1.0
        first = np.maximum(np.floor(middle - reach), 0).astype(int)
        last = np.minimum(np.ceil(middle + reach) + 1, self.hu.shape).astype(int)
        return [
            (slice(a[0], b[0]), slice(a[1], b[1]), slice(a[2], b[2]))
            if a[0] < b[0] and a[1] < b[1] and a[2] < b[2]
            else None
            for a, b in zip(first.tolist(), last.tolist(), strict=True)
        ]

    def coverage(self, field: Float32) -> Float32:
        """Share of each voxel inside a field on the whole grid, from the field's change across the voxel."""
        out = np.empty_like(field)
        for k in range(len(field)):
            here = field[k]
            above, below = field[min(k + 1, len(field) - 1)], field[max(k - 1, 0)]
            width = ((above - below) / 2.0) ** 2
            width[1:-1] += ((here[2:] - here[:-2]) / 2.0) ** 2
            width[:, 1:-1] += ((here[:, 2:] - here[:, :-2]) / 2.0) ** 2
            np.clip(0.5 - here / (np.sqrt(width) + 1e-3), 0.0, 1.0, out=out[k])
        return out

    def paint(self, coverage: Any, hu: Any, box: Box = WHOLE) -> None:
        """Mix ``hu`` into a box by coverage, in place."""
        part = self.hu[box]
        part += coverage * (hu - part)

    def paint_ellipsoid(self, ellipsoid: Ellipsoid, hu: float, *, soft_mm: float = 0.6) -> None:
        """Mix in an ellipsoid given in LPS mm, with an edge that falls off over ``soft_mm``."""
        centre, half = np.asarray(ellipsoid.center_mm), np.asarray(ellipsoid.half_extent_mm) + soft_mm
        box = self.box(self.to_patient(centre - half), self.to_patient(centre + half))
        if box is not None:
            self.paint(self.ellipsoid_coverage(ellipsoid, box, soft_mm=soft_mm), hu, box)

    def ellipsoid_coverage(self, ellipsoid: Ellipsoid, box: Box = WHOLE, *, soft_mm: float = 0.6) -> FloatArray:
        """Share of each voxel of a box inside an ellipsoid, averaged over sub-voxels of at most 0.4 mm."""
        sub_z, sub_y, sub_x = (max(1, int(np.ceil(s / 0.4))) for s in self.volume.spacing_mm)
        world = self.to_world_mm(np.stack(np.broadcast_arrays(*self.coordinates(box, (sub_z, sub_y, sub_x))), axis=-1))
        depth_mm = (1.0 - ellipsoid.radius(world)) * min(ellipsoid.semi_axes_mm)
        return block_mean(np.clip(0.5 + depth_mm / soft_mm, 0.0, 1.0), (sub_z, sub_y, sub_x))


def block_mean(array: FloatArray, sub: tuple[int, int, int]) -> FloatArray:
    """Mean over blocks of ``sub`` sub-voxels along ``(z, y, x)``."""
    if sub == (1, 1, 1):
        return array
    z, y, x = (n // k for n, k in zip(array.shape, sub, strict=True))
    return np.asarray(array.reshape(z, sub[0], y, sub[1], x, sub[2]).mean(axis=(1, 3, 5)))
