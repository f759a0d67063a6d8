"""Moment invariants: against scikit-image, and what does not change them."""

from __future__ import annotations

import math

import numpy as np
import pytest
from skimage.measure import moments_central, moments_hu, moments_normalized

from tasks.extract.families.moments import FLOOR, Settings, compute, features
from tasks.extract.region import Region

RNG = np.random.default_rng(0)
IMAGE = RNG.normal(size=(5, 24, 24)) * 20 + 40
Z, Y, X = np.indices(IMAGE.shape)
MASK = ((Z - 2) * 4) ** 2 + (Y - 12) ** 2 * 0.5 + (X - 11) ** 2 + 3 * (Y - 12) < 80


def described(image: np.ndarray = IMAGE, mask: np.ndarray = MASK, spacing=(3.0, 1.0, 1.0)) -> dict[str, float]:
    return compute(Region(np.ascontiguousarray(image), np.ascontiguousarray(mask), spacing, "HU"), Settings())


def test_hus_invariants_are_those_of_scikit_image() -> None:
    values = described()
    flat = MASK[int(MASK.sum(axis=(1, 2)).argmax())].astype(float)
    expected = moments_hu(moments_normalized(moments_central(flat)))
    found = np.array([values[f"mask_hu_{number}"] for number in range(1, 8)])
    back = np.sign(found) * (10 ** np.abs(found) - 1) * FLOOR
    np.testing.assert_allclose(back, expected, rtol=1e-6, atol=1e-13)


def test_a_square_has_the_first_invariant_of_its_sides_and_no_others() -> None:
    square = np.zeros((1, 30, 30), bool)
    square[0, 5:25, 5:25] = True
    values = described(np.zeros(square.shape), square)
    assert values["mask_hu_1"] == pytest.approx(math.log10((20**2 - 1) / 6 / 20**2 / FLOOR), abs=1e-6)
    assert all(values[f"mask_hu_{number}"] == pytest.approx(0, abs=1e-6) for number in range(2, 8))


def test_moved_turned_and_rescaled_a_candidate_has_the_same() -> None:
    once = described()
    same = [
        described(np.pad(IMAGE, 2, mode="edge"), np.pad(MASK, 2)),
        described(np.rot90(IMAGE, axes=(1, 2)), np.rot90(MASK, axes=(1, 2))),
        described(IMAGE * 0.5 + 7),
        described(spacing=(6.0, 2.0, 2.0)),
    ]
    for other in same:
        assert other == pytest.approx(once, rel=1e-6, abs=1e-9)


def test_a_mirror_image_differs_in_the_sign_of_the_seventh_alone() -> None:
    once, mirrored = described(), described(IMAGE[:, :, ::-1], MASK[:, :, ::-1])
    assert once["intensity_hu_7"] != 0
    assert mirrored.pop("intensity_hu_7") == pytest.approx(-once.pop("intensity_hu_7"))
    assert mirrored.pop("mask_hu_7") == pytest.approx(-once.pop("mask_hu_7"), abs=1e-3)
    assert mirrored == pytest.approx(once, rel=1e-6, abs=1e-9)


def test_anisotropic_pixels_show_the_same_shape() -> None:
    fine = np.hypot(np.indices((120, 120))[0] - 60, 2 * (np.indices((120, 120))[1] - 55)) < 50
    fine[60:, 55:] = False
    once = described(np.zeros((1, 120, 120)), fine[None])
    other = described(np.zeros((1, 60, 120)), fine[None, ::2], (3.0, 2.0, 1.0))
    for name in ("mask_hu_1", "mask_hu_2", "mask_zernike_2_2", "mask_zernike_4_0"):
        assert other[name] == pytest.approx(once[name], abs=0.015)


def test_equal_intensities_leave_those_of_the_mask() -> None:
    values, infos = described(np.full(IMAGE.shape, 3.3)), features(Settings())
    assert list(values) == list(infos)
    for name, value in values.items():
        assert math.isnan(value) == name.startswith("intensity")
        assert bool(infos[name].nan_when) == name.startswith("intensity")


def test_a_slice_without_intensities_that_count_leaves_those_in_space() -> None:
    counted = MASK.copy()
    counted[int(MASK.sum(axis=(1, 2)).argmax())] = False
    values = compute(Region(IMAGE, MASK, (3.0, 1.0, 1.0), "HU", counted), Settings())
    assert math.isnan(values["intensity_hu_1"])
    assert math.isfinite(values["intensity_space_trace"])


@pytest.mark.parametrize("shape", [(1, 1, 1), (1, 5, 5), (4, 1, 1)])
def test_the_smallest_regions_have_finite_values_of_their_mask(shape: tuple[int, int, int]) -> None:
    values = described(RNG.normal(size=shape), np.ones(shape, bool))
    assert all(math.isfinite(value) for name, value in values.items() if name.startswith("mask"))
    assert len(values) == 2 * (7 + 14 + 6)
