"""Regions, and the box of their surroundings."""

from __future__ import annotations

import numpy as np
import pytest

from storage.errors import CaseError
from tasks.extract.region import Region, widened

ONES = np.ones((2, 2, 2))


def test_a_margin_in_mm_becomes_whole_voxels_and_ends_where_the_image_ends() -> None:
    box = (slice(2, 3), slice(2, 4), slice(5, 7))
    # z: two slices before (0..1), two after; y: one row on each side; x: three before, none after.
    assert widened(box, (4.1, 2.0, 3.0), (5, 6, 7), (4.0, 2.0, 1.0)) == (slice(0, 5), slice(1, 5), slice(2, 7))
    assert widened(box, (0.0, 0.0, 0.0), (5, 6, 7), (4.0, 2.0, 1.0)) == box


def test_the_core_ends_at_the_box_of_the_mask_and_has_the_same_values() -> None:
    image = np.arange(4 * 5 * 6, dtype=np.float32).reshape(4, 5, 6)
    mask = np.zeros(image.shape, dtype=bool)
    mask[1:3, 2, 3:5] = True
    counted = mask & (image > 50)
    region = Region(image, mask, (3.0, 1.0, 1.0), "HU", counted)
    assert region.core.image.shape == (2, 1, 2)
    assert region.core.values.tolist() == region.values.tolist() == [75.0, 76.0]
    assert region.core.core is region.core
    assert region.levels.array.tolist() == [[[0, 0]], [[1, 32]]]


def test_what_families_share_is_made_once() -> None:
    region, made = Region(ONES, ONES > 0, (1.0, 1.0, 1.0), "HU"), []
    for _ in range(2):
        assert region.once("sum", lambda seen: made.append(1) or float(seen.values.sum())) == 8.0
    assert len(made) == 1


def test_regions_that_nobody_can_describe_are_refused() -> None:
    with pytest.raises(ValueError, match="one 3-D shape"):
        Region(ONES, np.ones((2, 2, 3), bool), (1.0, 1.0, 1.0), "HU")
    with pytest.raises(ValueError, match="an intensity mask of"):
        Region(ONES, ONES > 0, (1.0, 1.0, 1.0), "HU", np.ones((1, 2, 2), bool))
    with pytest.raises(CaseError, match="not finite numbers"):
        Region(ONES * np.nan, ONES > 0, (1.0, 1.0, 1.0), "HU")
