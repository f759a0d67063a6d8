"""What surrounds the lungs: skin, fat, muscles, ribs, sternum, shoulder blades, spine, and the couch below."""

from __future__ import annotations

import numpy as np

from tasks.phantom.anatomy import CAGE_CENTER_Y, SPINE_Y, Anatomy
from tasks.phantom.canvas import Canvas, Float32
from tasks.phantom.tree import paint_tubes, polyline

FAT_HU, MUSCLE_HU, SKIN_HU = -102.0, 54.0, 10.0
MARROW_HU, CORTEX_HU, CARTILAGE_HU = 190.0, 720.0, 105.0
RIB_PITCH_MM, VERTEBRA_PITCH_MM = 29.0, 23.0


def paint_chest_wall(canvas: Canvas, anatomy: Anatomy, cage: Float32, texture: Float32) -> None:
    """Paint the body outside the cage.

    Parameters
    ----------
    canvas
        Holds air; painted in place.
    anatomy
        The patient.
    cage
        ``anatomy.cage`` on the whole canvas.
    texture
        Unit noise on the whole canvas: streaks of fat between the muscles.
    """
    x, y, z = canvas.coordinates()
    body = anatomy.body(x, y, z)
    canvas.paint(canvas.coverage(body), SKIN_HU)
    canvas.paint(canvas.coverage(body + 2.0), FAT_HU)
    around = np.arctan2(np.abs(x), y - CAGE_CENTER_Y)
    _paint_muscles(canvas, anatomy, body, cage, around, texture)
    _paint_ribs(canvas, cage, around, z)
    _paint_blades(canvas, cage, around, z)
    _paint_sternum(canvas, anatomy)


def _paint_muscles(
    canvas: Canvas, anatomy: Anatomy, body: Float32, cage: Float32, around: Float32, texture: Float32
) -> None:
    """Muscle between cage and subcutaneous fat, thick behind and at the shoulders; thin sheets of fat inside it."""
    _, _, z = canvas.coordinates()
    shoulder = np.clip((z - 10.0) / 80.0, 0.0, 1.0)
    thick = 9.0 + 16.0 * np.exp(-((around / 0.5) ** 2)) + 8.0 * np.exp(-(((around - 1.25) / 0.6) ** 2))
    thick = thick + 26.0 * shoulder * np.exp(-(((around - 1.15) / 0.7) ** 2))
    front = np.exp(-(((z - 48.0) / 48.0) ** 2))
    thick = thick + 13.0 * front * np.exp(-(((around - 2.25) / 0.42) ** 2))
    sheet = np.maximum(body + 2.0 + 0.5 * anatomy.fat_mm, cage - thick)
    muscle = canvas.coverage(sheet)
    canvas.paint(muscle, MUSCLE_HU + 6.0 * texture)
    layers = np.abs(np.sin((cage - 4.0) / 9.5 + 1.1 * texture)) < 0.17
    canvas.paint(muscle * (layers & (cage > 10.0)), FAT_HU + 35.0)


def _paint_ribs(canvas: Canvas, cage: Float32, around: Float32, z: Float32) -> None:
    """Ribs that slope down from the spine, with a hard rim; cartilage in front. Muscle fills the gaps."""
    near = (cage > -2.0) & (cage < 12.0)
    depth, angle, height = cage[near], np.broadcast_to(around, cage.shape)[near], np.broadcast_to(z, cage.shape)[near]
    drop = 62.0 * (1.0 - np.cos(np.clip(angle, 0.0, 2.6)))
    phase = (height + drop) / RIB_PITCH_MM
    off = (phase - np.round(phase)) * RIB_PITCH_MM * 0.8
    rib = (np.sqrt((off / 5.4) ** 2 + ((depth - 4.4) / 3.4) ** 2) - 1.0) * 3.9
    edge = np.float32(max(canvas.voxel_mm[2], 0.35 * canvas.voxel_mm[0]))
    inside = np.clip(0.5 - rib / edge, 0.0, 1.0)
    rim = inside * np.clip(1.15 - np.abs(rib + 0.9) / (0.9 + edge / 2.0), 0.0, 1.0)
    bony = np.clip((2.35 - angle) / 0.1, 0.0, 1.0) * np.clip((angle - 0.28) / 0.05, 0.0, 1.0)
    soft = np.clip((2.92 - angle) / 0.1, 0.0, 1.0) * (angle > 2.2)
    hu = canvas.hu[near]
    hu += np.clip((11.0 - depth) / 3.0, 0.0, 1.0) * 0.8 * (MUSCLE_HU - 20.0 - hu)
    hu += inside * np.maximum(bony, soft) * (np.where(bony > 0.5, MARROW_HU, CARTILAGE_HU) - hu)
    hu += 0.75 * rim * bony * (CORTEX_HU - hu)
    canvas.hu[near] = hu


def _paint_blades(canvas: Canvas, cage: Float32, around: Float32, z: Float32) -> None:
    """Shoulder blades: thin curved plates behind the upper ribs, with a ridge."""
    height = np.broadcast_to(z, cage.shape)
    span = np.abs(around - (0.92 - 0.0016 * (z - 70.0))) * 118.0 - np.clip((z - 2.0) * 0.6, 4.0, 26.0)
    plate = np.maximum(np.abs(cage - 17.0) - 2.2, np.maximum(span, np.abs(height - 74.0) - 66.0))
    ridge = np.maximum(np.abs(height - 100.0 - 20.0 * (around - 0.9)) - 4.0, np.abs(cage - 25.0) - 7.0)
    canvas.paint(canvas.coverage(np.minimum(plate, np.maximum(span, ridge))), MARROW_HU + 260.0)


def _paint_sternum(canvas: Canvas, anatomy: Anatomy) -> None:
    """Breast bone in front of the midline, and the collar bones."""
    front = CAGE_CENTER_Y - anatomy.cage_half_mm[1]
    box = canvas.box((-30.0, front - 30.0, -75.0), (30.0, front + 60.0, 125.0))
    if box is not None:
        x, y, z = canvas.coordinates(box)
        center_y, _, half_y = anatomy.cage_outline(z)
        middle = center_y - half_y - 7.0
        half = 13.0 + 10.0 * np.clip((z - 45.0) / 25.0, 0.0, 1.0)
        flat = np.sqrt((x / half) ** 2 + ((y - middle) / 5.8) ** 2) - 1.0
        field = np.maximum(flat * 5.8, np.maximum(-60.0 - z, z - 92.0))
        cover = np.clip(0.5 - field / canvas.voxel_mm[2], 0.0, 1.0)
        canvas.paint(cover, MARROW_HU - 60.0, box)
        canvas.paint(cover * np.clip(1.0 - np.abs(field + 1.0) / 1.8, 0.0, 1.0), CORTEX_HU - 200.0, box)
    for side in (-1.0, 1.0):
        bone = polyline(
            [(side * 20, -52, 96), (side * 55, -56, 108), (side * 95, -36, 122), (side * 130, -10, 132)], [7, 5.5, 5, 6]
        )
        paint_tubes(canvas, bone, CORTEX_HU - 120.0)
        paint_tubes(canvas, bone.grown(-2.2), MARROW_HU)


def paint_spine(canvas: Canvas) -> None:
    """Vertebrae with discs, canal, arch, transverse and spinous processes."""
    box = canvas.box((-46.0, SPINE_Y - 24.0, -400.0), (46.0, SPINE_Y + 62.0, 400.0))
    if box is None:
        return
    x, y, z = canvas.coordinates(box)
    y = y - SPINE_Y - 0.0009 * (z + 20.0) ** 2 * np.where(z > -20.0, -0.6, -0.35)
    phase = z / VERTEBRA_PITCH_MM
    off = (phase - np.round(phase)) * VERTEBRA_PITCH_MM
    edge = canvas.voxel_mm[2]

    def fill(field: Float32, hu: float) -> None:
        canvas.paint(np.clip(0.5 - field / edge, 0.0, 1.0), hu, box)

    waist = 1.0 - 0.07 * np.cos(off / VERTEBRA_PITCH_MM * 2.0 * np.pi)
    column = (np.sqrt((x / (17.5 * waist)) ** 2 + (y / (14.5 * waist)) ** 2) - 1.0) * 15.0
    arch_x, arch_y = np.abs(x), y - 23.0
    ring = np.abs(np.sqrt(arch_x**2 + arch_y**2) - 11.0) - 2.4
    transverse = np.maximum(np.maximum(np.abs(arch_y - 0.18 * arch_x) - 4.5, arch_x - 33.0), 8.0 - arch_x)
    spinous = np.maximum(np.maximum(np.abs(x) - 2.8, 11.0 - arch_y), arch_y - 22.0)
    sloping = ((z + 0.9 * (arch_y - 10.0)) / VERTEBRA_PITCH_MM) % 1.0
    rounded = np.abs(off) - 5.5
    fill(np.maximum(ring, np.abs(off) - 9.0), CORTEX_HU - 330.0)
    fill(np.maximum(transverse, rounded), MARROW_HU + 190.0)
    fill(np.maximum(spinous, (np.abs(sloping - 0.5) - 0.3) * VERTEBRA_PITCH_MM), MARROW_HU + 210.0)
    fill(np.sqrt(arch_x**2 + arch_y**2) - 8.6, 22.0)
    fill(column, 75.0)
    bone = np.maximum(column, np.abs(off) - 9.4)
    fill(bone, CORTEX_HU - 330.0)
    fill(bone + 1.8, MARROW_HU)


def paint_couch(canvas: Canvas, anatomy: Anatomy) -> None:
    """A curved couch: thin shells with foam between, under the back."""
    box = canvas.box((-210.0, 90.0, -500.0), (210.0, 170.0, 500.0))
    if box is None:
        return
    x, y, z = canvas.coordinates(box)
    sag = y - (anatomy.body_half_mm[1] + 6.0) + (x / 30.0) ** 2 * 0.62
    wide = np.maximum(np.abs(x) - 205.0, 0.0 * z)
    shell = np.maximum(np.minimum(np.abs(sag) - 0.7, np.abs(sag - 26.0 + (x / 30.0) ** 2 * 0.25) - 0.7), wide)
    foam = np.maximum(np.maximum(-sag, sag - 26.0 + (x / 30.0) ** 2 * 0.25), wide)
    step = canvas.voxel_mm[2]
    canvas.paint(np.clip(0.5 - foam / step, 0.0, 1.0), -965.0, box)
    canvas.paint(np.clip(0.5 - shell / step, 0.0, 1.0), -330.0, box)
