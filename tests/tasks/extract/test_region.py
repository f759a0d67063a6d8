"""Cutting candidates out of images."""

from __future__ import annotations

import numpy as np
import pytest

from storage.volume import Volume
from tasks.extract.region import Region, cut_region

IMAGE = Volume(np.arange(5 * 6 * 7, dtype=np.float32).reshape(5, 6, 7), (4.0, 2.0, 1.0), unit="SUV")
BOX = (slice(2, 3), slice(2, 4), slice(5, 7))
MASK = np.array([[[True, False], [True, True]]])


def test_a_region_without_margin_is_its_box() -> None:
    region = cut_region(IMAGE, BOX, MASK)
    assert region.image.shape == (1, 2, 2)
    assert region.values.tolist() == IMAGE.array[BOX][MASK].tolist()
    assert (region.unit, region.spacing_mm, region.voxel_mm3) == ("SUV", (4.0, 2.0, 1.0), 8.0)


def test_a_margin_in_mm_becomes_whole_voxels_and_ends_where_the_image_ends() -> None:
    region = cut_region(IMAGE, BOX, MASK, margin_mm=(4.1, 2.0, 3.0))
    # z: two slices before (0..1), two after; y: one row on each side; x: three before, none after.
    assert region.image.shape == (5, 4, 5)
    assert (region.image == IMAGE.array[0:5, 1:5, 2:7]).all()
    assert region.mask.sum() == 3
    assert region.values.tolist() == cut_region(IMAGE, BOX, MASK).values.tolist()


def test_regions_that_nobody_can_describe_are_refused() -> None:
    ones = np.ones((2, 2, 2))
    with pytest.raises(ValueError, match="at least 1 voxel"):
        Region(ones, ones < 0, (1.0, 1.0, 1.0), "HU")
    with pytest.raises(ValueError, match="one 3-D shape"):
        Region(ones, np.ones((2, 2, 3), bool), (1.0, 1.0, 1.0), "HU")
    with pytest.raises(ValueError, match="finite intensities"):
        Region(ones * np.nan, ones > 0, (1.0, 1.0, 1.0), "HU")
