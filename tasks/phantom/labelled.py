"""Generated volumes with label maps, as NIfTI: a bright organ of two parts in noise, for tests of segmentation.

The organ is two ellipsoids that touch, a ``front`` (1) brighter than the ``back`` (2); place, size and tilt differ from
case to case. Nothing about it is anatomy.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import numpy.typing as npt

from storage.volume import Triple, Volume

STRUCTURES = {"front": 1, "back": 2}
SHAPE = (24, 28, 24)
SPACING_MM: Triple = (1.5, 1.0, 1.0)
NOISE = 12.0


def labelled_volume(number: int, *, seed: int = 0) -> tuple[Volume, npt.NDArray[np.uint8]]:
    """Image in arbitrary units, float32, and its label map, ``(z, y, x)``; the same for the same number and seed."""
    rng = np.random.default_rng([seed, number])
    place = np.stack(np.meshgrid(*(np.arange(n) for n in SHAPE), indexing="ij"), axis=-1) * np.asarray(SPACING_MM)
    middle = (np.asarray(SHAPE) - 1) / 2 * np.asarray(SPACING_MM) + rng.uniform(-2.5, 2.5, 3)
    half = rng.uniform((5.0, 5.0, 4.0), (7.0, 7.0, 6.0))
    labels = np.zeros(SHAPE, dtype=np.uint8)
    for value, side in ((1, -1.0), (2, 1.0)):
        centre = middle + np.array([0.0, side * half[1] * 0.8, side * rng.uniform(-2.0, 2.0)])
        labels[(((place - centre) / half) ** 2).sum(axis=-1) <= 1] = value
    grey = np.array([60.0, 130.0, 100.0])[labels] + rng.normal(0.0, NOISE, SHAPE)
    image = grey * rng.uniform(0.5, 2.0)  # MR has no scale of its own
    return Volume(image.astype(np.float32), SPACING_MM), labels


def write_labelled_cohort(folder: Path, *, cases: int, seed: int = 0) -> list[Path]:
    """Write ``images/case_00.nii.gz`` … and label maps of the same names under ``labels``; the paths of the images."""
    import SimpleITK as sitk

    from tasks.imaging.resample import to_itk

    images = []
    for number in range(cases):
        volume, labels = labelled_volume(number, seed=seed)
        for kind, one in (("images", volume), ("labels", volume.with_array(labels, unit="label"))):
            (folder / kind).mkdir(parents=True, exist_ok=True)
            sitk.WriteImage(to_itk(one), str(folder / kind / f"case_{number:02d}.nii.gz"))
        images.append(folder / "images" / f"case_{number:02d}.nii.gz")
    return images
