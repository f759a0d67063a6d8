"""Lung fields of a phantom with one nodule inside and one on the pleura."""

from __future__ import annotations

import numpy as np
import pytest

from storage.errors import CaseError
from tasks.imaging.organs.lungs import Settings, lung_mask

SPACING = (2.5, 2.0, 2.0)


def chest() -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """HU, body, a ball of 10 mm radius inside the lung, and one of 8 mm whose centre lies on the pleura."""
    z, y, x = np.meshgrid(np.arange(40) * 2.5, np.arange(60) * 2.0, np.arange(60) * 2.0, indexing="ij")
    body = ((y - 60) / 56) ** 2 + ((x - 60) / 56) ** 2 < 1
    lung = ((z - 50) / 45) ** 2 + ((y - 60) / 40) ** 2 + ((x - 60) / 40) ** 2 < 1
    inside = (z - 50) ** 2 + (y - 60) ** 2 + (x - 60) ** 2 < 10**2
    pleural = ((z - 50) ** 2 + (y - 60) ** 2 + (x - 100) ** 2 < 8**2) & lung
    hu = np.where(body, 40.0, -1000.0)
    hu[lung] = -850.0
    hu[inside | pleural] = 30.0
    return hu, body, inside, pleural


def test_nodules_inside_and_on_the_pleura_belong_to_the_lung() -> None:
    hu, body, inside, pleural = chest()
    lungs = lung_mask(hu, body, spacing_mm=SPACING)
    assert lungs[inside].all()
    # A ball of 15 mm over a dent of 8 mm radius sinks in by 15 - sqrt(15² - 8²) = 2.3 mm: a cap stays outside.
    assert 0.5 < lungs[pleural].mean() < 0.8


def test_without_closing_the_pleural_nodule_is_outside() -> None:
    hu, body, _, pleural = chest()
    lungs = lung_mask(hu, body, spacing_mm=SPACING, settings=Settings(closing_mm=0))
    assert not lungs[pleural].any()


def test_the_lung_stays_inside_the_body_and_off_the_air_outside() -> None:
    hu, body, _, _ = chest()
    lungs = lung_mask(hu, body, spacing_mm=SPACING)
    assert not (lungs & ~body).any()
    assert lungs.sum() < 1.05 * (hu[body] < -400).sum() + 4 / 3 * np.pi * (10**3 + 8**3) / 10


def test_a_body_with_little_air_has_no_lungs() -> None:
    hu, body, _, _ = chest()
    hu[body] = 40.0
    hu[20, 30, 30] = -900.0
    with pytest.raises(CaseError, match=r"at least 200 ml of air inside the body, got 0\.0 ml"):
        lung_mask(hu, body, spacing_mm=SPACING)
