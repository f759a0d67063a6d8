"""Candidate regions of one image: what the finders find where it is searched, without duplicates.

This stage sees images only. Whether a candidate is a lesion is decided where annotations may be read (train, evaluate).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from storage.volume import Triple, Volume
from tasks.imaging.candidate_set import CandidateSet, Piece
from tasks.imaging.morphology import BoolArray, distance_mm, grow_box, inner_box
from tasks.sample.search_region import search_region
from tasks.sample.settings import Settings


def find_candidates(
    image: Volume, settings: Settings | None = None, *, within: BoolArray | None = None
) -> CandidateSet:
    """Find the candidate regions of an image.

    Parameters
    ----------
    image
        ``(z, y, x)`` in ``"HU"``, ``"SUV"`` or ``"arbitrary"``; the unit chooses the defaults.
    settings
        ``None``: the defaults.
    within
        Where to search; ``None``: where the settings say.

    Returns
    -------
    CandidateSet
        In the order of the finders, and of what each of them finds. May be empty.

    Raises
    ------
    CaseError
        When there is no body, or no lung where lungs are searched; only where `within` is ``None``.
    """
    settings = settings or Settings()
    array = np.asarray(image.array)
    if within is None:
        within = search_region(image, settings).organ.mask
    found = [
        piece
        for finder in settings.chosen()
        for piece in finder.find(array, within, spacing_mm=image.spacing_mm, unit=image.unit)
    ]
    pieces = without_duplicates(found, iou=settings.duplicate_iou)
    scores = [contrast(array, piece, within, image.spacing_mm) for piece in pieces]
    strongest = sorted(np.argsort(-np.asarray(scores), kind="stable")[: settings.max_candidates])
    return CandidateSet.from_pieces(
        [pieces[i] for i in strongest],
        array,
        voxel_ml=image.voxel_ml,
        scores=[scores[i] for i in strongest],
        to_world_mm=image.to_world_mm,
    )


def without_duplicates(pieces: Sequence[Piece], *, iou: float) -> list[Piece]:
    """Keep the first of pieces whose masks agree by more than ``iou``."""
    kept: list[Piece] = []
    boxes = np.zeros((len(pieces), 6), dtype=np.int64)
    sizes = np.zeros(len(pieces))
    for piece in pieces:
        n = len(kept)
        size = int(piece.mask.sum())
        box = np.array([*(s.start for s in piece.box), *(s.stop for s in piece.box)])
        overlap = np.minimum(boxes[:n, 3:], box[3:]) - np.maximum(boxes[:n, :3], box[:3])
        # The masks cannot agree better than their sizes and the overlap of their boxes allow.
        most = np.minimum(np.minimum(sizes[:n], size), np.prod(np.maximum(overlap, 0), axis=1))
        suspects = np.flatnonzero(most > iou * np.maximum(sizes[:n], size))
        if any(_iou(kept[i], piece) > iou for i in suspects):
            continue
        boxes[n], sizes[n] = box, size
        kept.append(piece)
    return kept


def contrast(array: npt.NDArray[Any], piece: Piece, within: BoolArray, spacing_mm: Triple) -> float:
    """Mean inside less mean of a shell around, in the image's unit; 0 where no shell lies in the searched region.

    The shell is two voxels of the coarsest axis thick and stays ``within`` the searched region.
    """
    thickness = 2 * max(spacing_mm)
    outer = grow_box(piece.box, thickness, array.shape, spacing_mm)
    mask = np.zeros(tuple(s.stop - s.start for s in outer), dtype=bool)
    mask[inner_box(piece.box, outer)] = piece.mask
    shell = (distance_mm(mask, spacing_mm) <= thickness) & ~mask & within[outer]
    part = array[outer]
    return float(part[mask].mean() - part[shell].mean()) if shell.any() else 0.0


def _iou(one: Piece, other: Piece) -> float:
    start = [max(a.start, b.start) for a, b in zip(one.box, other.box, strict=True)]
    stop = [min(a.stop, b.stop) for a, b in zip(one.box, other.box, strict=True)]
    shared = tuple(slice(a, b) for a, b in zip(start, stop, strict=True))
    parts = []
    for piece in (one, other):
        local = tuple(slice(s.start - b.start, s.stop - b.start) for s, b in zip(shared, piece.box, strict=True))
        parts.append(piece.mask[local])
    both = int((parts[0] & parts[1]).sum())
    return both / (int(one.mask.sum()) + int(other.mask.sum()) - both)
