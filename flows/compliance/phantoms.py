"""The phantoms of the standard, read as a hospital's images are: with the project's own ingest, and from NIfTI."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from storage.errors import CaseError
from storage.volume import Volume
from tasks.imaging.morphology import BoolArray


@dataclass(frozen=True, eq=False)
class Phantom:
    """An image and its region, a mask of the image's shape; ``source`` says in which form they came."""

    source: str
    image: Volume
    mask: BoolArray


def from_nifti(folder: Path, unit: str) -> Phantom:
    """What lies in ``image`` and ``mask`` of a folder, a file each. ``CaseError`` unless both are on one grid."""
    import SimpleITK as sitk

    image, mask = (sitk.ReadImage(str(_only(folder / part, "*.nii.gz"))) for part in ("image", "mask"))
    if image.GetSize() != mask.GetSize() or not np.allclose(image.GetOrigin(), mask.GetOrigin()):
        raise CaseError("image and mask of the phantom are not on one grid")
    x, y, z = image.GetSpacing()
    array = sitk.GetArrayFromImage(image).astype(np.float32)
    return Phantom("NIfTI", Volume(array, (z, y, x), unit=unit), sitk.GetArrayFromImage(mask) > 0)


def from_dicom(folder: Path) -> Phantom:
    """The series in ``image`` with the first structure of the structure set in ``mask``, its contours filled."""
    from tasks.ingest.rasterize import rasterize
    from tasks.ingest.rtstruct import read_contours
    from tasks.ingest.series import read_series

    image = read_series(sorted((folder / "image").glob("*.dcm"))).volume
    structures = read_contours(_only(folder / "mask", "*.dcm")).rois
    return Phantom("DICOM + RTSTRUCT", image, rasterize(structures[0].contours, image))


def _only(folder: Path, pattern: str) -> Path:
    found = sorted(folder.glob(pattern))
    if len(found) != 1:
        raise CaseError(f"expected one file {pattern} in '{folder.parent.name}/{folder.name}'; found {len(found)}")
    return found[0]
