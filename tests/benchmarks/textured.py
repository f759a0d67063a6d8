"""Regions like tumours, made from formulas: smoothed noise in an ellipsoid, the same on every machine."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from tests.benchmarks.row import Array

SHAPE = (60, 201, 204)
SPACING_MM = (3.0, 0.977, 0.977)
MEAN_HU, SPREAD_HU, AIR_HU = 20.0, 40.0, -800.0


def smooth_noise(shape: tuple[int, ...], sigma: float, seed: int = 0) -> Array:
    """Noise of mean 0 and standard deviation 1 that is alike within ``sigma`` voxels; float32."""
    from scipy import ndimage

    noise = ndimage.gaussian_filter(np.random.default_rng(seed).standard_normal(shape, dtype=np.float32), sigma)
    return (noise - noise.mean()) / noise.std()


def ellipsoid(shape: tuple[int, ...], voxels: int) -> Array:
    """So many voxels, those nearest to the centre in an array of this shape, each axis by its own length."""
    axes = np.ogrid[tuple(slice(-1, 1, complex(0, n)) for n in shape)]
    distance = sum(axis**2 for axis in axes)
    return distance <= np.partition(distance.ravel(), voxels - 1)[voxels - 1]


def textured_region(shape: tuple[int, ...], voxels: int) -> tuple[Array, Array]:
    """Image (float32, whole HU) and mask."""
    hu = MEAN_HU + SPREAD_HU * smooth_noise(shape, 1.5)
    return np.rint(hu), ellipsoid(shape, voxels)


def write_tumour(folder: Path) -> tuple[Path, Path]:
    """A CT with a contoured tumour of 354 ml as DICOM: the folder of the series, and the file of the contours."""
    from storage.volume import Volume
    from tasks.phantom.dicom import Study, write_ct_series
    from tasks.phantom.ellipsoid import Ellipsoid
    from tasks.phantom.rtstruct import write_rtstruct

    z, y, x = (np.linspace(-1, 1, n) for n in SHAPE)
    around = (z[:, None, None] ** 2 + y[:, None] ** 2 + x**2) > 0.7
    hu = np.rint(np.where(around, AIR_HU, MEAN_HU) + SPREAD_HU * smooth_noise(SHAPE, 1.5)).astype(np.int16)
    volume = Volume(hu, SPACING_MM, unit="HU")
    centre = volume.to_world_mm((np.asarray(SHAPE) - 1) / 2)
    study = Study(seed_text="benchmark", patient_name="TEXTURED^TUMOUR", patient_id="BENCHMARK")
    files = [folder / "image" / f"{k:03d}.dcm" for k in range(SHAPE[0])]
    series = write_ct_series(volume, study, files)
    tumour = Ellipsoid((float(centre[0]), float(centre[1]), float(centre[2])), (45.0, 45.0, 41.7))
    write_rtstruct(volume, series, [tumour], folder / "mask" / "contours.dcm")
    return folder / "image", folder / "mask" / "contours.dcm"
