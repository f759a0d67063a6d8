"""Shapes whose volume, area and axes are known in closed form."""

from __future__ import annotations

import math

import numpy as np
import pytest

from storage.volume import Triple
from tasks.extract.families.shape import FEATURES, Settings, compute
from tasks.extract.region import Region


def measure(
    mask: np.ndarray, spacing_mm: Triple = (1.0, 1.0, 1.0), image: np.ndarray | None = None
) -> dict[str, float]:
    return compute(Region(np.ones(mask.shape) if image is None else image, mask, spacing_mm, "HU"), Settings())


def ellipsoid(semi_axes_mm: Triple, spacing_mm: Triple) -> np.ndarray:
    counts = [2 * int(a / s) + 5 for a, s in zip(semi_axes_mm, spacing_mm, strict=True)]
    grids = np.meshgrid(*[(np.arange(n) - n // 2) * s for n, s in zip(counts, spacing_mm, strict=True)], indexing="ij")
    return sum((g / a) ** 2 for g, a in zip(grids, semi_axes_mm, strict=True)) < 1


def test_one_voxel_of_1_mm_is_an_octahedron_of_a_sixth() -> None:
    # The surface at half height lies half a voxel from the centre along each axis: |x| + |y| + |z| = 1/2.
    values = measure(np.ones((1, 1, 1), bool))
    assert values["volume_voxels"] == 1.0
    assert values["volume_mesh"] == pytest.approx(1 / 6)
    assert values["surface_area"] == pytest.approx(math.sqrt(3))
    assert values["maximum_diameter"] == pytest.approx(1.0)
    assert values["major_axis_length"] == 0.0
    assert math.isnan(values["elongation"])
    assert math.isnan(values["volume_density_ellipsoid"])


def test_a_box_has_its_sides_and_axes() -> None:
    values = measure(np.ones((4, 6, 10), bool), (2.0, 1.0, 1.0))
    assert values["volume_voxels"] == 480.0
    # 4 sqrt(variance) with variance s² (n² - 1) / 12 of n voxels in a row, for a sample of 240 voxels.
    expected = [4 * s * math.sqrt((n**2 - 1) / 12 * 240 / 239) for n, s in ((10, 1), (4, 2), (6, 1))]
    names = ("major_axis_length", "minor_axis_length", "least_axis_length")
    assert [values[n] for n in names] == pytest.approx(expected)
    assert values["elongation"] == pytest.approx(expected[1] / expected[0])
    assert values["volume_density_hull"] == pytest.approx(1.0, abs=0.01)


@pytest.mark.parametrize("spacing_mm", [(1.0, 1.0, 1.0), (2.0, 0.8, 0.8)])
def test_a_ball_of_20_mm_is_round_at_any_spacing(spacing_mm: Triple) -> None:
    values = measure(ellipsoid((20.0, 20.0, 20.0), spacing_mm), spacing_mm)
    assert values["volume_mesh"] == pytest.approx(4 / 3 * math.pi * 20**3, rel=0.02)
    assert values["surface_area"] == pytest.approx(4 * math.pi * 20**2, rel=0.15)  # the mesh has steps: 8-13 % too much
    assert values["maximum_diameter"] == pytest.approx(40.0, abs=2.0)
    assert values["sphericity"] == pytest.approx(0.91, abs=0.04)
    assert values["elongation"] == pytest.approx(1.0, abs=0.01)
    assert values["flatness"] == pytest.approx(1.0, abs=0.01)
    assert values["area_density_ellipsoid"] == pytest.approx(
        values["surface_area"] / (4 * math.pi * 400 * 0.8), rel=0.02
    )


def test_a_long_ellipsoid_has_its_axes_ratio_and_ellipsoid_density_one() -> None:
    values = measure(ellipsoid((10.0, 15.0, 30.0), (1.0, 1.0, 1.0)))
    assert values["elongation"] == pytest.approx(0.5, abs=0.01)
    assert values["flatness"] == pytest.approx(1 / 3, abs=0.01)
    # A solid ellipsoid of semi-axis a has variance a²/5: its principal axis is 4 a / sqrt(5), not 2 a.
    assert values["major_axis_length"] == pytest.approx(4 * 30 / math.sqrt(5), rel=0.01)
    assert values["volume_density_ellipsoid"] == pytest.approx((5**0.5 / 2) ** 3, rel=0.02)


def test_roundness_measures_are_one_quantity_in_six_forms() -> None:
    v = measure(np.ones((3, 4, 5), bool))
    assert v["compactness_2"] == pytest.approx(v["sphericity"] ** 3)
    assert v["compactness_1"] == pytest.approx(math.sqrt(v["compactness_2"]) / (6 * math.pi))
    assert v["spherical_disproportion"] * v["sphericity"] == pytest.approx(1.0)
    assert v["asphericity"] == pytest.approx(v["spherical_disproportion"] - 1.0)
    assert v["surface_to_volume"] == pytest.approx(v["surface_area"] / v["volume_mesh"])


def test_doubling_the_spacing_doubles_lengths_and_keeps_ratios() -> None:
    mask = ellipsoid((4.0, 5.0, 7.0), (1.0, 1.0, 1.0))
    one, two = measure(mask), measure(mask, (2.0, 2.0, 2.0))
    powers = {"mm": 2.0, "mm2": 4.0, "mm3": 8.0, "1/mm": 0.5, "1": 1.0, "intensity mm3": 8.0}
    for name, info in FEATURES.items():
        assert two[name] == pytest.approx(one[name] * powers[info.unit], rel=1e-5), name


def test_the_centre_of_mass_shift_is_in_mm() -> None:
    image = np.array([[[1.0, 3.0]]])
    # Voxels 3 mm apart: geometric centre at 1.5 mm, centre of intensity at 2.25 mm.
    assert measure(image > 0, (1.0, 1.0, 3.0), image)["centre_of_mass_shift"] == pytest.approx(0.75)
    assert math.isnan(measure(image > 0, image=image - 2.0)["centre_of_mass_shift"])


def test_a_flat_mask_has_flatness_zero() -> None:
    values = measure(np.ones((1, 5, 5), bool))
    assert values["flatness"] == 0.0
    assert math.isnan(values["area_density_ellipsoid"])


def test_a_margin_changes_nothing() -> None:
    mask = ellipsoid((3.0, 4.0, 5.0), (1.0, 1.0, 1.0))
    assert measure(np.pad(mask, 3)) == pytest.approx(measure(mask), nan_ok=True)
