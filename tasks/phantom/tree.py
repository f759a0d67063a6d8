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
    rng: np.random.Generator, root: npt.ArrayLike, leaves: FloatArray, *, leaf_radius_mm: float, exponent: float = 0.4
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
    cover = tube_coverage(canvas, tubes)
    canvas.paint(cover if within is None else cover * within, hu)


def tube_coverage(canvas: Canvas, tubes: Tubes) -> Float32:
    """Share of each voxel of the whole grid inside any of the tubes."""
    cover = np.zeros(canvas.hu.shape, dtype=np.float32)
    blur = float(canvas.voxel_mm[2])
    for a, b, r0, r1 in zip(tubes.start, tubes.end, tubes.start_radius, tubes.end_radius, strict=True):
        reach = max(r0, r1) + blur / 2.0
        box = canvas.box(np.minimum(a, b) - reach, np.maximum(a, b) + reach)
        if box is not None:
            part = cover[box]
            np.maximum(part, _one_tube(canvas, box, a, b, (r0, r1), blur), out=part)
    return cover


def _one_tube(
    canvas: Canvas, box: Box, a: FloatArray, b: FloatArray, radii: tuple[float, float], blur: float
) -> FloatArray:
    """Coverage of a box by one tube. Its edge ramps over ``blur``; thick slices are averaged from thin ones."""
    sub = (canvas.sub_slices, 1, 1)
    x, y, z = canvas.coordinates(box, sub)
    dx, dy, dz = (np.float32(v) for v in b - a)
    px, py, pz = x - np.float32(a[0]), y - np.float32(a[1]), z - np.float32(a[2])
    along = np.clip((px * dx + py * dy + pz * dz) / np.float32(dx * dx + dy * dy + dz * dz + 1e-9), 0.0, 1.0)
    distance = np.sqrt((px - along * dx) ** 2 + (py - along * dy) ** 2 + (pz - along * dz) ** 2)
    radius = np.float32(radii[0]) + along * np.float32(radii[1] - radii[0])
    ramp = np.clip(0.5 + (radius - distance) / np.float32(blur), 0.0, 1.0)
    return block_mean(ramp * _area_share(sum(radii) / 2.0, blur), sub)


def _area_share(radius: float, blur: float) -> np.float32:
    """What the ramp must be multiplied by so that the cross-section keeps the area π r² of the tube."""
    if radius >= blur / 2.0:
        return np.float32(radius**2 / (radius**2 + blur**2 / 12.0))
    return np.float32(radius**2 * 3.0 * blur / (radius + blur / 2.0) ** 3)
