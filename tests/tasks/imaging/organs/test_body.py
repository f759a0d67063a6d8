"""The body in phantoms of air, tissue and a table."""

from __future__ import annotations

import numpy as np
import pytest

from storage.errors import CaseError
from tasks.imaging.organs.body import Settings, body_mask

SPACING = (3.0, 2.0, 2.0)


def patient(air: float, tissue: float) -> np.ndarray:
    """A block of tissue with a hole in each slice, and a thin table below."""
    image = np.full((6, 40, 40), air, dtype=np.float32)
    image[:, 8:30, 8:32] = tissue
    image[:, 14:22, 14:22] = air
    image[:, 36, 5:35] = tissue
    return image


@pytest.mark.parametrize(
    ("unit", "air", "tissue"), [("HU", -1000.0, 40.0), ("SUV", 0.0, 0.4), ("arbitrary", 3.0, 250.0)]
)
def test_the_body_is_found_by_its_unit_with_its_hole_and_without_the_table(
    unit: str, air: float, tissue: float
) -> None:
    mask = body_mask(patient(air, tissue), spacing_mm=SPACING, unit=unit, settings=Settings(smoothing_sigma_mm=0))
    expected = np.zeros(mask.shape, dtype=bool)
    expected[:, 8:30, 8:32] = True
    assert (mask == expected).all()


def test_two_legs_stay_two_legs() -> None:
    image = np.zeros((4, 20, 40))
    image[:, 5:15, 3:15] = image[:, 5:15, 25:35] = 1.0
    mask = body_mask(image, spacing_mm=SPACING, unit="SUV", settings=Settings(smoothing_sigma_mm=0))
    assert mask.sum() == 4 * 10 * 22


def test_a_threshold_of_its_own_overrides_the_unit() -> None:
    mask = body_mask(
        patient(0.0, 0.4), spacing_mm=SPACING, unit="SUV", settings=Settings(threshold=0.1, smoothing_sigma_mm=0)
    )
    assert mask.any()
    with pytest.raises(CaseError, match="no voxel above the threshold"):
        body_mask(patient(0.0, 0.4), spacing_mm=SPACING, unit="SUV", settings=Settings(threshold=0.5))


def test_an_image_of_one_intensity_has_no_body() -> None:
    with pytest.raises(CaseError, match="all voxels have intensity 7"):
        body_mask(np.full((3, 5, 5), 7.0), spacing_mm=SPACING, unit="arbitrary")
