"""First-order and shape features against the reference values of the IBSI digital phantom, to the tolerance."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk

from tasks.extract.families import first_order, shape
from tasks.extract.region import Region

TAGS = {
    "first_order": {
        "stat_mean": "mean",
        "stat_var": "variance",
        "stat_skew": "skewness",
        "stat_kurt": "kurtosis",
        "stat_median": "median",
        "stat_min": "minimum",
        "stat_p10": "percentile_10",
        "stat_p90": "percentile_90",
        "stat_max": "maximum",
        "stat_iqr": "interquartile_range",
        "stat_range": "range",
        "stat_mad": "mean_absolute_deviation",
        "stat_rmad": "robust_mean_absolute_deviation",
        "stat_medad": "median_absolute_deviation",
        "stat_cov": "coefficient_of_variation",
        "stat_qcod": "quartile_coefficient_of_dispersion",
        "stat_energy": "energy",
        "stat_rms": "root_mean_square",
    },
    "shape": {
        "morph_volume": "volume_mesh",
        "morph_vol_approx": "volume_voxels",
        "morph_area_mesh": "surface_area",
        "morph_av": "surface_to_volume",
        "morph_comp_1": "compactness_1",
        "morph_comp_2": "compactness_2",
        "morph_sph_dispr": "spherical_disproportion",
        "morph_sphericity": "sphericity",
        "morph_asphericity": "asphericity",
        "morph_com": "centre_of_mass_shift",
        "morph_diam": "maximum_diameter",
        "morph_pca_maj_axis": "major_axis_length",
        "morph_pca_min_axis": "minor_axis_length",
        "morph_pca_least_axis": "least_axis_length",
        "morph_pca_elongation": "elongation",
        "morph_pca_flatness": "flatness",
        "morph_vol_dens_aabb": "volume_density_box",
        "morph_area_dens_aabb": "area_density_box",
        "morph_vol_dens_aee": "volume_density_ellipsoid",
        "morph_area_dens_aee": "area_density_ellipsoid",
        "morph_vol_dens_conv_hull": "volume_density_hull",
        "morph_area_dens_conv_hull": "area_density_hull",
        "morph_integ_int": "integrated_intensity",
    },
}


@pytest.fixture(scope="module")
def phantom(real_data: Path) -> Region:
    folder = real_data / "ibsi" / "ibsi_1_digital_phantom" / "nifti"
    image = sitk.ReadImage(str(folder / "image" / "phantom.nii.gz"))
    mask = sitk.ReadImage(str(folder / "mask" / "mask.nii.gz"))
    z, y, x = (float(s) for s in image.GetSpacing()[::-1])
    return Region(sitk.GetArrayFromImage(image), sitk.GetArrayFromImage(mask) > 0, (z, y, x), "arbitrary")


@pytest.fixture(scope="module")
def reference(real_data: Path) -> dict[str, tuple[float, float, int]]:
    """Tag -> value, tolerance, significant digits given."""
    path = real_data / "ibsi" / "reference_ibsi1" / "ibsi_1_dig_phantom.csv"
    with path.open(encoding="utf-8-sig") as lines:
        rows = [row for row in csv.DictReader(lines, delimiter=";") if row["reference value"]]
    return {
        row["tag"]: (
            float(row["reference value"]),
            float(row["tolerance"]),
            len(row["reference value"].lstrip("-0.").replace(".", "")),
        )
        for row in rows
    }


@pytest.mark.parametrize("tag", TAGS["first_order"])
def test_intensity_statistics_have_the_reference_value(tag: str, phantom: Region, reference: dict) -> None:
    _check(tag, first_order.compute(phantom, first_order.Settings())[TAGS["first_order"][tag]], reference)


@pytest.mark.parametrize("tag", TAGS["shape"])
def test_morphological_features_have_the_reference_value(tag: str, phantom: Region, reference: dict) -> None:
    _check(tag, shape.compute(phantom, shape.Settings())[TAGS["shape"][tag]], reference)


def test_all_features_of_both_families_are_compared() -> None:
    assert set(TAGS["first_order"].values()) == set(first_order.FEATURES)
    assert set(TAGS["shape"].values()) == set(shape.FEATURES)


def _check(tag: str, value: float, reference: dict) -> None:
    expected, tolerance, digits = reference[tag]
    # A tolerance of 0 means equality to the three significant digits that are published.
    rounded = float(np.format_float_positional(value, precision=max(digits, 3), fractional=False))
    assert abs(rounded - expected) <= tolerance + 1e-9, f"{value} is not {expected} ± {tolerance}"
