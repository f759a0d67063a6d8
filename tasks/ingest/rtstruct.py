"""Contours that somebody drew: DICOM RT Structure Sets, and the label image that they mean.

Words: an *ROI* (region of interest) is one named structure; a *contour* is one closed line in a plane; a *lesion* is
an ROI whose name matches what the study asks for. ROI names may name people: they are matched here and go no further,
lesions carry numbers.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
from pydicom.dataset import Dataset

from storage.errors import CaseError
from storage.volume import FloatArray, Volume
from tasks.ingest.rasterize import fill, place_contours
from tasks.ingest.slices import element, guarded, number, read_dataset, text

_CLOSED = ("CLOSED_PLANAR", "CLOSEDPLANAR_XOR")
_LESIONS_MAX = 65535


@dataclass(frozen=True, eq=False)
class Roi:
    """One structure.

    Attributes
    ----------
    number
        ROI Number.
    name
        ROI Name; may identify somebody.
    contours
        Closed planar contours: ``(n, 3)`` LPS points in mm.
    left_out
        Contours of other kinds (points, open lines), and closed ones with fewer than 3 points: they enclose nothing.
    """

    number: int
    name: str
    contours: tuple[FloatArray, ...]
    left_out: int = 0


@dataclass(frozen=True, eq=False)
class StructureSet:
    """The ROIs of one file by number, and original UIDs of the series and frames of reference they were drawn on."""

    rois: tuple[Roi, ...]
    series_uids: tuple[str, ...] = ()
    frame_uids: tuple[str, ...] = ()


class Annotation(NamedTuple):
    """A label image ``(z, y, x)``, 0 where there is no lesion, and facts about how it came to be, free of names."""

    labels: npt.NDArray[np.unsignedinteger[Any]]
    facts: Mapping[str, Any]


def read_contours(path: Path) -> StructureSet:
    """Read an RT Structure Set.

    Raises
    ------
    CaseError
        The file is no structure set, or is damaged; the message is free of names, identifiers and paths.
    """
    dataset = read_dataset(path)
    if text(dataset, "Modality") != "RTSTRUCT":
        raise CaseError("expected a structure set (RTSTRUCT); the file is something else")
    names = {_integer(item, "ROINumber"): text(item, "ROIName") for item in _items(dataset, "StructureSetROISequence")}
    contours: dict[int, list[FloatArray]] = {roi: [] for roi in names}
    left_out = dict.fromkeys(names, 0)
    for structure in _items(dataset, "ROIContourSequence"):
        roi = _integer(structure, "ReferencedROINumber")
        if roi not in names:
            raise CaseError("contours of an ROI that the structure set does not list")
        for item in _items(structure, "ContourSequence"):
            points = _points(item)
            if text(item, "ContourGeometricType") in _CLOSED and len(points) >= 3:
                contours[roi].append(points)
            else:
                left_out[roi] += 1
    series_uids, frame_uids = _references(dataset)
    rois = tuple(Roi(roi, names[roi], tuple(contours[roi]), left_out[roi]) for roi in sorted(names))
    return StructureSet(rois, series_uids, frame_uids)


def annotation_labels(structure_set: StructureSet, volume: Volume, roi_patterns: Sequence[str]) -> Annotation:
    """Draw the lesions of a structure set: one per matching ROI with contours, numbered 1 … n by ROI Number.

    Where lesions overlap, the lower number wins. A lesion too small to hold the centre of any voxel, or outside of
    the volume, keeps its number and has no voxels.

    Parameters
    ----------
    structure_set
        As `read_contours` returns it.
    volume
        The image to draw on; only its geometry counts.
    roi_patterns
        Patterns for ROI names (``*``, ``?``, ``[…]``, case ignored).

    Returns
    -------
    labels : ndarray of uint8 (uint16 for more than 255 lesions)
        Shape of the volume.
    facts : dict
        ``rois`` in the file, ``rois_matched``, ``rois_without_contours`` among these, and by lesion its number,
        ``voxels``, ``contours``, and how many of them lay ``outside``, were ``clipped``, lay ``between`` slices or
        were ``left_out``.

    Raises
    ------
    CaseError
        All contours lie outside of the volume, or they cannot be drawn on its slices.
    """
    matching = [
        roi
        for roi in structure_set.rois
        if any(fnmatchcase(roi.name.strip().lower(), pattern.lower()) for pattern in roi_patterns)
    ]
    drawn = [roi for roi in matching if roi.contours]
    if len(drawn) > _LESIONS_MAX:
        raise CaseError(f"{len(drawn)} lesions; expected at most {_LESIONS_MAX}")
    labels = np.zeros(volume.shape, dtype=np.uint8 if len(drawn) <= 255 else np.uint16)
    lesions = []
    for label, roi in enumerate(drawn, start=1):
        placed = place_contours(roi.contours, volume)
        mask = fill(placed, volume.shape)
        labels[mask & (labels == 0)] = label
        lesions.append(
            {
                "lesion": label,
                "voxels": int(mask.sum()),
                "contours": len(roi.contours),
                "outside": placed.outside,
                "clipped": placed.clipped,
                "between": placed.between,
                "left_out": roi.left_out,
            }
        )
    if lesions and all(lesion["outside"] == lesion["contours"] for lesion in lesions):
        raise CaseError("all contours lie outside of the image: they belong to another one")
    facts = {
        "rois": len(structure_set.rois),
        "rois_matched": len(matching),
        "rois_without_contours": len(matching) - len(drawn),
        "lesions": lesions,
    }
    return Annotation(labels, facts)


def _items(dataset: Dataset, keyword: str) -> list[Dataset]:
    """The items of a sequence, none if it is absent or empty."""
    value = element(dataset, keyword)
    return [] if value is None else guarded(lambda: list(value), f"{keyword} cannot be read")


def _integer(dataset: Dataset, keyword: str) -> int:
    value = number(dataset, keyword)
    if value is None or value != int(value):
        raise CaseError(f"no whole number in {keyword}")
    return int(value)


def _points(item: Dataset) -> FloatArray:
    """Contour Data as ``(n, 3)``, converted at once: pydicom would make an object of every number."""
    raw = guarded(lambda: item.get_item("ContourData"), "Contour Data cannot be read")
    value = None if raw is None else raw.value
    if not value:
        return np.empty((0, 3))
    numbers = value.strip(b"\0 ").split(b"\\") if isinstance(value, bytes) else value
    flat = guarded(lambda: np.asarray(numbers).astype(np.float64), "Contour Data holds no numbers")
    if flat.ndim != 1 or flat.size % 3 or not np.isfinite(flat).all():
        raise CaseError(f"Contour Data must be triples of finite numbers; it holds {flat.size} values")
    return np.asarray(flat.reshape(-1, 3))


def _references(dataset: Dataset) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """UIDs of the series and of the frames of reference that the structure set was drawn on."""
    series, frames = [], []
    for frame in _items(dataset, "ReferencedFrameOfReferenceSequence"):
        frames.append(text(frame, "FrameOfReferenceUID"))
        for study in _items(frame, "RTReferencedStudySequence"):
            series += [text(item, "SeriesInstanceUID") for item in _items(study, "RTReferencedSeriesSequence")]
    return tuple(dict.fromkeys(series)), tuple(dict.fromkeys(frames))
