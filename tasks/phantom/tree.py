"""Branching tubes: pulmonary arteries and veins, and the airways.

A tree grows from a root to a cloud of *leaves*: walk part of the way to the middle of the leaves, split them in two
along their widest axis, repeat. The tubes fill the lung as vessels do, each vessel carrying about half of the leaves
of its parent. The radius follows a power of the number of leaves carried (Murray's law has 1/3,
doi:10.1073/pnas.12.3.207; 0.4 looks more like a lung, whose arteries stay wide into the hilum).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from tasks.phantom.canvas import Box, Canvas, Float32, block_mean
from tasks.phantom.ellipsoid import FloatArray


@dataclass(frozen=True, eq=False)
class Tubes:
    """Tapering straight tubes in reference mm: ``start`` and ``end`` are ``(n, 3)``, the radii ``(n,)``."""

    start: FloatArray
    end: FloatArray
    start_radius: FloatArray
    end_radius: FloatArray

    def __len__(self) -> int:
        return len(self.start)

    def grown(self, by_mm: float) -> Tubes:
        """The same tubes with a radius larger by ``by_mm``."""
        return Tubes(self.start, self.end, self.start_radius + by_mm, self.end_radius + by_mm)


def polyline(points: npt.ArrayLike, radii: npt.ArrayLike) -> Tubes:
    """Tubes along a line of points ``(n, 3)`` with one radius per point, in reference mm."""
    points, radii = np.asarray(points, dtype=float), np.asarray(radii, dtype=float)
    return Tubes(points[:-1], points[1:], radii[:-1], radii[1:])


def grow_tree(
    rng: np.random.Generator, root: npt.ArrayLike, leaves: FloatArray, *, leaf_radius_mm: float, exponent: float
) -> Tubes:
    """Grow a tree from ``root`` to every leaf.

    Parameters
    ----------
    rng
        Bends the tubes.
    root
        Reference ``(x, y, z)`` in mm.
    leaves
        ``(n, 3)`` reference positions in mm, n ≥ 1.
    leaf_radius_mm
        Radius of a tube that carries one leaf, in reference mm.
    exponent
        Radius = ``leaf_radius_mm · leaves carried ** exponent``.
    """
    rows: list[tuple[FloatArray, FloatArray, int]] = []
    waiting = [(np.asarray(root, dtype=float), leaves)]
    while waiting:
        origin, cloud = waiting.pop()
        if len(cloud) == 1:
            rows.append((origin, cloud[0], 1))
            continue
        branch = origin + 0.42 * (cloud.mean(axis=0) - origin)
        rows.append((origin, branch, len(cloud)))
        order = np.argsort(cloud[:, np.ptp(cloud, axis=0).argmax()], kind="stable")
        half = len(order) // 2
        waiting += [(branch, cloud[order[:half]]), (branch, cloud[order[half:]])]
    start, end = np.stack([r[0] for r in rows]), np.stack([r[1] for r in rows])
    radius = leaf_radius_mm * np.asarray([r[2] for r in rows], dtype=float) ** exponent
    return _bend(rng, start, end, radius)


def _bend(rng: np.random.Generator, start: FloatArray, end: FloatArray, radius: FloatArray) -> Tubes:
    """Break each tube in two at a point pushed aside by about a tenth of its length; taper by a tenth."""
    length = np.linalg.norm(end - start, axis=1, keepdims=True)
    middle = (start + end) / 2.0 + rng.normal(0.0, 0.07, start.shape) * length
    return Tubes(
        np.concatenate([start, middle]),
        np.concatenate([middle, end]),
        np.concatenate([radius, 0.95 * radius]),
        np.concatenate([0.95 * radius, 0.88 * radius]),
    )


def paint_tubes(canvas: Canvas, tubes: Tubes, hu: float, within: Float32 | None = None) -> None:
    """Mix tubes into the canvas; ``within`` (coverage on the whole grid) keeps them inside e.g. the lungs."""
    reach = np.maximum(tubes.start_radius, tubes.end_radius)[:, None] + canvas.voxel_mm[2] / 2.0
    low, high = np.minimum(tubes.start, tubes.end) - reach, np.maximum(tubes.start, tubes.end) + reach
    around = canvas.box(low.min(axis=0), high.max(axis=0))
    if around is None:
        return
    cover = np.zeros(canvas.hu.shape, dtype=np.float32)
    for i, box in enumerate(canvas.boxes(low, high)):
        if box is not None:
            part = cover[box]
            np.maximum(part, _tube_coverage(canvas, tubes, i, box), out=part)
    canvas.paint(cover[around] if within is None else cover[around] * within[around], hu, around)


def _tube_coverage(canvas: Canvas, tubes: Tubes, i: int, box: Box) -> FloatArray:
    """Share of each voxel of a box in tube ``i``: its edge ramps over a voxel, thick slices are means of thin ones."""
    blur = float(canvas.voxel_mm[2])
    sub = (canvas.sub_slices, 1, 1)
    x, y, z = canvas.coordinates(box, sub)
    ax, ay, az = tubes.start[i].tolist()
    bx, by, bz = tubes.end[i].tolist()
    dx, dy, dz, r0, r1 = bx - ax, by - ay, bz - az, float(tubes.start_radius[i]), float(tubes.end_radius[i])
    px, py, pz = x - ax, y - ay, z - az
    scale = 1.0 / (dx * dx + dy * dy + dz * dz + 1e-9)
    along = (px * (dx * scale) + py * (dy * scale) + pz * (dz * scale)).clip(0.0, 1.0)
    square = (px * px + py * py + pz * pz) - along * (2.0 * (px * dx + py * dy + pz * dz) - along / scale)
    depth = (r0 + along * (r1 - r0)) - np.sqrt(square.clip(0.0))
    ramp = (depth * (1.0 / blur) + 0.5).clip(0.0, 1.0)
    return block_mean(ramp * _area_share((r0 + r1) / 2.0, blur), sub)


def _area_share(radius: float, blur: float) -> float:
    """What the ramp must be multiplied by so that the cross-section keeps the area π r² of the tube."""
    if radius >= blur / 2.0:
        return radius**2 / (radius**2 + blur**2 / 12.0)
    return radius**2 * 3.0 * blur / (radius + blur / 2.0) ** 3
