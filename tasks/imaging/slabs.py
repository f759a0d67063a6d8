"""Whole slices out of blocks, as many at a time as a block is deep: for what must be known of a slice or a line."""

from __future__ import annotations

from collections.abc import Iterator
from math import prod

import numpy as np

from tasks.imaging.step import Array, Blocks, Index, Spacing

WHOLE_AXIS = 1 << 31
"""A halo that reaches beyond any image: the step needs this axis in one piece."""


def slabs(blocks: Blocks, shape: Index) -> Iterator[tuple[int, Array]]:
    """Slices in one piece, in their order, each slab with the index of its first; a picture is one slab of one slice.

    Memory holds as much as the blocks of one depth: all slices that begin together are gathered, then given.

    Parameters
    ----------
    shape
        Of the whole image along its spatial axes.
    """
    plane = shape[-2:]
    parts: dict[int, list[tuple[Index, Array]]] = {}
    for start, block in blocks():
        if len(shape) == 2:
            start, block = (0, *start), block[None]
        parts.setdefault(start[0], []).append((start, block))
        here = parts[start[0]]
        if sum(prod(part.shape[1:3]) for _, part in here) == prod(plane):
            yield start[0], _joined(parts.pop(start[0]), plane)


def whole_planes(spacing_mm: Spacing) -> Index:
    """The halo of a step that works slice by slice: slices in one piece, and none of their neighbours."""
    return (0,) * (len(spacing_mm) - 2) + (WHOLE_AXIS, WHOLE_AXIS)


def _joined(parts: list[tuple[Index, Array]], plane: Index) -> Array:
    first = parts[0][1]
    slab = np.empty((first.shape[0], *plane, *first.shape[3:]), dtype=first.dtype)
    for (_, y, x), part in parts:
        slab[:, y : y + part.shape[1], x : x + part.shape[2]] = part
    return slab
