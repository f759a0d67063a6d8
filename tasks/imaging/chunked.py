"""Steps on images that need not fit into memory: block after block, with the same result as in one piece.

Local steps go through Dask's ``map_overlap``: each block is given its halo, and where the image ends nothing is added,
so that a step meets an image's border exactly as it does in one piece. Steps on the grid fetch, for each block of the
new grid, what it needs of the old one.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import dask.array as da
import numpy as np

from tasks.imaging.grid_step import GridStep
from tasks.imaging.placement import Placement
from tasks.imaging.step import Array, Blocks, Direction, Facts, Index, Spacing, Step, View


def apply_chunked(
    step: Step,
    image: da.Array,
    spacing_mm: Spacing,
    *,
    unit: str = "arbitrary",
    fitted: Facts | None = None,
    direction: Direction | None = None,
) -> da.Array:
    """Apply one step to a chunked image; parameters as in :func:`~tasks.imaging.step.apply_step`.

    What must be measured is measured at once, the rest waits for ``compute``.
    """
    view = View.of(image, spacing_mm, unit=unit, fitted=fitted, direction=direction)
    return apply_in_blocks(step, image, look_in_blocks(step, image, view))


def look_in_blocks(step: Step, image: da.Array, view: View) -> View:
    """The view with what the step measures over the whole image, block by block."""
    return replace(view, measured=step.measure(blocks_of(image, len(view.shape)), view))


def apply_in_blocks(step: Step, image: da.Array, view: View) -> da.Array:
    """The result, not yet computed, of a step that has looked at the image already."""
    image = image.rechunk(dict.fromkeys(range(len(view.shape), image.ndim), -1))
    if isinstance(step, GridStep):
        return _on_new_grid(step, image, view)
    return _overlapping(step, image.rechunk(-1) if step.whole else image, view)


def blocks_of(image: da.Array, axes: int) -> Blocks:
    """The blocks of a chunked image one after the other, each computed when it is asked for."""

    def blocks() -> Iterator[tuple[Index, Array]]:
        for box in _boxes(image.chunks[:axes]):
            yield tuple(side.start for side in box), np.asarray(image[box].compute())

    return blocks


def _overlapping(step: Step, image: da.Array, view: View) -> da.Array:
    axes = len(view.shape)
    depth = [0 if step.whole else d for d in step.halo(view.spacing_mm)]
    chunks = list(image.chunks)
    for axis, d in enumerate(depth):
        if d >= image.shape[axis]:
            chunks[axis], depth[axis] = (image.shape[axis],), 0
        elif d > min(chunks[axis]):  # a halo may not reach beyond the neighbouring block
            chunks[axis] = da.overlap.ensure_minimum_chunksize(d, chunks[axis])
    image = image.rechunk(tuple(chunks))
    starts = [np.concatenate([[0], np.cumsum(c)[:-1]]) for c in image.chunks[:axes]]

    def on_block(block: Array, block_id: Index) -> Array:
        place = zip(starts, block_id, depth, strict=False)
        start = tuple(int(begin[i]) - (d if i > 0 else 0) for begin, i, d in place)
        return step.apply(block, view.at(start))

    dtype = step.dtype_after(image.dtype)
    meta = np.empty((0,) * image.ndim, dtype=dtype)
    overlap = {axis: d for axis, d in enumerate(depth) if d}
    return da.map_overlap(on_block, image, depth=overlap, boundary="none", dtype=dtype, meta=meta, allow_rechunk=False)


def _on_new_grid(step: GridStep, image: da.Array, view: View) -> da.Array:
    step, placement = step.in_unit(view.unit), step.placement(view)
    margin, axes = step.support(placement), len(view.shape)
    longest = [max(c) for c in image.chunks[:axes]]
    scale = np.asarray(placement.spacing_after(view.spacing_mm)) / np.asarray(view.spacing_mm)
    chunks = da.core.normalize_chunks(
        [max(1, round(n / s)) for n, s in zip(longest, scale, strict=True)], shape=placement.shape
    )
    dtype = image.dtype if step.interpolation == "nearest" else step.dtype_after(image.dtype)
    colours = image.shape[axes:]
    pieces: Any = np.empty([len(c) for c in chunks] + [1] * len(colours), dtype=object)
    for where, box in zip(np.ndindex(*(len(c) for c in chunks)), _boxes(chunks), strict=True):
        new = (tuple(side.start for side in box), tuple(side.stop for side in box))
        old = placement.needs(new, view.shape, margin)
        part = image[tuple(slice(a, b) for a, b in zip(*old, strict=True))].rechunk(-1)
        shape = tuple(b - a for a, b in zip(*new, strict=True)) + colours
        piece = da.map_blocks(
            _placer(step, old[0], placement, new, view.shape),
            part,
            dtype=dtype,
            chunks=tuple((n,) for n in shape),
            meta=np.empty((0,) * image.ndim, dtype=dtype),
        )
        pieces[where + (0,) * len(colours)] = piece
    return da.block(pieces.tolist())


def _placer(step: GridStep, start: Index, placement: Placement, box: Any, shape: Index) -> Callable[[Array], Array]:
    def on_block(block: Array) -> Array:
        return step.place(block, start, placement, box, shape)

    return on_block


def _boxes(chunks: tuple[tuple[int, ...], ...]) -> Iterator[tuple[slice, ...]]:
    ends = [np.cumsum((0, *c)) for c in chunks]
    sides = [[slice(int(a), int(b)) for a, b in itertools.pairwise(e)] for e in ends]
    yield from itertools.product(*sides)
