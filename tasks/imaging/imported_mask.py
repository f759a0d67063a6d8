"""Masks that another tool made, on the grid of an image: DICOM SEG, NIfTI, NRRD, MetaImage.

TotalSegmentator, 3D Slicer and others find organs that no rule of this project finds. Their masks lie on grids of their
own: they are brought onto the image's by their position in mm, each voxel taking the nearest one's label.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from storage.errors import CaseError
from storage.volume import Volume
from tasks.imaging.dicom_seg import is_dicom, read_segmentation
from tasks.imaging.image_file import check_whole
from tasks.imaging.morphology import BoolArray
from tasks.imaging.resample import from_itk, resample_onto

if TYPE_CHECKING:
    import SimpleITK as sitk

Label = int | str
LEAST_OVERLAP = 0.5
"""Share of a mask that has to lie within the image: less of it, and it belongs to another one."""


def read_mask(path: Path, grid: Volume, *, labels: Sequence[Label] = (), frame_uid: str = "") -> BoolArray:
    """Read a mask onto the grid of an image.

    Parameters
    ----------
    path
        DICOM SEG, or what SimpleITK reads (``.nii``, ``.nii.gz``, ``.nrrd``, ``.mha``).
    grid
        The image; its array does not matter.
    labels
        By number, or by name (Segment Label, or the names of 3D Slicer's ``.seg.nrrd``; case ignored); several are
        united. Empty: all that is not 0.
    frame_uid
        Frame of Reference UID of the image; empty: unknown. A SEG with another one is refused.

    Returns
    -------
    numpy.ndarray
        Boolean, the grid's shape.

    Raises
    ------
    CaseError
        There is no such file or label, the file cannot be read or is cut short, or the mask is empty, of another frame
        of reference, or mostly outside of the image. The text names neither file nor patient.
    """
    if not path.is_file():
        raise CaseError("the mask of another tool was not found")
    parts = _segments(path, labels, frame_uid) if is_dicom(path) else [_labelled(path, labels)]
    if not any(part.array.any() for part in parts):
        raise CaseError("the imported mask is empty")
    _refuse_elsewhere(parts, grid)
    found = [np.asarray(resample_onto(part, grid).array) > 0 for part in parts]
    mask = np.asarray(np.logical_or.reduce(found))
    if not mask.any():
        raise CaseError("the imported mask is smaller than the voxels of the image")
    return mask


def _segments(path: Path, labels: Sequence[Label], frame_uid: str) -> list[Volume]:
    segmentation = read_segmentation(path)
    if frame_uid and segmentation.frame_uid and frame_uid != segmentation.frame_uid:
        raise CaseError("the imported mask has another frame of reference than the image")
    return [segmentation.mask(number) for number in _numbers(labels, segmentation.names)]


def _labelled(path: Path, labels: Sequence[Label]) -> Volume:
    """A label image as a mask."""
    import SimpleITK as sitk

    check_whole(path, "imported mask")
    try:
        image = sitk.ReadImage(str(path))
    except RuntimeError:
        raise CaseError("the imported mask cannot be read") from None
    if image.GetDimension() != 3 or image.GetNumberOfComponentsPerPixel() != 1:
        raise CaseError("expected an imported mask of three dimensions with one value a voxel")
    volume = from_itk(image, unit="label")
    array = volume.array != 0
    if labels:
        array = np.isin(volume.array, _numbers(labels, _names(image)))
    return volume.with_array(array.astype(np.uint8))


def _names(image: sitk.Image) -> dict[int, str]:
    """What 3D Slicer calls the labels of an image; empty elsewhere."""
    keys = [key for key in image.GetMetaDataKeys() if key.startswith("Segment") and key.endswith("_LabelValue")]
    numbers = {int(image.GetMetaData(key)): key.removesuffix("_LabelValue") for key in keys}
    return {n: image.GetMetaData(f"{key}_Name") for n, key in numbers.items() if image.HasMetaDataKey(f"{key}_Name")}


def _numbers(labels: Sequence[Label], names: Mapping[int, str]) -> list[int]:
    """Numbers of labels that are given by number or by name; all that have a name where none is given."""
    if not labels:
        return sorted(names)
    by_name = {name.strip().lower(): number for number, name in names.items()}
    numbers = []
    for label in labels:
        number = label if isinstance(label, int) else by_name.get(label.strip().lower())
        if number is None or (names and number not in names):
            choices = ", ".join(f"{n} ({name})" for n, name in sorted(names.items())) or "numbers only"
            raise CaseError(f"the imported mask has no label {label!r}; it has {choices}")
        numbers.append(number)
    return numbers


def _refuse_elsewhere(parts: Sequence[Volume], grid: Volume) -> None:
    """``CaseError`` where most of the mask lies outside of the image."""
    voxels = np.concatenate([part.to_world_mm(np.argwhere(part.array)) for part in parts])
    index = grid.to_index(voxels)
    within = ((index > -0.5) & (index < np.asarray(grid.shape) - 0.5)).all(axis=1)
    if float(within.mean()) < LEAST_OVERLAP:
        raise CaseError(f"only {100 * float(within.mean()):.0f} % of the imported mask lies within the image")
