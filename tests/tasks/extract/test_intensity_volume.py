"""Intensity-volume histograms of a few voxels."""

from __future__ import annotations

import math

import numpy as np
import pytest

from storage.errors import CaseError
from storage.volume import Volume
from tasks.extract.describe import Describer
from tasks.extract.discretize import Discretization
from tasks.extract.families.intensity_volume import Settings, compute, features
from tasks.extract.region import Region
from tasks.extract.settings import Settings as ExtractSettings

WHOLE = Discretization(method="none")


def measure(
    values: list[float], bins: Discretization = WHOLE, limits: tuple[float | None, float | None] = (None, None)
) -> dict[str, float]:
    image = np.array(values, dtype=np.float32).reshape(1, 1, -1)
    region = Region(image, np.ones(image.shape, bool), (1.0,) * 3, "HU", limits=limits)
    return compute(region, Settings(discretization=bins))


def test_one_to_ten() -> None:
    found = measure([float(v) for v in range(1, 11)])
    # 10 % of the range is 1.9, so that 2 is the first with as much: nine of ten have it; 90 % is 9.1.
    assert found["volume_at_intensity_10"] == pytest.approx(0.9)
    assert found["volume_at_intensity_90"] == pytest.approx(0.1)
    assert found["volume_difference"] == pytest.approx(0.8)
    # At most 10 % have 10 or more, at most 90 % have 2 or more.
    assert found["intensity_at_volume_10"] == 10
    assert found["intensity_at_volume_90"] == 2
    assert found["intensity_difference"] == 8
    # Volumes 1, 0.9, …, 0.1 over nine equal steps.
    assert found["area_under_curve"] == pytest.approx(0.55)


def test_the_fractions_refer_to_the_limits_of_resegmentation() -> None:
    found = measure([0.0] * 5 + [50.0] * 5, limits=(-100, 400))
    # 10 % of -100 … 400 is -50: all have it; 90 % is 350: none has.
    assert (found["volume_at_intensity_10"], found["volume_at_intensity_90"]) == (1.0, 0.0)
    assert (found["intensity_at_volume_10"], found["intensity_at_volume_90"]) == (51, 1)


def test_bins_of_one_size_are_named_by_their_centres() -> None:
    bins = Discretization(method="fixed_bin_size", width=2.5)
    found = measure([0.0, 3.0, 6.0, 9.9], bins, limits=(-5.0, None))
    # Bins from -5: the values are in those from 0, 2.5, 5 and 7.5.
    assert found["intensity_at_volume_10"] == pytest.approx(11.25)
    assert found["intensity_at_volume_90"] == pytest.approx(3.75)
    assert measure([0.0, 3.0], bins, limits=(-5.0, 20.0))["volume_at_intensity_90"] == 0.0


def test_bins_of_a_fixed_number_are_named_by_their_number() -> None:
    found = measure([0.0, 1.0, 2.0, 3.0], Discretization(bins=4))
    assert (found["intensity_at_volume_10"], found["intensity_at_volume_90"]) == (5, 2)
    assert features(Settings())["intensity_at_volume_10"].unit == "1"
    assert features(Settings(discretization=WHOLE))["intensity_at_volume_10"].unit == "intensity"


def test_limits_come_from_the_settings_of_resegmentation() -> None:
    settings = ExtractSettings.model_validate(
        {
            "families": ["intensity_volume"],
            "resegmentation": {"lowest": -100, "highest": 400},
            "intensity_volume": {"discretization": {"method": "none"}},
        }
    )
    describer = Describer(Volume(np.array([[[0, 0, 50, 50, 999]]], dtype=np.int16), (1.0,) * 3, unit="HU"), settings)
    box = (slice(0, 1), slice(0, 1), slice(0, 5))
    found = describer.describe(*describer.region(box, np.ones((1, 1, 5), bool)))
    assert found["intensity_volume.intensity_at_volume_10"] == 51
    assert found["intensity_volume.volume_at_intensity_90"] == 0.0


def test_intensities_in_one_bin_leave_everything_undefined() -> None:
    for bins in (WHOLE, Discretization(bins=1000), Discretization(method="fixed_bin_size", width=10)):
        assert all(math.isnan(value) for value in measure([7.0, 7.0], bins).values())


def test_intensities_that_are_not_whole_need_bins() -> None:
    with pytest.raises(CaseError, match="whole numbers as intensities"):
        measure([0.5, 1.0])
    with pytest.raises(CaseError, match="at most 65536"):
        measure([0.0, 1e6])
