"""A chest CT that never was: a patient painted on a grid, with nodules of exactly known shape.

It looks like a chest (fat, muscle, ribs, spine, heart, great vessels, airways, branching lung vessels, fissures, couch,
grain), so that a detector has to tell nodules from vessels, pleura and hila; and it carries the truth analytically.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from storage.volume import IDENTITY_DIRECTION, Triple, Volume
from tasks.phantom.anatomy import Anatomy, draw_anatomy
from tasks.phantom.canvas import Canvas, Float32
from tasks.phantom.chest_wall import paint_chest_wall, paint_couch, paint_spine
from tasks.phantom.ellipsoid import Matrix3
from tasks.phantom.nodules import Nodule, place_nodules
from tasks.phantom.organs import (
    LungTrees,
    grow_lung_trees,
    paint_abdomen,
    paint_lung_trees,
    paint_lungs,
    paint_mediastinum,
)
from tasks.phantom.texture import scanner_noise, smooth_noise

REFERENCE_FIELD_MM: Triple = (360.0, 360.0, 290.0)
"""Field of view along LPS ``(x, y, z)`` that the reference patient fills."""
HU_RANGE = (-1024, 3071)


@dataclass(frozen=True, eq=False)
class ThoraxPhantom:
    """A generated chest CT and its truth.

    Attributes
    ----------
    volume
        int16 HU, axes ``zyx``, with its place in LPS mm.
    lungs
        Boolean, same shape: both lungs with all that lies in them.
    nodules
        In the order in which they were placed.
    """

    volume: Volume
    lungs: npt.NDArray[np.bool_]
    nodules: tuple[Nodule, ...]

    @property
    def hu(self) -> npt.NDArray[Any]:
        """The int16 array of Hounsfield units, ``zyx``."""
        return self.volume.array


def thorax(
    rng: np.random.Generator,
    *,
    shape: tuple[int, int, int],
    spacing_mm: Triple,
    nodules: int = 1,
    diameter_mm: tuple[float, float] = (6.0, 30.0),
    noise_hu: float = 25.0,
    couch: bool = True,
    direction: Matrix3 = IDENTITY_DIRECTION,
    center_mm: Triple = (0.0, 0.0, 0.0),
) -> ThoraxPhantom:
    """Generate a chest CT whose patient fills the field of view.

    Parameters
    ----------
    rng
        Draws the patient, the nodules and the noise, from streams of their own that it spawns.
    shape, spacing_mm
        Grid, ``(z, y, x)``, spacing in mm. A smaller field of view holds a smaller patient.
    nodules
        How many solid nodules, in the lungs.
    diameter_mm
        Smallest and largest nodule diameter.
    noise_hu
        Standard deviation of the scanner's noise in soft tissue, in HU; 0 for none.
    couch
        Whether the patient lies on one.
    direction, center_mm
        Orientation of the grid (columns: LPS unit vectors along z, y, x) and LPS position of its centre, in mm. The
        patient's own axes stay LPS: an oblique grid shows oblique slices.

    Raises
    ------
    ValueError
        When the lungs shown have no room for the nodules.
    """
    # The array axis that runs most nearly along each of the patient's axes decides the patient's size there.
    field_mm = (np.asarray(shape) * spacing_mm)[np.abs(np.asarray(direction)).argmax(axis=1)]
    x, y, z = (float(v) for v in field_mm / REFERENCE_FIELD_MM)
    canvas = Canvas(shape, spacing_mm, scale=(x, y, z), center_mm=center_mm, direction=direction)
    # Each its own stream: the same patient with and without nodules differs in the nodules only.
    patient_rng, nodule_rng, tissue_rng, noise_rng = rng.spawn(4)
    anatomy = draw_anatomy(patient_rng)
    # On coarse grids the finest vessels would vanish in partial volume: they are not grown.
    leaves = int(np.clip(420.0 * (2.0 / canvas.voxel_mm[2]) ** 2, 130.0, 420.0))
    trees = grow_lung_trees(patient_rng, anatomy, leaves=leaves)
    placed = place_nodules(nodule_rng, canvas, anatomy, trees, count=nodules, diameter_mm=diameter_mm)
    lungs = _paint_patient(tissue_rng, canvas, anatomy, trees, couch=couch)
    for nodule in placed:
        canvas.paint_ellipsoid(nodule.ellipsoid, nodule.hu)
    hu = _scan(noise_rng, canvas, noise_hu=noise_hu)
    return ThoraxPhantom(canvas.volume.with_array(hu), lungs < 0.0, placed)


def _paint_patient(
    rng: np.random.Generator, canvas: Canvas, anatomy: Anatomy, trees: LungTrees, *, couch: bool
) -> Float32:
    """Paint everything but the nodules, from the outside in; returns the lungs' field."""
    x, y, z = canvas.coordinates()
    spacing = canvas.volume.spacing_mm
    fine, middle, coarse = (
        smooth_noise(rng, canvas.volume.shape, spacing, scale_mm=scale) for scale in (3.0, 7.0, 22.0)
    )
    cage, heart, diaphragm = anatomy.cage(x, y, z), anatomy.heart(x, y, z), anatomy.diaphragm(x, y, z)
    lungs = anatomy.lungs_between(x, y, z, cage, heart, diaphragm)
    if couch:
        paint_couch(canvas, anatomy)
    paint_chest_wall(canvas, anatomy, cage, middle)
    paint_mediastinum(canvas, anatomy, cage, heart, middle)
    paint_spine(canvas)
    paint_abdomen(canvas, cage, diaphragm)
    cover = canvas.coverage(lungs)
    paint_lungs(canvas, anatomy, cover, (fine, middle, coarse))
    paint_lung_trees(canvas, anatomy, trees, cover)
    return lungs


def _scan(rng: np.random.Generator, canvas: Canvas, *, noise_hu: float) -> npt.NDArray[np.int16]:
    """What a scanner makes of the canvas: a slight in-plane blur, noise, whole numbers."""
    hu: Float32 = ndimage.gaussian_filter(canvas.hu, (0.0, 0.45, 0.45), truncate=3.0)
    if noise_hu > 0.0:
        # Fewer photons arrive through the middle of the body, and fewest through the shoulders.
        x, y, z = canvas.coordinates()
        depth = np.exp(-((x / 130.0) ** 2) - (y / 110.0) ** 2) + 0.35 * np.clip((z - 70.0) / 60.0, 0.0, 1.0)
        grain = scanner_noise(rng, canvas.volume.shape, canvas.volume.spacing_mm, noise_hu=noise_hu)
        hu = hu + grain * (0.55 + 0.5 * depth)
    return np.clip(np.rint(hu), *HU_RANGE).astype(np.int16)
