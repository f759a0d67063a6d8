"""Slices come whole and in their order, however the blocks lie."""

from __future__ import annotations

import dask.array as da
import numpy as np

from tasks.imaging.chunked import blocks_of
from tasks.imaging.slabs import slabs


def test_slices_of_any_chunks_come_whole_and_in_order() -> None:
    array = np.arange(7 * 6 * 5).reshape(7, 6, 5)
    found = list(slabs(blocks_of(da.from_array(array, chunks=(3, 4, 2)), 3), array.shape))
    assert [first for first, _ in found] == [0, 3, 6]
    assert np.array_equal(np.concatenate([slab for _, slab in found]), array)


def test_a_coloured_picture_is_one_slab_of_one_slice() -> None:
    array = np.arange(6 * 5 * 3).reshape(6, 5, 3)
    [(first, slab)] = slabs(blocks_of(da.from_array(array, chunks=(4, 2, 3)), 2), (6, 5))
    assert first == 0
    assert np.array_equal(slab, array[None])
