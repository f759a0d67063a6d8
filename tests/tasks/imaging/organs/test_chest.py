"""Lungs, airways and liver of a generated chest, of which the truth is known."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import ndimage

from storage.volume import Volume
from tasks.imaging.airways import main_airways, trachea
from tasks.imaging.organs import liver, lungs
from tasks.imaging.organs.body import body_mask
from tasks.phantom.thorax import ThoraxPhantom, thorax

SPACING = (4.0, 3.0, 3.0)
MIRRORED = ((0.0, 0.0, -1.0), (0.0, 1.0, 0.0), (1.0, 0.0, 0.0))


@pytest.fixture(scope="module")
def chest() -> ThoraxPhantom:
    return thorax(np.random.default_rng(3), shape=(72, 120, 120), spacing_mm=SPACING, nodules=3)


@pytest.fixture(scope="module")
def found(chest: ThoraxPhantom) -> np.ndarray:
    return lungs.Settings().find_in(chest.volume).labels


def dice(one: np.ndarray, other: np.ndarray) -> float:
    return float(2 * (one & other).sum() / (one.sum() + other.sum()))


def test_the_lungs_of_a_generated_chest_are_found(chest: ThoraxPhantom, found: np.ndarray) -> None:
    assert dice(found > 0, chest.lungs) > 0.95
    assert (found > 0)[chest.lungs].mean() > 0.98
    assert lungs.Settings().find_in(chest.volume).verdict == "accepted"


def test_right_and_left_are_told_apart_and_swap_with_the_frame(chest: ThoraxPhantom, found: np.ndarray) -> None:
    middle = found.shape[2] // 2
    assert (found[:, :, : middle - 12] != 2).all()  # low x is the patient's right
    assert (found[:, :, middle + 12 :] != 1).all()
    mirrored = Volume(chest.hu, SPACING, direction=MIRRORED, unit="HU")
    swapped = lungs.Settings().find_in(mirrored).labels
    assert np.array_equal(swapped, np.asarray([0, 2, 1])[found])


def test_the_trachea_is_no_lung(chest: ThoraxPhantom, found: np.ndarray) -> None:
    body = body_mask(chest.hu, spacing_mm=SPACING, unit="HU")
    seed = trachea(chest.hu, (chest.hu < -400) & body, spacing_mm=SPACING)
    assert seed.any()
    assert not (found > 0)[seed].any()
    with_airways = lungs.Settings(airways=False).find_in(chest.volume).labels > 0
    assert with_airways.sum() > (found > 0).sum()


def test_all_nodules_lie_in_the_lungs(chest: ThoraxPhantom, found: np.ndarray) -> None:
    for nodule in chest.nodules:
        at = np.rint(chest.volume.to_index(nodule.ellipsoid.center_mm)).astype(int)
        assert found[tuple(at)] > 0


def test_two_lungs_that_touch_are_parted() -> None:
    z, y, x = np.meshgrid(np.arange(30) * 5.0, np.arange(60) * 4.0, np.arange(70) * 4.0, indexing="ij")
    hu = np.where(((y - 120) / 115) ** 2 + ((x - 140) / 135) ** 2 < 1, 40.0, -1000.0)
    for middle in (85.0, 195.0):
        hu[((y - 120) / 80) ** 2 + ((x - middle) / 50) ** 2 + ((z - 75) / 70) ** 2 < 1] = -850.0
    hu[(np.abs(x - 140) < 10) & (np.abs(y - 60) < 8) & (np.abs(z - 75) < 10)] = -850.0  # a bridge before the heart
    joined = np.zeros(hu.shape, bool)
    joined[:, :, 22:48] = (hu < -400)[:, :, 22:48]
    found = lungs.Settings().find_in(Volume(hu, (5.0, 4.0, 4.0), unit="HU"))
    assert found.verdict == "accepted"
    assert found.labels[15, 30, 21] == 1
    assert found.labels[15, 30, 49] == 2
    right, left = (float((found.labels == part).sum()) for part in (1, 2))
    assert right == pytest.approx(left, rel=0.05)


def test_one_lung_is_doubtful() -> None:
    z, y, x = np.meshgrid(np.arange(30) * 5.0, np.arange(60) * 4.0, np.arange(70) * 4.0, indexing="ij")
    hu = np.where(((y - 120) / 115) ** 2 + ((x - 140) / 135) ** 2 < 1, 40.0, -1000.0)
    hu[((y - 120) / 80) ** 2 + ((x - 80) / 50) ** 2 + ((z - 75) / 70) ** 2 < 1] = -850.0
    found = lungs.Settings().find_in(Volume(hu, (5.0, 4.0, 4.0), unit="HU"))
    assert found.verdict == "doubtful"
    assert "two fields expected, one found" in found.quality()["reasons"]
    assert set(np.unique(found.labels)) == {0, 1}


def test_the_head_has_no_lungs() -> None:
    z, y, x = np.meshgrid(np.arange(40) * 4.0, np.arange(60) * 4.0, np.arange(60) * 4.0, indexing="ij")
    away = np.sqrt(((z - 80) / 75) ** 2 + ((y - 120) / 95) ** 2 + ((x - 120) / 75) ** 2)
    hu = np.select([away < 0.85, away < 0.93, away < 1.0], [35.0, 900.0, 30.0], -1000.0)
    hu[(np.abs(z - 40) < 12) & (np.abs(y - 60) < 15) & (np.abs(x - 120) < 15)] = -1000.0  # a sinus
    found = lungs.Settings().find_in(Volume(hu, (4.0, 4.0, 4.0), unit="HU"))
    assert found.verdict == "refused"
    assert "no lungs found: expected at least 200 ml of air inside the body" in found.quality()["reasons"][0]


def test_airways_grow_from_the_trachea_and_stop_before_the_lung() -> None:
    """Two blocks of lung at -850 HU, a trachea of -1000 HU with a bronchus into each, walls of tissue."""
    hu = np.full((60, 60, 80), 40.0)
    hu[:40, 10:50, 5:30] = hu[:40, 10:50, 50:75] = -850.0
    y, x = np.mgrid[:60, :80]
    tube = np.hypot(y - 30, x - 40) < 8
    lumen = np.zeros(hu.shape, bool)
    lumen[25:, tube] = True
    z, y3 = np.mgrid[:60, :60]
    lumen[:, :, 20:60] |= (np.hypot(z - 25, y3 - 30) < 5)[:, :, None]
    hu[lumen] = -1000.0
    air = hu < -400
    found = main_airways(hu, air, spacing_mm=(1.0, 1.0, 1.0))
    assert found[lumen].mean() > 0.97
    assert found[hu == -850.0].mean() < 0.02
    assert not main_airways(np.where(lumen, 40.0, hu), air & ~lumen, spacing_mm=(1.0, 1.0, 1.0)).any()


def abdomen(rng: np.random.Generator, liver_hu: float) -> tuple[Volume, np.ndarray]:
    """A belly of fat in a muscle wall of 55 HU, with liver, spleen and spine."""
    z, y, x = np.meshgrid(np.arange(30) * 6.0, np.arange(70) * 5.0, np.arange(80) * 5.0, indexing="ij")
    away = np.sqrt(((y - 175) / 140) ** 2 + ((x - 200) / 180) ** 2)
    hu = np.select([away < 0.85, away < 1.0], [-100.0, 55.0], -1000.0)
    truth = ((y - 160) / 85) ** 2 + ((x - 125) / 75) ** 2 + ((z - 90) / 75) ** 2 < 1
    hu[truth] = liver_hu
    hu[((y - 220) / 40) ** 2 + ((x - 310) / 30) ** 2 + ((z - 90) / 45) ** 2 < 1] = liver_hu - 5
    hu[np.hypot(y - 260, x - 200) < 25] = 250.0
    hu = ndimage.gaussian_filter(hu, 0.6) + rng.normal(0, 12, hu.shape)
    return Volume(hu.astype(np.float32), (6.0, 5.0, 5.0), unit="HU"), truth


def test_an_enhanced_liver_is_found() -> None:
    image, truth = abdomen(np.random.default_rng(1), 110.0)
    found = liver.Settings().find_in(image)
    assert found.verdict == "accepted", found.remarks
    assert dice(found.mask, truth) > 0.9


def test_the_liver_lies_on_the_right_whatever_the_frame() -> None:
    image, truth = abdomen(np.random.default_rng(1), 110.0)
    flipped = Volume(image.array[:, :, ::-1], image.spacing_mm, direction=MIRRORED, unit="HU")
    assert dice(liver.Settings().find_in(flipped).mask, truth[:, :, ::-1]) > 0.9
    spleen_first = Volume(image.array[:, :, ::-1], image.spacing_mm, unit="HU")
    assert dice(liver.Settings().find_in(spleen_first).mask, truth[:, :, ::-1]) < 0.5


def test_without_contrast_to_the_wall_it_touches_no_liver_is_accepted() -> None:
    """A belly without fat: organs and muscles of one intensity."""
    image, _ = abdomen(np.random.default_rng(1), 55.0)
    hu = np.where(image.array > -300, 55.0 + np.random.default_rng(2).normal(0, 12, image.shape), -1000.0)
    found = liver.Settings().find_in(image.with_array(hu.astype(np.float32)))
    assert found.verdict == "refused"
