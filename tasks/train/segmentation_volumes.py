"""Annotated volumes to learn from, looked at piece by piece: of one that stays on disk, no more than that is held."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from typing import Any

import numpy as np
import numpy.typing as npt

from storage.volume import Triple, Volume
from tasks.imaging.augment import sample_rng
from tasks.imaging.step import Direction
from tasks.imaging.structures import ClassMap, to_classes

IntArray = npt.NDArray[np.int64]
Box = tuple[slice, ...]
PIECE = 128
"""Voxels along each axis of a piece, as of a shard in the store: 2 MiB of a class map, 16 MiB while it is looked at."""
MOST_VOXELS = 20_000
"""Voxels of a structure that windows are drawn around: enough to stand for the others, and few enough to be kept."""


@dataclass(frozen=True, eq=False)
class LabelledVolume:
    """An annotated case: its normalized image and the class of each voxel, on one grid.

    Attributes
    ----------
    digest, patient
        As in `storage.case.Case`.
    image
        ``(z, y, x)``; NumPy's or Zarr's, of which only parts are read.
    classes
        uint8, NumPy's or Zarr's as well: 0 is the background, 1 … the structures.
    unit
        Of the intensities.
    """

    digest: str
    patient: str
    image: Any
    classes: Any
    spacing_mm: Triple
    direction: Direction
    unit: str


def pieces(shape: Sequence[int]) -> Iterator[Box]:
    """Boxes of at most `PIECE` voxels along each axis that cover a volume; none shares a shard with another."""
    sides = [[slice(start, min(start + PIECE, n)) for start in range(0, n, PIECE)] for n in shape]
    yield from product(*sides)


def classes_onto(
    labels: Any, where: Volume, grid: Volume, structures: Mapping[str, int]
) -> Iterator[tuple[Box, ClassMap]]:
    """The class of each voxel of a grid by the nearest voxel of a label map, piece by piece.

    Together they are what `tasks.imaging.resample.resample_onto` makes of the whole label map.

    Parameters
    ----------
    labels
        ``(z, y, x)``, NumPy's or Zarr's, of which only parts are read.
    where
        The grid of the label map; its array does not matter.
    """
    from tasks.imaging.placing import place, support
    from tasks.imaging.resample import placement_onto

    placement = placement_onto(where, grid)
    for box in pieces(grid.shape):
        wanted = tuple(side.start for side in box), tuple(side.stop for side in box)
        low, high = placement.needs(wanted, labels.shape, support(placement, "nearest"))
        block = np.asarray(labels[tuple(map(slice, low, high))])
        part = place(block, low, placement, wanted, labels.shape, interpolation="nearest", outside=0.0)
        yield box, to_classes(part, structures)


def has_structure(case: LabelledVolume) -> bool:
    """Whether any voxel belongs to a structure."""
    return any(np.any(case.classes[box]) for box in pieces(case.classes.shape))


def voxels_by_class(case: LabelledVolume, structures: int) -> list[IntArray]:
    """Voxels ``(n, 3)`` of each structure, of more than `MOST_VOXELS` so many at random, each as likely as any other.

    Which these are depends on the case's digest, and not on where its class map lies.
    """
    rng = sample_rng(case.digest, 0, seed=0, epoch=0)
    boxes = list(pieces(case.classes.shape))
    counts = np.stack([np.bincount(np.ravel(case.classes[box]), minlength=structures + 1)[1:] for box in boxes])
    taken = np.stack([_dealt(of_class, rng) for of_class in counts.T], axis=1)
    found: list[list[IntArray]] = [[np.zeros((0, 3), np.int64)] for _ in range(structures)]
    for box, wanted in zip(boxes, taken, strict=True):
        if not wanted.any():
            continue
        classes, start = np.asarray(case.classes[box]), [side.start for side in box]
        for number in np.flatnonzero(wanted):
            voxels = np.flatnonzero(classes == number + 1)
            if wanted[number] < len(voxels):
                voxels = rng.choice(voxels, wanted[number], replace=False)
            found[number].append(np.stack(np.unravel_index(voxels, classes.shape), axis=1) + start)
    return [np.concatenate(some) for some in found]


def _dealt(counts: IntArray, rng: np.random.Generator) -> IntArray:
    """How many voxels each piece gives where it has so many: all, or `MOST_VOXELS` together."""
    return counts if counts.sum() <= MOST_VOXELS else rng.multivariate_hypergeometric(counts, MOST_VOXELS)


def usual_spacing_mm(cases: Sequence[LabelledVolume]) -> tuple[float, ...]:
    """Median spacing along each axis, in mm."""
    return tuple(round(float(mm), 6) for mm in np.median([case.spacing_mm for case in cases], axis=0))


def intensities(cases: Sequence[LabelledVolume]) -> tuple[float, float]:
    """Mean and standard deviation of the images, each case as much as any other."""
    moments = []
    for case in cases:
        parts = (np.asarray(case.image[box], dtype=np.float64) for box in pieces(case.image.shape))
        sums = np.sum([(part.sum(), np.square(part).sum()) for part in parts], axis=0)
        moments.append(sums / np.prod(case.image.shape))
    mean, square = np.mean(moments, axis=0)
    std = float(np.sqrt(max(0.0, square - mean**2)))
    return round(float(mean), 6), round(std, 6) or 1.0
