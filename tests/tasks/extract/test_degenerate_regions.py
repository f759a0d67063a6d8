"""Regions with hardly anything in them: every family answers with numbers, or with NaN and a reason."""

from __future__ import annotations

import math
import warnings

import numpy as np
import pytest

from tasks.extract.describe import features_of, why_undefined
from tasks.extract.discretize import Discretization
from tasks.extract.region import Region
from tasks.extract.registry import family_names, load_family


def boxed(sides: tuple[int, int, int], margin: int = 4) -> tuple[np.ndarray, np.ndarray]:
    """A box in noise; without a margin it fills the image."""
    mask = np.pad(np.ones(sides, bool), margin)
    return np.random.default_rng(0).normal(5.0, 1.0, size=mask.shape), mask


REGIONS = {
    "one voxel": boxed((1, 1, 1)),
    "an image of one voxel": boxed((1, 1, 1), margin=0),
    "two voxels": boxed((1, 1, 2)),
    "a row": boxed((1, 1, 9)),
    "a column of slices": boxed((6, 1, 1)),
    "one slice": boxed((1, 7, 8)),
    "an image that it fills": boxed((4, 5, 6), margin=0),
    "equal intensities": (np.full((13, 13, 13), 5.0), boxed((5, 5, 5))[1]),
    "zeros": (np.zeros((13, 13, 13)), boxed((5, 5, 5))[1]),
    "ones that cancel out": (np.indices((4, 4, 4)).sum(axis=0) % 2 * 2.0 - 1.0, np.ones((4, 4, 4), bool)),
}
BINS = (Discretization(), Discretization(method="fixed_bin_size", width=25.0))


@pytest.mark.parametrize("name", family_names())
@pytest.mark.parametrize("what", REGIONS)
def test_a_value_is_a_number_or_nan_with_a_reason(name: str, what: str) -> None:
    family = load_family(name)
    settings = family.settings()
    infos = family.features(settings)
    for bins in BINS:
        region = Region(*REGIONS[what], (2.5, 1.25, 1.25), "SUV", discretization=bins)
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            found = features_of(region, ((family, settings),))
        undefined = [feature.split(".", 1)[1] for feature, value in found.items() if math.isnan(value)]
        assert [feature for feature in undefined if not infos[feature].nan_when] == []


@pytest.mark.parametrize("name", family_names())
def test_an_empty_region_has_no_values_and_one_without_intensities_those_of_its_mask(name: str) -> None:
    family = load_family(name)
    settings = family.settings()
    infos = family.features(settings)
    image, mask = boxed((4, 5, 6))
    nothing = np.zeros(mask.shape, bool)
    empty = features_of(Region(image, nothing, (1.0,) * 3, "SUV"), ((family, settings),))
    assert all(math.isnan(value) for value in empty.values())
    bare = Region(image, mask, (1.0,) * 3, "SUV", intensity_mask=nothing)
    found = features_of(bare, ((family, settings),))
    numbers = [value for value in found.values() if not math.isnan(value)]
    assert family.of_the_mask or not numbers
    assert why_undefined(bare, next(iter(infos.values()))) == "re-segmentation has left no intensity"


def test_shape_without_intensities_lacks_only_what_needs_them() -> None:
    family = load_family("shape")
    image, mask = boxed((4, 5, 6))
    bare = Region(image, mask, (1.0,) * 3, "HU", intensity_mask=np.zeros(mask.shape, bool))
    found = features_of(bare, ((family, family.settings()),))
    undefined = [name for name, value in found.items() if math.isnan(value)]
    assert undefined == ["shape.centre_of_mass_shift", "shape.integrated_intensity"]
    assert found["shape.volume_voxels"] == 120.0
