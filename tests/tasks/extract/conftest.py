"""The digital phantom of the IBSI and its reference values."""

from __future__ import annotations

import csv
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk

from tasks.extract.discretize import Discretization
from tasks.extract.region import Region


@pytest.fixture(scope="session")
def digital_phantom(real_data: Path) -> Region:
    """The phantom, whose intensities are levels already."""
    folder = real_data / "ibsi" / "ibsi_1_digital_phantom" / "nifti"
    image = sitk.ReadImage(str(folder / "image" / "phantom.nii.gz"))
    mask = sitk.ReadImage(str(folder / "mask" / "mask.nii.gz"))
    z, y, x = (float(s) for s in image.GetSpacing()[::-1])
    inside = sitk.GetArrayFromImage(mask) > 0
    levels = Discretization(method="none")
    return Region(sitk.GetArrayFromImage(image), inside, (z, y, x), "arbitrary", discretization=levels)


@pytest.fixture(scope="session")
def reference(real_data: Path) -> dict[str, tuple[float, int, float]]:
    """Value, tolerance and number of published digits by the standard's tag."""
    path = real_data / "ibsi" / "reference_ibsi1" / "ibsi_1_dig_phantom.csv"
    with path.open(encoding="utf-8-sig") as lines:
        rows = [row for row in csv.DictReader(lines, delimiter=";") if row["reference value"]]
    return {row["tag"]: (*_number(row["reference value"]), float(row["tolerance"])) for row in rows}


@pytest.fixture(scope="session")
def meets_reference(reference: dict[str, tuple[float, int, float]]) -> Callable[[str, float], bool]:
    """Whether a value is the published one, to its digits and within its tolerance."""

    def meets(tag: str, value: float) -> bool:
        expected, digits, tolerance = reference[tag]
        rounded = float(np.format_float_positional(value, precision=digits, fractional=False))
        return abs(rounded - expected) <= tolerance + 1e-9

    return meets


def _number(text: str) -> tuple[float, int]:
    """A number and its significant digits, at least three: 1490 has three, and so has 0.3, which stands for 0.300."""
    significant = text.lstrip("-0.").replace(".", "")
    return float(text), max(3, len(significant if "." in text else significant.rstrip("0")))
