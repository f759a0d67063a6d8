"""Plain rules for segmentation: what is usually at this place, and that with what is usually of this brightness.

A network is worth its cost only above what nobody has to look for. Images of one organ are often cut to nearly the
same box, so that the mean label map of the training cases alone is far from worthless. Words: *box coordinates* run
from 0 to 1 along each axis of an image, whatever its size; the *atlas* is the share of training cases that have each
class at a place in box coordinates. Images lie on axes of one direction: a study whose images do not lists the step
``reorient``.

- ``atlas`` does not look at the image: each voxel gets the class that most training cases have there.
- ``atlas_intensity`` looks at each voxel alone: that share, times how frequent the voxel's intensity is in the class
  (the naive Bayes rule, with place and intensity independent within a class).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from tasks.imaging.structures import ClassMap

Floats = npt.NDArray[np.float32]
SIDE = 48
"""Places of the atlas along each axis."""
BINS = 48
"""Of the histograms of intensities."""
MOST_VOXELS = 50_000
"""Of each case and class, evenly spread, that a histogram is made of."""


@dataclass(frozen=True, eq=False)
class Atlas:
    """What the training cases have in common.

    Attributes
    ----------
    shares
        Share of the cases with each class at each place, ``(classes, SIDE, SIDE, SIDE)``.
    edges
        Of the bins of intensity, ``(BINS - 1,)``; the first and the last bin are open.
    frequencies
        Part of the voxels of each class in each bin, ``(classes, BINS)``; each row sums to 1.
    """

    shares: Floats
    edges: Floats
    frequencies: Floats


def learn_atlas(cases: Iterable[tuple[npt.NDArray[Any], ClassMap]], *, classes: int) -> Atlas:
    """The atlas of some cases, each with its normalized image and the class of each voxel; one is in memory at a time.

    Raises
    ------
    ValueError
        Without any case.
    """
    shares = np.zeros((classes, SIDE, SIDE, SIDE), dtype=np.float64)
    seen: list[list[Floats]] = [[] for _ in range(classes)]
    count = 0
    for image, labels in cases:
        there = labels[np.ix_(*(_nearest(length) for length in labels.shape))]
        for number in range(classes):
            shares[number] += there == number
            found = image[labels == number].astype(np.float32)
            seen[number].append(found[:: max(1, len(found) // MOST_VOXELS)].copy())  # not all of it, by a view
        count += 1
    if not count:
        raise ValueError("an atlas needs at least one case")
    values = [np.concatenate(some) for some in seen]
    edges = np.quantile(np.concatenate(values), np.linspace(0, 1, BINS + 1)[1:-1]).astype(np.float32)
    counts = np.stack([np.bincount(np.searchsorted(edges, some), minlength=BINS) for some in values]) + 1.0
    frequencies = counts / counts.sum(axis=1, keepdims=True)
    return Atlas((shares / count).astype(np.float32), edges, frequencies.astype(np.float32))


def by_place(atlas: Atlas, image: npt.NDArray[Any]) -> ClassMap:
    """The class that most training cases have at each voxel's place; of the image only its shape is looked at."""
    return _most_likely(stretched(shares, image.shape) for shares in atlas.shares)


def by_place_and_intensity(atlas: Atlas, image: npt.NDArray[Any]) -> ClassMap:
    """The most likely class of each voxel by its place and its intensity."""
    bins = np.searchsorted(atlas.edges, image)
    likely = zip(atlas.shares, atlas.frequencies, strict=True)
    return _most_likely(stretched(shares, image.shape) * frequencies[bins] for shares, frequencies in likely)


RULES: dict[str, Callable[[Atlas, npt.NDArray[Any]], ClassMap]] = {
    "atlas": by_place,
    "atlas_intensity": by_place_and_intensity,
}
SAYS = {
    "atlas": "the class that most training cases have at the same place of the box, blind to the image",
    "atlas_intensity": "the same, times how frequent the voxel's intensity is in the class",
}


def stretched(array: Floats, shape: tuple[int, ...]) -> Floats:
    """An array of the atlas over an image of some shape, linear between places."""
    for axis, length in enumerate(shape):
        side = array.shape[axis]
        at = np.clip((np.arange(length) + 0.5) * side / length - 0.5, 0, side - 1)
        below = np.minimum(at.astype(np.int64), max(side - 2, 0))
        part = (at - below).astype(np.float32).reshape([-1 if a == axis else 1 for a in range(array.ndim)])
        above = np.minimum(below + 1, side - 1)
        array = np.take(array, below, axis) * (1 - part) + np.take(array, above, axis) * part
    return array


def _nearest(length: int) -> npt.NDArray[np.int64]:
    """Voxel at each place of the atlas along an axis."""
    return np.asarray((np.arange(SIDE) + 0.5) * length / SIDE, dtype=np.int64)


def _most_likely(likelihoods: Iterable[Floats]) -> ClassMap:
    """Class of the largest value at each voxel; of equal ones the first, so the background where nothing is known."""
    best: Floats | None = None
    found: ClassMap = np.zeros(0, dtype=np.uint8)
    for number, likely in enumerate(likelihoods):
        if best is None:
            best, found = likely.copy(), np.zeros(likely.shape, dtype=np.uint8)
            continue
        found[likely > best] = number
        np.maximum(best, likely, out=best)
    return found
