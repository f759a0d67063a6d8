"""Local binary patterns: of places that can be counted, against scikit-image, and what does not change them."""

from __future__ import annotations

import math

import numpy as np
import pytest
from pydantic import ValidationError
from skimage.feature import local_binary_pattern

from tasks.extract.families.lbp import PLANES, Settings, compute, features
from tasks.extract.region import Region
from tasks.imaging.binary_patterns import uniform_patterns


def patterns(image: np.ndarray, radius: float = 1.0, spacing: tuple = (1.0, 1.0, 1.0), axes=(1, 2), points=8):
    return uniform_patterns(image, axes=axes, radius_mm=radius, spacing_mm=spacing, points=points)


def described(image: np.ndarray, mask: np.ndarray | None = None, **settings: object) -> dict[str, float]:
    mask = np.ones(image.shape, bool) if mask is None else mask
    return compute(Region(image, mask, (1.0, 1.0, 1.0), "HU"), Settings.model_validate(settings))


@pytest.mark.filterwarnings("ignore:Applying `local_binary_pattern`")
@pytest.mark.parametrize(("radius", "points"), [(1.0, 8), (2.0, 8), (2.5, 12)])
def test_patterns_are_those_of_scikit_image_away_from_the_border(radius: float, points: int) -> None:
    image = np.random.default_rng(0).normal(size=(20, 24))
    expected = local_binary_pattern(image, points, radius, method="uniform")
    found = patterns(image[None], radius, points=points)[0]
    inner = (slice(4, -4), slice(4, -4))
    assert (found[inner] == expected[inner]).all()


def test_a_peak_has_no_bright_neighbour_a_pit_and_a_flat_place_have_all() -> None:
    image = np.zeros((1, 9, 9))
    image[0, 4, 4] = 1.0
    assert patterns(image)[0, 4, 4] == 0
    assert patterns(-image)[0, 4, 4] == 8
    assert patterns(image)[0, 0, 0] == 8


def test_a_straight_edge_leaves_the_five_neighbours_of_its_bright_side_not_darker() -> None:
    image = np.zeros((1, 9, 9))
    image[:, :, 4:] = 100.0
    # On its bright side: three of eight neighbours are darker. On its dark side: none is.
    assert set(patterns(image)[0, 2:-2, 4]) == {5}
    assert set(patterns(image)[0, 2:-2, 3]) == {8}


def test_stripes_of_one_voxel_are_lines() -> None:
    image = np.zeros((1, 9, 9))
    image[:, :, 1::2] = 1.0
    # On a bright stripe of width 1 only the two neighbours along it are not darker: two runs.
    assert set(patterns(image)[0, 2:-2, 3]) == {9}


def test_thick_slices_are_compared_in_mm() -> None:
    image = np.random.default_rng(1).normal(size=(12, 12, 12))
    # The neighbour across slices at 3 mm is in the next slice; the one along x is three voxels away.
    found = patterns(image, 3.0, (3.0, 1.0, 1.0), axes=(0, 2), points=4)
    for z, y, x in [(5, 5, 5), (4, 0, 7), (1, 11, 3)]:
        ring = np.array([image[z, y, x + 3], image[z + 1, y, x], image[z, y, x - 3], image[z - 1, y, x]])
        bright = ring >= image[z, y, x]
        runs = int((bright != np.roll(bright, 1)).sum())
        assert found[z, y, x] == (bright.sum() if runs <= 2 else 5)


def test_each_histogram_adds_up_to_one_over_the_mask_alone() -> None:
    image = np.random.default_rng(2).normal(size=(6, 10, 12))
    mask = np.zeros(image.shape, bool)
    mask[1:5, 2:8, 3:9] = True
    values = described(image, mask)
    for plane in PLANES:
        for radius in ("1mm", "2mm", "4mm"):
            assert sum(v for k, v in values.items() if k.startswith(f"{plane}_{radius}_")) == pytest.approx(1.0)
    far = image.copy()
    far[:, :, -1] += 1000.0
    one, other = (described(i, mask, radii_mm=(1.0, 2.0)) for i in (image, far))
    assert one == other


def test_a_peak_in_the_mask_has_the_share_of_one_voxel() -> None:
    image = np.zeros((5, 5, 5))
    image[2, 2, 2] = 1.0
    values = described(image, radii_mm=(1.0,))
    for plane in PLANES:
        assert values[f"{plane}_1mm_bright_0"] == pytest.approx(1 / 125)


def test_turns_mirrors_and_linear_changes_of_intensity_change_nothing() -> None:
    image = np.random.default_rng(3).normal(size=(7, 11, 11)) * 50
    once = described(image)
    assert described(2.0 * image - 100.0) == pytest.approx(once)
    assert described(image[:, ::-1].copy()) == pytest.approx(once)
    turned = described(np.rot90(image, axes=(1, 2)).copy())
    swapped = {"xy": "xy", "xz": "yz", "yz": "xz"}
    assert {f"{swapped[k[:2]]}{k[2:]}": v for k, v in turned.items()} == pytest.approx(once)


def test_one_slice_says_nothing_across_slices_and_a_constant_is_bright_all_around() -> None:
    values = described(np.full((1, 4, 4), 7.1))
    assert values["xy_1mm_bright_8"] == values["xy_4mm_bright_8"] == 1.0
    assert all(math.isnan(v) for k, v in values.items() if not k.startswith("xy"))
    infos = features(Settings())
    assert all(infos[k].nan_when for k, v in values.items() if math.isnan(v))
    assert all(math.isfinite(v) for v in described(np.full((3, 1, 1), 0.1)).values())


def test_there_are_90_features_and_each_radius_is_named_once() -> None:
    assert len(features(Settings())) == 3 * 3 * 10
    assert "xy_2_5mm_bright_3" in features(Settings(radii_mm=(2.5,)))
    with pytest.raises(ValidationError, match="each radius once"):
        Settings(radii_mm=(1.0, 1.0))
