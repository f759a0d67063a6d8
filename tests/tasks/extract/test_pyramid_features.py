"""Statistics per level of images whose texture has one size."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
from scipy import ndimage, stats

from tasks.extract.families.pyramid import Settings, compute, features
from tasks.extract.region import Region
from tasks.imaging.pyramid.laplacian import laplacian_pyramid

TIGHT = Settings(context=1.0)


def described(image: np.ndarray, mask: np.ndarray | None = None, settings: Settings = TIGHT, **given: tuple):
    mask = np.ones(image.shape, bool) if mask is None else mask
    return compute(Region(image, mask, given.get("spacing", (1.0, 1.0, 1.0)), "HU"), settings)


@pytest.mark.parametrize(("period", "level"), [(3, 1), (8, 2), (16, 3)])
def test_texture_of_one_size_has_its_energy_on_the_level_of_that_size(period: int, level: int) -> None:
    values = described(np.sin(np.indices((8, 32, 96))[2] * 2 * np.pi / period + 1.0))
    shares = [values[f"detail_{one}_energy_share"] for one in (1, 2, 3)]
    assert int(np.argmax(shares)) + 1 == level
    assert sum(shares) == pytest.approx(1.0)


def test_over_a_whole_image_statistics_are_those_of_scipy_on_the_level() -> None:
    image = ndimage.gaussian_filter(np.random.default_rng(0).gamma(2.0, size=(16, 20, 24)), 1) * 100
    detail = laplacian_pyramid(image, spacing_mm=(1.0, 1.0, 1.0), levels=3)[0]
    values = described(image)
    assert values["detail_1_sd"] == pytest.approx(detail.std())
    assert values["detail_1_mean_absolute"] == pytest.approx(np.abs(detail).mean())
    assert values["detail_1_skewness"] == pytest.approx(stats.skew(detail, axis=None))
    assert values["detail_1_kurtosis"] == pytest.approx(stats.kurtosis(detail, axis=None))


def test_smooth_levels_keep_the_mean_and_lose_the_spread_of_noise() -> None:
    values = described(np.random.default_rng(1).normal(50, 10, size=(32, 32, 32)))
    assert [values[f"smooth_{level}_mean"] for level in (1, 2, 3)] == pytest.approx([50, 50, 50], abs=1)
    spreads = [10, *(values[f"smooth_{level}_sd"] for level in (1, 2, 3))]
    assert all(coarse < fine / 2 for fine, coarse in itertools.pairwise(spreads))


def test_only_the_mask_is_described() -> None:
    image = np.zeros((16, 32, 32))
    image[:, :, 16:] = 1000.0
    mask = np.zeros(image.shape, bool)
    mask[4:12, 8:24, 2:8] = True
    values = described(image, mask)
    assert values["detail_1_sd"] == values["smooth_1_mean"] == 0.0


def test_shift_and_scale_of_intensities_move_what_has_their_unit_alone() -> None:
    image = np.random.default_rng(2).normal(size=(9, 14, 15))
    once, other, infos = described(image), described(3.0 * image + 20.0), features(TIGHT)
    for name, info in infos.items():
        moved = 20.0 if name.endswith("_mean") else 0.0
        assert other[name] == pytest.approx(once[name] * (1 if info.unit == "1" else 3) + moved, abs=1e-9)


def test_a_margin_beyond_the_familys_own_changes_nothing() -> None:
    image = np.random.default_rng(3).normal(size=(30, 40, 41))
    mask = np.zeros(image.shape, bool)
    mask[11:19, 12:24, 13:25] = True
    cut = (slice(8, 22), slice(8, 28), slice(9, 29))
    assert described(image, mask, Settings()) == described(image[cut], mask[cut], Settings())


def test_thick_slices_are_halved_after_the_pixels() -> None:
    image = np.repeat(np.random.default_rng(4).normal(size=(4, 1, 1)), 16, 1).repeat(16, 2)
    values = described(image, spacing=(4.0, 1.0, 1.0))
    # Pixels of 1 mm are halved twice before slices of 4 mm are: there is nothing to see in a slice.
    assert values["detail_1_sd"] == values["detail_2_sd"] == 0.0 < values["detail_3_sd"]


@pytest.mark.parametrize(("shape", "levels"), [((1, 1, 1), 0), ((1, 2, 2), 1), ((5, 3, 3), 3)])
def test_levels_that_a_region_has_not_are_undefined_and_flat_ones_have_no_spread(shape: tuple, levels: int) -> None:
    values, infos = described(np.full(shape, -812.3)), features(TIGHT)
    assert list(values) == list(infos)
    for name, value in values.items():
        level = int(name.split("_")[1])
        assert math.isnan(value) == (level > levels)
        assert infos[name].nan_when
        if level <= levels:
            assert value == pytest.approx(-812.3 if name.endswith("_mean") else 0.0, abs=1e-9)
