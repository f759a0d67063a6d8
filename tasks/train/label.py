"""What the annotation says of each candidate: the lesion it overlaps best, how well, and whether it is placed on it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from tasks.metrics.overlap import iou_of_counts

Box = tuple[slice, slice, slice]


@dataclass(frozen=True, eq=False)
class CandidateLabels:
    """One value per candidate, shape ``(n,)``.

    Attributes
    ----------
    lesion
        The lesion overlapped best, 0 for none.
    iou
        Intersection over union with that lesion.
    placed
        Whether the candidate's peak or centroid lies inside that lesion.
    lesions
        How many lesions the case has, with or without candidate.
    """

    lesion: npt.NDArray[np.int64]
    iou: npt.NDArray[np.float64]
    placed: npt.NDArray[np.bool_]
    lesions: int


def label_candidates(
    masks: Iterable[tuple[Box, npt.NDArray[np.bool_]]],
    peaks_zyx: npt.ArrayLike,
    lesions: npt.NDArray[np.integer],
    *,
    count: int,
) -> CandidateLabels:
    """Compare candidates, which may overlap each other, with annotated lesions on the same grid.

    Parameters
    ----------
    masks
        For each candidate its bounding box and the mask in it.
    peaks_zyx
        Voxel of each candidate's peak, ``(n, 3)``.
    lesions
        ``(z, y, x)``: 0, or the number of the lesion.
    count
        Annotated lesions; one that is too small for this grid has no voxel here, but counts.
    """
    sizes = np.bincount(lesions.ravel(), minlength=count + 1)
    peaks = np.asarray(peaks_zyx, dtype=int).reshape(-1, 3)
    rows = [_label(box, mask, peak, lesions, sizes) for (box, mask), peak in zip(masks, peaks, strict=True)]
    return CandidateLabels(
        lesion=np.asarray([row[0] for row in rows], dtype=np.int64),
        iou=np.asarray([row[1] for row in rows], dtype=float),
        placed=np.asarray([row[2] for row in rows], dtype=bool),
        lesions=count,
    )


def _label(
    box: Box,
    mask: npt.NDArray[np.bool_],
    peak: npt.NDArray[np.int64],
    lesions: npt.NDArray[np.integer],
    sizes: npt.NDArray[np.int64],
) -> tuple[int, float, bool]:
    shared = np.bincount(lesions[box][mask], minlength=len(sizes))
    shared[0] = 0
    if not shared.any():
        return 0, 0.0, False
    iou = iou_of_counts(shared, np.full_like(sizes, int(mask.sum())), sizes)
    best = int(np.argmax(np.where(shared > 0, iou, -1.0)))
    centroid = np.rint(np.mean(np.nonzero(mask), axis=1) + [axis.start for axis in box]).astype(int)
    return best, float(iou[best]), bool(lesions[tuple(peak)] == best or lesions[tuple(centroid)] == best)
