"""Fields and organs of pictures and of a head, on generated ones of which the truth is known."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from storage.volume import Volume
from tasks.imaging.organ import OrganMask, organs
from tasks.imaging.plane_masks import distance_px
from tasks.imaging.step import View
from tasks.phantom.pictures import DrawnPicture, frontal_chest, fundus, head, mammogram, ultrasound


def dice(one: np.ndarray, other: np.ndarray) -> float:
    return float(2 * (one & other).sum() / (one.sum() + other.sum()))


def find(name: str, pixels: np.ndarray, **settings: Any) -> OrganMask:
    return organs()[name](**settings).find(pixels, View.of(pixels, (1.0, 1.0), unit="grey"))


@pytest.fixture(scope="module", params=[0, 1])
def eye(request: pytest.FixtureRequest) -> DrawnPicture:
    return fundus(np.random.default_rng(request.param))


@pytest.mark.parametrize(("name", "least"), [("retina_field", 0.99), ("optic_disc", 0.9), ("retina_vessels", 0.85)])
def test_field_disc_and_vessels_of_a_fundus_are_found(name: str, least: float, eye: DrawnPicture) -> None:
    found = find(name, eye.pixels)
    assert found.verdict == "accepted", found.remarks
    assert dice(found.mask, eye.truth[name]) > least


def test_the_tab_is_not_of_the_field(eye: DrawnPicture) -> None:
    found = find("retina_field", eye.pixels).mask
    beyond = eye.pixels.max(axis=-1) > 60
    off_the_rim = distance_px(eye.truth["retina_field"]) > 3
    assert (beyond & off_the_rim).sum() > 100  # there is a tab
    assert not (found & off_the_rim).any()


def test_a_fundus_without_a_disc_is_not_accepted() -> None:
    eye = fundus(np.random.default_rng(0))
    pixels = eye.pixels.copy()
    pixels[eye.truth["optic_disc"]] = (170, 80, 55)
    assert find("optic_disc", pixels).verdict != "accepted"


def test_a_picture_of_something_else_is_no_fundus() -> None:
    checks = np.kron(np.indices((8, 8)).sum(axis=0) % 2, np.ones((30, 30), int)).astype(np.uint8) * 200
    assert find("retina_field", np.stack([checks] * 3, axis=-1)).verdict != "accepted"


@pytest.mark.parametrize("seed", [0, 1])
def test_the_lungs_of_a_chest_x_ray_are_found_right_first(seed: int) -> None:
    chest = frontal_chest(np.random.default_rng(seed))
    found = find("lungs_xray", chest.pixels)
    assert found.verdict == "accepted"
    assert dice(found.mask, chest.truth["lungs_xray"]) > 0.95
    columns = [np.nonzero(found.labels == part)[1].mean() for part in (1, 2)]
    assert columns[0] < columns[1]
    other = find("lungs_xray", chest.pixels, right_is_first=False)
    assert np.array_equal(other.labels, np.asarray([0, 2, 1])[found.labels])


def test_an_inverted_x_ray_needs_to_be_said_to_be_one() -> None:
    chest = frontal_chest(np.random.default_rng(0))
    inverted = 255 - chest.pixels
    assert dice(find("lungs_xray", inverted, inverted=True).mask, chest.truth["lungs_xray"]) > 0.95
    assert find("lungs_xray", inverted).verdict != "accepted"


def test_a_chest_with_one_white_lung_is_refused() -> None:
    chest = frontal_chest(np.random.default_rng(0))
    pixels = chest.pixels.copy()
    half = pixels.shape[1] // 2
    white = chest.truth["lungs_xray"].copy()
    white[:, :half] = False
    pixels[white] = 190
    found = find("lungs_xray", pixels)
    assert "two fields expected, one found" in found.quality()["reasons"]


@pytest.mark.parametrize("muscle", [True, False])
@pytest.mark.parametrize("flipped", [True, False])
def test_the_breast_is_found_without_muscle_and_label(muscle: bool, flipped: bool) -> None:
    film = mammogram(np.random.default_rng(2), muscle=muscle)
    pixels = np.ascontiguousarray(film.pixels[:, ::-1]) if flipped else film.pixels
    found = find("breast_mammography", pixels)
    truth = film.truth["breast_mammography"]
    assert found.verdict == "accepted"
    assert dice(found.mask[:, ::-1] if flipped else found.mask, truth) > 0.96


def test_the_muscle_stays_where_it_is_not_looked_for() -> None:
    film = mammogram(np.random.default_rng(2))
    whole = find("breast_mammography", film.pixels, muscle_contrast=None).mask
    assert whole.sum() > 1.15 * film.truth["breast_mammography"].sum()


def test_the_tissue_of_an_ultrasound_is_found_without_frame_and_letters_and_with_its_cyst() -> None:
    scan = ultrasound(np.random.default_rng(1))
    found = find("breast_ultrasound", scan.pixels)
    assert found.verdict == "accepted"
    assert dice(found.mask, scan.truth["breast_ultrasound"]) > 0.95
    y, x = (round(share * 360) for share in (0.4, 0.6))
    assert found.mask[y - 15 : y + 15, x - 20 : x + 20].all()


def test_the_brain_is_found_with_ventricles_and_without_eyes() -> None:
    spacing = (4.0, 2.0, 2.0)
    drawn = head(np.random.default_rng(0), spacing_mm=spacing)
    found = organs()["brain"]().find_in(Volume(drawn.pixels, spacing))
    assert found.verdict == "accepted"
    assert dice(found.mask, drawn.truth["brain"]) > 0.97
    middle = drawn.pixels[20]
    slice_found = organs()["brain"]().find(middle, View.of(middle, (1.0, 1.0)))
    assert dice(slice_found.mask, drawn.truth["brain"][20]) > 0.95


def test_a_small_bright_thing_is_no_brain() -> None:
    array = np.zeros((30, 60, 60), np.float32)
    array[8:22, 15:45, 15:45] = 100.0
    found = organs()["brain"]().find_in(Volume(array, (3.0, 3.0, 3.0)))
    assert found.verdict == "refused"


def test_drawn_pictures_are_the_same_each_time() -> None:
    for draw in (fundus, frontal_chest, mammogram, ultrasound, head):
        one, other = (draw(np.random.default_rng(4)) for _ in range(2))
        assert np.array_equal(one.pixels, other.pixels)
        for name, truth in one.truth.items():
            assert name in organs()
            assert truth.shape == one.pixels.shape[: truth.ndim]
            assert 0 < truth.mean() < 1
