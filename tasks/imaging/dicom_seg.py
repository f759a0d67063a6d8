"""DICOM Segmentation objects (SEG): the voxels of their segments, on a grid of their own.

A SEG is a multi-frame image. Each frame says which segment it belongs to and where its first pixel lies; frames that
hold nothing may be left out, and segments may overlap (DICOM PS3.3 A.51, C.8.20). In a label map (*LABELMAP*) the
pixels are the segments' numbers, and 0 is the background.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from storage.errors import CaseError
from storage.volume import FloatArray, Volume

if TYPE_CHECKING:
    from pydicom.dataset import Dataset

BETWEEN_SLICES = 0.05
"""Share of the distance of two slices by which a frame may lie off the grid."""


@dataclass(frozen=True, eq=False)
class Segmentation:
    """The segments of one object.

    Attributes
    ----------
    grid
        Geometry of the frames; frames that are missing between them are slices too.
    names
        Segment Label by Segment Number.
    frame_uid
        Frame of Reference UID; empty where it has none.
    frames
        By frame: number of the segment, 0 in a label map; index of the slice; pixels ``(y, x)``.
    """

    grid: Volume
    names: Mapping[int, str]
    frame_uid: str
    frames: tuple[tuple[int, int, npt.NDArray[Any]], ...]

    def mask(self, number: int) -> Volume:
        """The voxels of a segment, uint8 on :attr:`grid`."""
        array = np.zeros(self.grid.shape, dtype=np.uint8)
        for segment, k, pixels in self.frames:
            if segment in (0, number):
                array[k] |= (pixels == number if segment == 0 else pixels > 0).astype(np.uint8)
        return self.grid.with_array(array, unit="label")


def is_dicom(path: Path) -> bool:
    """Whether a file has DICOM's preamble."""
    with path.open("rb") as stream:
        return stream.read(132)[128:] == b"DICM"


def read_segmentation(path: Path) -> Segmentation:
    """Read a DICOM SEG.

    Raises
    ------
    CaseError
        The file is no SEG, is damaged, or its frames do not lie on one grid; the text names nobody.
    """
    import pydicom

    try:
        dataset = pydicom.dcmread(path)
        if dataset.get("Modality") != "SEG":
            raise CaseError("expected a DICOM segmentation (SEG); the file is another object")
        pixels = dataset.pixel_array
        return _placed(dataset, pixels if pixels.ndim == 3 else pixels[None])
    except CaseError:
        raise
    except OSError:
        raise
    except Exception as error:
        raise CaseError(f"the segmentation cannot be read: {type(error).__name__}") from None


def _placed(dataset: Dataset, pixels: npt.NDArray[Any]) -> Segmentation:
    shared, per_frame = dataset.SharedFunctionalGroupsSequence[0], dataset.PerFrameFunctionalGroupsSequence
    positions = np.asarray([_group(shared, f, "PlanePositionSequence").ImagePositionPatient for f in per_frame], float)
    along = np.asarray(_group(shared, per_frame[0], "PlaneOrientationSequence").ImageOrientationPatient, float)
    measures = _group(shared, per_frame[0], "PixelMeasuresSequence")
    row_mm, column_mm = (float(v) for v in measures.PixelSpacing)
    across = np.cross(along[:3], along[3:])
    depths = positions @ across
    gap_mm = _gap(depths, float(measures.get("SpacingBetweenSlices") or measures.get("SliceThickness") or 1.0))
    slices = (depths - depths.min()) / gap_mm
    if np.abs(slices - np.rint(slices)).max() > BETWEEN_SLICES:
        raise CaseError("the frames of the segmentation lie on no regular grid")
    index = np.rint(slices).astype(int)
    is_map = dataset.get("SegmentationType") == "LABELMAP"
    numbers = [0 if is_map else _segment_of(shared, frame) for frame in per_frame]
    x, y, z = (float(v) for v in positions[int(np.argmin(depths))])
    columns = np.stack([across, along[3:], along[:3]], axis=1)
    rows = [(float(a), float(b), float(c)) for a, b, c in columns]
    empty = np.broadcast_to(np.zeros((), np.uint8), (int(index.max()) + 1, *pixels.shape[1:]))
    grid = Volume(empty, (gap_mm, row_mm, column_mm), (x, y, z), (rows[0], rows[1], rows[2]), "label")
    segments = {int(item.SegmentNumber): str(item.get("SegmentLabel", "")) for item in dataset.SegmentSequence}
    names = {number: name for number, name in segments.items() if number > 0}
    frames = tuple((n, int(k), plane) for n, k, plane in zip(numbers, index, pixels, strict=True))
    return Segmentation(grid, names, str(dataset.get("FrameOfReferenceUID", "")), frames)


def _group(shared: Dataset, frame: Dataset, name: str) -> Any:
    """One item of a functional group: the frame's own, or that of all frames."""
    return (frame if name in frame else shared)[name].value[0]


def _segment_of(shared: Dataset, frame: Dataset) -> int:
    return int(_group(shared, frame, "SegmentIdentificationSequence").ReferencedSegmentNumber)


def _gap(depths: FloatArray, declared_mm: float) -> float:
    """Distance of neighbouring slices in mm: what is declared where frames lie so, else the least that frames have.

    Where every other slice is empty and left out, frames lie twice as far apart as slices.
    """
    apart = np.diff(np.unique(np.round(depths, 3)))
    if apart.size == 0:
        return declared_mm
    steps = apart / declared_mm
    as_declared = steps.min() > 0.5 and np.abs(steps - np.rint(steps)).max() < BETWEEN_SLICES
    return declared_mm if as_declared else float(apart.min())
