"""PET: spheres of known activity behind a known point-spread function, and lesions of a few voxels."""

from __future__ import annotations

import math

import numpy as np
import pytest
from pydantic import ValidationError
from scipy import ndimage
from scipy.special import erf

from storage.volume import Triple
from tasks.extract.families.pet import Settings, compute, features, inner_diameter_mm, recovery_at_centre
from tasks.extract.region import Region

FWHM_MM = 7.0
SIGMA_MM = FWHM_MM / math.sqrt(8 * math.log(2))
SPACING_MM = 2.0


def blurred_ball(distance_mm: np.ndarray, radius_mm: float) -> np.ndarray:
    """A ball of 1 in 0 behind a Gaussian, in closed form, at distances from its centre."""
    r, s = np.maximum(distance_mm, 1e-6), SIGMA_MM
    inner, outer = (radius_mm - r) / (math.sqrt(2) * s), (radius_mm + r) / (math.sqrt(2) * s)
    return (erf(inner) + erf(outer)) / 2 - s / (r * math.sqrt(2 * math.pi)) * (
        np.exp(-(inner**2)) - np.exp(-(outer**2))
    )


def phantom(radius_mm: float, uptake: float, background: float) -> tuple[np.ndarray, np.ndarray]:
    """A scan of a ball and its true mask, in voxels of 2 mm."""
    reach = int((radius_mm + 20) / SPACING_MM)
    places = np.arange(-reach, reach + 1) * SPACING_MM
    distance = np.sqrt(sum(axis**2 for axis in np.meshgrid(places, places, places, indexing="ij")))
    return background + (uptake - background) * blurred_ball(distance, radius_mm), distance <= radius_mm


def measure(image: np.ndarray, mask: np.ndarray, spacing_mm: Triple = (SPACING_MM,) * 3, **chosen) -> dict[str, float]:
    return compute(Region(image, mask, spacing_mm, "SUV"), Settings(psf_fwhm_mm=FWHM_MM, **chosen))


def test_the_closed_form_is_the_convolution() -> None:
    fine = 0.5
    places = np.arange(-60, 61) * fine
    distance = np.sqrt(sum(axis**2 for axis in np.meshgrid(places, places, places, indexing="ij")))
    blurred = ndimage.gaussian_filter((distance <= 8.0).astype(float), SIGMA_MM / fine)
    assert blurred[60, 60, 60::8] == pytest.approx(blurred_ball(distance[60, 60, 60::8], 8.0), abs=0.01)


def test_a_large_sphere_keeps_its_uptake_volume_and_glycolysis() -> None:
    found = measure(*phantom(30.0, uptake=8.0, background=0.0))
    ml = 4 / 3 * math.pi * 3.0**3
    assert found["suv_max"] == pytest.approx(8.0, rel=1e-3)
    assert found["suv_peak"] == pytest.approx(8.0, rel=1e-3)
    assert found["mtv"] == pytest.approx(ml, rel=0.01)
    # A blurred edge stands at half height where the true one is: half of the maximum returns the volume.
    half = measure(*phantom(30.0, uptake=8.0, background=0.0), fraction_of_maximum=0.48)
    assert half["mtv_48_percent"] == pytest.approx(ml, rel=0.02)
    # What the edge has lost to its surroundings is lost to the region.
    assert found["tlg"] == pytest.approx(found["suv_mean"] * found["mtv"])
    assert 0.8 < found["tlg"] / (8.0 * ml) < 0.95
    assert found["partial_volume_affected"] == 0.0
    assert found["inner_diameter"] == pytest.approx(60.0, abs=2 * SPACING_MM)
    assert found["recovery_at_centre"] == pytest.approx(1.0, abs=1e-3)


@pytest.mark.parametrize("radius_mm", [4.0, 6.0, 9.0])
def test_a_small_sphere_loses_as_much_as_its_recovery_says_and_is_warned_of(radius_mm: float) -> None:
    found = measure(*phantom(radius_mm, uptake=8.0, background=1.0))
    expected = 1.0 + 7.0 * recovery_at_centre(2 * radius_mm, FWHM_MM)
    assert found["suv_max"] == pytest.approx(expected, rel=1e-3)
    assert found["suv_max"] < 8.0
    assert found["partial_volume_affected"] == 1.0
    # The ball that fits into the steps of the voxels is smaller: the warning is louder than the truth, not much.
    assert -0.2 < found["recovery_at_centre"] - (found["suv_max"] - 1.0) / 7.0 < 0.0


def test_the_warning_begins_at_three_widths() -> None:
    box = np.ones((11, 11, 11), bool)  # 22 mm: more than 21
    assert measure(np.where(np.pad(box, 5), 5.0, 0.0), np.pad(box, 5))["partial_volume_affected"] == 0.0
    assert measure(np.where(np.pad(box[1:], 5), 5.0, 0.0), np.pad(box[1:], 5))["partial_volume_affected"] == 1.0


def test_recovery_grows_from_nothing_to_all() -> None:
    shares = [recovery_at_centre(diameter, FWHM_MM) for diameter in (0.0, 3.5, 7.0, 14.0, 21.0, 70.0)]
    assert shares == sorted(shares)
    assert (shares[0], shares[-1]) == pytest.approx((0.0, 1.0))
    # At one FWHM: erf(sqrt(ln 2)) - 2 sqrt(ln 2 / pi) / 2.
    assert shares[2] == pytest.approx(erf(math.sqrt(math.log(2))) - math.sqrt(math.log(2) / math.pi))


def test_volumes_and_glycolysis_above_thresholds() -> None:
    image = np.array([[[1.0, 2.5, 3.0, 4.0, 10.0]]])
    found = measure(image, np.ones(image.shape, bool), (10.0, 10.0, 10.0))
    assert (found["suv_max"], found["suv_mean"], found["mtv"], found["tlg"]) == pytest.approx((10.0, 4.1, 5.0, 20.5))
    assert (found["mtv_41_percent"], found["tlg_41_percent"]) == pytest.approx((1.0, 10.0))
    assert (found["mtv_suv_2_5"], found["tlg_suv_2_5"]) == pytest.approx((4.0, 19.5))
    assert (found["mtv_suv_4"], found["tlg_suv_4"]) == pytest.approx((2.0, 14.0))
    assert list(found) == list(features(Settings()))


def test_a_lesion_below_a_threshold_has_no_volume_above_it() -> None:
    image = np.full((2, 2, 2), 1.5)
    found = measure(image, image > 0)
    assert found["mtv_suv_2_5"] == found["tlg_suv_4"] == 0.0


@pytest.mark.parametrize(
    ("shape", "spacing_mm", "thickness_mm"),
    [((3, 30, 30), (5.0, 1.0, 1.0), 15.0), ((30, 30, 4), (2.0, 2.0, 3.0), 12.0), ((1, 1, 1), (4.0, 4.0, 4.0), 4.0)],
)
def test_the_inner_diameter_of_a_slab_is_its_thickness(
    shape: tuple[int, int, int], spacing_mm: Triple, thickness_mm: float
) -> None:
    region = Region(np.ones(shape), np.ones(shape, bool), spacing_mm, "SUV")
    assert inner_diameter_mm(region) == pytest.approx(thickness_mm)


def test_nothing_is_said_about_an_image_that_is_not_in_suv() -> None:
    image = np.ones((2, 2, 2))
    found = compute(Region(image, image > 0, (1.0, 1.0, 1.0), "HU"), Settings())
    assert all(math.isnan(value) for value in found.values())
    assert {info.nan_when for info in features(Settings()).values()} == {"the image is not in SUV"}


def test_a_threshold_is_named_once() -> None:
    with pytest.raises(ValidationError, match="each threshold once"):
        Settings(thresholds_suv=(4.0, 4.0))
