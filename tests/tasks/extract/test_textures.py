"""What holds for all six texture families, whatever they count."""

from __future__ import annotations

import itertools
import math
from types import ModuleType

import numpy as np
import pytest
from pydantic import ValidationError

from tasks.extract.discretize import Discretization
from tasks.extract.families import glcm, gldzm, glrlm, glszm, ngldm, ngtdm
from tasks.extract.region import Region

OF_DIRECTIONS = (glcm, glrlm)
OTHERS = (glszm, gldzm, ngtdm, ngldm)
FAMILIES = OF_DIRECTIONS + OTHERS
EIGHT = Discretization(bins=8)

pytestmark = pytest.mark.filterwarnings("error")
each_family = pytest.mark.parametrize("family", FAMILIES, ids=lambda family: family.__name__.rpartition(".")[2])


def aggregations(family: ModuleType, dimensions: tuple[str, ...] = ("2D", "2_5D", "3D")) -> tuple[str, ...]:
    if family in OTHERS:
        return dimensions
    return tuple(f"{one}_{way}" for one in dimensions for way in ("avg", "comb"))


def values(family: ModuleType, region: Region, dimensions: tuple[str, ...] = ("2D", "2_5D", "3D")) -> dict[str, float]:
    settings = family.Settings(aggregations=aggregations(family, dimensions))
    found = family.compute(region, settings)
    assert list(found) == list(family.features(settings))
    return found


def scene() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Smooth noise, an ellipsoid in it, and the ellipsoid less its brightest voxels."""
    rng = np.random.default_rng(3)
    image = rng.normal(size=(9, 12, 15)).cumsum(axis=0).cumsum(axis=2)
    z, y, x = np.ogrid[-4:5, -6:6, -7:8]
    mask = (z / 3.5) ** 2 + (y / 5) ** 2 + (x / 6.5) ** 2 < 1
    return image, mask, mask & (image < np.quantile(image[mask], 0.95))


def region(image: np.ndarray, mask: np.ndarray, counted: np.ndarray | None = None) -> Region:
    return Region(image, mask, (3.0, 1.0, 1.0), "HU", counted, EIGHT)


@each_family
def test_what_lies_around_the_region_does_not_matter(family: ModuleType) -> None:
    image, mask, counted = scene()
    expected = values(family, region(image, mask, counted))
    wide = [np.pad(array, ((2, 1), (0, 3), (4, 0))) for array in (np.where(counted, image, 1e6), mask, counted)]
    assert values(family, region(*wide)) == expected
    assert all(math.isfinite(value) for value in expected.values())


@each_family
def test_a_mirrored_region_has_the_same_textures(family: ModuleType) -> None:
    arrays = scene()
    expected = values(family, region(*arrays))
    for axis in range(3):
        mirrored = [np.flip(array, axis) for array in arrays]
        assert values(family, region(*mirrored)) == pytest.approx(expected, rel=1e-9)


@each_family
def test_in_the_volume_the_order_of_the_axes_does_not_matter(family: ModuleType) -> None:
    arrays = scene()
    expected = values(family, region(*arrays), ("3D",))
    for order in itertools.permutations(range(3)):
        turned = [array.transpose(order) for array in arrays]
        assert values(family, region(*turned), ("3D",)) == pytest.approx(expected, rel=1e-9)


@each_family
def test_slices_are_planes_of_the_first_axis(family: ModuleType) -> None:
    image, mask, counted = scene()
    expected = values(family, region(image, mask, counted), ("2D", "2_5D"))
    order = np.random.default_rng(0).permutation(len(image))
    shuffled = [array[order] for array in (image, mask, counted)]
    assert values(family, region(*shuffled), ("2D", "2_5D")) == pytest.approx(expected, rel=1e-9)
    turned = [array.swapaxes(1, 2) for array in (image, mask, counted)]
    assert values(family, region(*turned), ("2D", "2_5D")) == pytest.approx(expected, rel=1e-9)


@each_family
def test_a_slice_without_voxels_does_not_count(family: ModuleType) -> None:
    image, mask, counted = scene()
    gap = [np.insert(array, 4, 0, axis=0) for array in (image, mask, counted)]
    expected = values(family, region(image, mask, counted), ("2D", "2_5D"))
    assert values(family, region(*gap), ("2D", "2_5D")) == expected


@each_family
def test_of_one_slice_all_of_them_are_the_same_as_its_own(family: ModuleType) -> None:
    image, mask, counted = (array[4:5] for array in scene())
    found = values(family, region(image, mask, counted))
    for name in family.KNOWN:
        for way in ("",) if family in OTHERS else ("_avg", "_comb"):
            assert found[f"{name}_2D{way}"] == pytest.approx(found[f"{name}_2_5D{way}"])
            # Across the slice runs have length 1, and all its voxels lie at the border.
            if family not in (glrlm, gldzm):
                assert found[f"{name}_3D{way}"] == pytest.approx(found[f"{name}_2D{way}"])


@each_family
@pytest.mark.parametrize("shape", [(1, 1, 1), (1, 1, 4), (3, 3, 3)])
def test_constant_regions_have_values_or_a_reason_for_none(family: ModuleType, shape: tuple[int, ...]) -> None:
    settings = family.Settings(aggregations=aggregations(family))
    infos = family.features(settings)
    for name, value in values(family, region(np.full(shape, 7.0), np.ones(shape, bool))).items():
        assert math.isfinite(value) or (math.isnan(value) and infos[name].nan_when), name


@each_family
def test_thousands_of_levels_are_no_burden(family: ModuleType) -> None:
    image, mask, _ = scene()
    found = values(family, Region(image, mask, (1.0, 1.0, 1.0), "HU", discretization=Discretization(bins=5000)))
    assert all(math.isfinite(value) for value in found.values())


@each_family
def test_features_carry_code_tag_and_aggregation(family: ModuleType) -> None:
    infos = family.features(family.Settings(aggregations=aggregations(family)))
    for name, info in infos.items():
        [kind] = [kind for kind in aggregations(family) if name.endswith(f"_{kind}")]
        assert info.tag is not None
        assert info.tag.endswith(f"_{kind}")
        assert info.ibsi_code is not None
        assert len(info.ibsi_code) == 4
    assert len({info.ibsi_code for info in infos.values()}) == len(family.KNOWN)


@each_family
def test_each_aggregation_is_named_once_and_is_one_of_the_familys(family: ModuleType) -> None:
    kind = aggregations(family)[0]
    for wrong, message in (((kind, kind), "each aggregation once"), ((), "at least 1"), (("4D",), "Input should be")):
        with pytest.raises(ValidationError, match=message):
            family.Settings(aggregations=wrong)
