"""One image and one mask as they lie on disk, for the commands that work without a store."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from storage.errors import CaseError
from storage.volume import Volume
from tasks.imaging.image_file import check_same_grid, read_image_file

if TYPE_CHECKING:
    from collections.abc import Sequence

UNITS = ("HU", "SUV", "arbitrary")


def read_image(path: Path, *, unit: str | None = None) -> Volume:
    """An image: a folder with one DICOM series of CT, PET or MR, at any depth, or a NIfTI, NRRD or MetaImage file.

    Parameters
    ----------
    unit
        Of the intensities of a file that is not DICOM, one of ``UNITS``; ``None``: ``"arbitrary"``. DICOM says it
        itself.

    Raises
    ------
    CaseError
        When there is no such image, or the folder holds several.
    """
    if path.is_dir():
        if unit is not None:
            raise CaseError("a DICOM series says its unit itself: leave the unit out")
        return _series(path)
    if path.is_file() and _is_dicom(path):
        raise CaseError("the image is a single DICOM file: give the folder of its series")
    image = _read(path, "image")
    return Volume(image.array, image.spacing_mm, image.origin_mm, image.direction, unit or "arbitrary")


def read_mask(path: Path, image: Volume, *, roi: Sequence[str] = (), label: int | None = None) -> Volume:
    """A mask on the grid of its image, unit ``"label"``, 1 inside.

    Parameters
    ----------
    path
        A DICOM structure set (RTSTRUCT) or segmentation (SEG), or a label image (NIfTI, NRRD, MetaImage) on the image's
        grid.
    roi
        Patterns of the names of a structure set's regions; all that match are joined. Empty: all there are.
    label
        Of a label image or a segmentation; ``None``: every one but 0.

    Raises
    ------
    CaseError
        When the file cannot be read, nothing matches, or the mask belongs to another grid.
    """
    if _is_dicom(path) and _modality(path) == "RTSTRUCT":
        if label is not None:
            raise CaseError("a structure set has names, not labels: choose by roi")
        return _contours(path, image, roi or ("*",))
    if roi:
        raise CaseError("the mask is no structure set: choose by label")
    if _is_dicom(path):
        from tasks.imaging.imported_mask import read_mask as read_segmentation

        inside = read_segmentation(path, image, labels=() if label is None else (label,))
        return image.with_array(inside.astype(np.uint8), unit="label")
    mask = _read(path, "mask")
    check_same_grid(mask, image)
    inside = mask.array != 0 if label is None else mask.array == label
    if label is not None and not inside.any():
        raise CaseError(f"no voxel of the mask has the value {label}; it has {_values_of(mask)}")
    return image.with_array(inside.astype(np.uint8), unit="label")


def _contours(path: Path, image: Volume, roi: Sequence[str]) -> Volume:
    from tasks.ingest.rtstruct import annotation_labels, read_contours

    labels, facts = annotation_labels(read_contours(path), image, roi)
    if not facts["rois_matched"]:
        raise CaseError(f"of {facts['rois']} regions in the structure set none is called {' or '.join(roi)}")
    return image.with_array((labels > 0).astype(np.uint8), unit="label")


def _series(folder: Path) -> Volume:
    from tasks.ingest.inbox import scan_inbox
    from tasks.ingest.series import UNITS as VOLUMES
    from tasks.ingest.series import read_series

    found = [one for one in scan_inbox(folder).series if one.modality in VOLUMES and not one.localizer]
    if len(found) != 1:
        kinds = ", ".join(f"{one.modality} of {one.slices} slices" for one in found) or "none"
        raise CaseError(f"expected one series of {' or '.join(VOLUMES)} in the folder of the image; found {kinds}")
    if found[0].suspect:
        raise CaseError(found[0].suspect)
    return read_series([file.path for file in found[0].files]).volume


def _is_dicom(path: Path) -> bool:
    from tasks.ingest.header import has_magic

    try:
        with path.open("rb") as stream:
            return has_magic(stream.read(132))
    except OSError as error:
        raise CaseError(f"{path} cannot be read: {error.strerror}") from error


def _modality(path: Path) -> str:
    import pydicom
    from pydicom.errors import InvalidDicomError

    try:
        return str(pydicom.dcmread(path, specific_tags=["Modality"], stop_before_pixels=True).get("Modality", ""))
    except (InvalidDicomError, OSError, ValueError) as error:
        raise CaseError("the mask cannot be read as DICOM") from error


def _read(path: Path, what: str) -> Volume:
    if not path.is_file():
        raise CaseError(f"there is no {what} at {path}")
    return read_image_file(path, f"{what} {path.name}")


def _values_of(mask: Volume) -> str:
    found = np.unique(mask.array)
    return ", ".join(f"{value:g}" for value in found[:8]) + (", …" if len(found) > 8 else "")
