"""What lies inside the cage beside the lungs' tissue: heart, great vessels, upper abdomen, airways, lung vessels."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from tasks.phantom.anatomy import AORTA, AORTA_RADII, Anatomy, smooth_max
from tasks.phantom.canvas import WHOLE, Canvas, Float32
from tasks.phantom.chest_wall import FAT_HU
from tasks.phantom.ellipsoid import FloatArray
from tasks.phantom.tree import Tubes, grow_tree, paint_tubes, polyline

BLOOD_HU, ORGAN_HU, AIR_HU, WALL_HU = 42.0, 55.0, -995.0, 15.0
HILUM_Z_MM = 14.0


@dataclass(frozen=True, eq=False)
class LungTrees:
    """Branching tubes of both lungs, in reference mm."""

    arteries: tuple[Tubes, Tubes]
    veins: tuple[Tubes, Tubes]
    airways: tuple[Tubes, Tubes]


def grow_lung_trees(rng: np.random.Generator, anatomy: Anatomy, *, leaves: int) -> LungTrees:
    """Arteries, veins and airways whose leaves are spread over each lung; ``leaves`` arteries end in each."""
    arteries, veins, airways = [], [], []
    for side in (-1.0, 1.0):
        cloud = _lung_points(rng, anatomy, side, count=2 * leaves)
        hilum = np.array([side * 36.0 + 2.0, 8.0, HILUM_Z_MM])
        arteries.append(grow_tree(rng, hilum, cloud[:leaves], leaf_radius_mm=0.86, exponent=0.375))
        inflow = hilum + np.array([-side * 8.0, 6.0, -26.0])
        veins.append(grow_tree(rng, inflow, cloud[leaves : leaves * 3 // 2], leaf_radius_mm=0.9, exponent=0.38))
        bronchus = hilum + np.array([0.0, 7.0, -2.0])
        airways.append(grow_tree(rng, bronchus, 0.8 * cloud[-28:] + 0.2 * hilum, leaf_radius_mm=0.95, exponent=0.4))
    return LungTrees((arteries[0], arteries[1]), (veins[0], veins[1]), (airways[0], airways[1]))


def _lung_points(rng: np.random.Generator, anatomy: Anatomy, side: float, *, count: int) -> FloatArray:
    """``count`` uniform points at least 4 mm inside one lung (side -1: right, 1: left)."""
    low, high = np.array([5.0, -110.0, -130.0]), np.array([140.0, 100.0, 140.0])
    kept = np.empty((0, 3))
    while len(kept) < count:
        points = rng.uniform(low, high, (4 * count, 3)) * (side, 1.0, 1.0)
        x, y, z = points.T.astype(np.float32)
        kept = np.concatenate([kept, points[anatomy.lungs(x, y, z) < -4.0]])
    return kept[:count]


def paint_abdomen(canvas: Canvas, cage: Float32, diaphragm: Float32) -> None:
    """Liver, spleen and stomach under the diaphragm; both fields on the whole canvas."""
    box = canvas.box((-500.0, -500.0, -500.0), (500.0, 500.0, -20.0))
    if box is None:
        return
    x, y, z = canvas.coordinates(box)
    cage, diaphragm = cage[box], diaphragm[box]
    under = smooth_max(cage + 3.0, diaphragm + 3.0, 6.0)
    canvas.paint(canvas.coverage(smooth_max(cage + 1.0, diaphragm, 4.0)), FAT_HU, box)
    canvas.paint(canvas.coverage(smooth_max(under, x - 22.0 + 0.25 * (z + 100.0) + 0.15 * y, 14.0)), 58.0, box)
    spleen = (np.sqrt(((x - 92.0) / 30.0) ** 2 + ((y - 40.0) / 42.0) ** 2 + ((z + 108.0) / 34.0) ** 2) - 1.0) * 30.0
    canvas.paint(canvas.coverage(smooth_max(under, spleen, 6.0)), 50.0, box)
    stomach = (np.sqrt(((x - 62.0) / 40.0) ** 2 + ((y + 26.0) / 42.0) ** 2 + ((z + 108.0) / 36.0) ** 2) - 1.0) * 36.0
    stomach = smooth_max(under, stomach, 6.0)
    canvas.paint(canvas.coverage(stomach), 40.0, box)
    canvas.paint(canvas.coverage(stomach + 4.0), 18.0, box)
    canvas.paint(canvas.coverage(np.maximum(stomach + 4.0, y + 34.0)), AIR_HU, box)


def paint_mediastinum(canvas: Canvas, anatomy: Anatomy, cage: Float32, heart: Float32, texture: Float32) -> None:
    """Fat with heart, aorta, pulmonary trunk, caval veins, oesophagus and lymph nodes."""
    blood = BLOOD_HU + anatomy.enhancement_hu
    box = canvas.box((-150.0, -110.0, -500.0), (150.0, 110.0, 500.0)) or WHOLE
    cage, heart, texture = cage[box], heart[box], texture[box]
    canvas.paint(canvas.coverage(cage + 1.0), FAT_HU + 12.0 * texture, box)
    canvas.paint(canvas.coverage(heart), ORGAN_HU - 8.0 + 0.4 * anatomy.enhancement_hu, box)
    canvas.paint(canvas.coverage(heart + 9.0 + 2.0 * texture), blood, box)
    for points, radii in (
        (((-26, -18, 120), (-28, -16, 60), (-30, -14, 30), (-30, -16, -10)), (8, 9.5, 10.5, 12)),
        (((24, -24, 118), (4, -26, 76), (-22, -18, 66)), (7.5, 7.5, 8.5)),
        (((8, -48, -14), (12, -36, 8), (13, -20, 20)), (15, 14.5, 14)),
        (((13, -20, 20), (-8, 0, 18), (-40, 10, 16)), (12.5, 11, 9)),
        (((13, -20, 20), (28, 0, 24), (42, 14, 19)), (12.5, 11, 8.5)),
        (((-34, 20, -20), (0, 16, -18), (34, 20, -18)), (7, 16, 7)),
        (((-10, -10, 54), (-18, -14, 88), (-28, -18, 125)), (7, 6.5, 6)),
        (((4, 2, 57), (16, -6, 90), (20, -8, 125)), (5, 4.5, 4.5)),
        (((14, 16, 56), (27, 8, 90), (30, 2, 125)), (6, 5.5, 5.5)),
    ):
        paint_tubes(canvas, polyline(points, radii), blood)
    paint_tubes(canvas, polyline(AORTA, np.asarray(AORTA_RADII) + 1.2), ORGAN_HU - 10.0)
    paint_tubes(canvas, polyline(AORTA, AORTA_RADII), blood + 0.15 * anatomy.enhancement_hu)
    paint_tubes(canvas, polyline([(7, 33, 150), (6, 34, 40), (4, 28, -20), (12, 22, -80)], [7, 7, 7.5, 8]), 38.0)
    nodes = [(-22, 6, 44), (-14, -26, 56), (4, 24, 14), (26, -14, 40), (-30, 22, 4), (30, 24, 6)]
    for node in nodes:
        paint_tubes(canvas, polyline(np.add([(0, 0, 0), (3, 2, 4)], node), [4.0, 3.5]), 40.0)


def paint_lungs(canvas: Canvas, anatomy: Anatomy, cover: Float32, textures: tuple[Float32, Float32, Float32]) -> None:
    """Aerated tissue: denser at the back, where blood pools; mottled at three scales; fissures as faint lines."""
    inside = cover > 0.0
    cover = cover[inside]
    x, y, z = (np.broadcast_to(axis, inside.shape)[inside] for axis in canvas.coordinates())
    fine, middle, coarse = (texture[inside] for texture in textures)
    hu = canvas.hu[inside]
    hu += cover * (anatomy.lung_hu + 0.32 * y + 15.0 * fine + 13.0 * middle + 12.0 * coarse - hu)
    step = float(canvas.voxel_mm[2])
    side = np.where(x < 0.0, -1.0, 1.0)
    oblique = (z + 6.0 - 5.0 * side - (0.9 + 0.07 * side) * (y + 8.0) - 0.004 * (np.abs(x) - 60.0) ** 2) * 0.72
    level = np.maximum(np.abs(z - 8.0 + 0.004 * (x + 80.0) ** 2), np.maximum(side, y + 4.0) * 1e3)
    line = np.clip(1.0 - np.minimum(np.abs(oblique), level) / step, 0.0, 1.0)
    hu += cover * line * np.float32(0.55 * min(0.9 / step, 1.0)) * (-500.0 - hu)
    canvas.hu[inside] = hu


def paint_lung_trees(canvas: Canvas, anatomy: Anatomy, trees: LungTrees, cover: Float32) -> None:
    """Vessels inside the lungs, then trachea and bronchi with their walls, everywhere."""
    for tubes in (*trees.arteries, *trees.veins):
        paint_tubes(canvas, tubes, BLOOD_HU + anatomy.enhancement_hu, within=cover)
    main = [
        polyline([(2, 6, 160), (0, 12, 90), (-1, 17, 44)], [9.2, 9.0, 9.4]),
        polyline([(-1, 17, 44), (-16, 18, 28), (-34, 15, 12)], [8.0, 7.2, 6.2]),
        polyline([(-1, 17, 44), (18, 19, 26), (38, 15, 12)], [7.4, 6.5, 5.6]),
    ]
    for tubes in (*main, *trees.airways):
        wall = 0.55 + 0.12 * tubes.start_radius
        paint_tubes(canvas, Tubes(tubes.start, tubes.end, tubes.start_radius + wall, tubes.end_radius + wall), WALL_HU)
    for tubes in (*main, *trees.airways):
        paint_tubes(canvas, tubes, AIR_HU)
