"""Baseline rules on small scenes with known answers."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from storage.volume import Volume
from tasks.evaluate.baselines import BASELINES, Scene, baselines_for, run_baseline
from tasks.evaluate.settings import Settings

SETTINGS = Settings()
DIGEST = "5a" * 32


def scene(
    array: np.ndarray, *, unit: str, mm: float = 4.0, body: np.ndarray | None = None, ml: float | None = 5.0
) -> Scene:
    image = Volume(array.astype(np.float32), (mm, mm, mm), unit=unit)
    return Scene(image, np.ones(array.shape, dtype=bool) if body is None else body, DIGEST, ml)


def pet() -> np.ndarray:
    """Voxels of 0.064 ml: a large tepid block (SUV 3), a smaller hot one (10 on a plateau of 5), one hot voxel."""
    suv = np.full((20, 24, 28), 0.5)
    suv[2:10, 2:10, 2:10] = 3.0
    suv[12:18, 12:18, 12:20] = 5.0
    suv[14:16, 14:16, 14:16] = 10.0
    suv[1, 20, 25] = 30.0
    return suv


def test_units_decide_which_rules_run() -> None:
    assert baselines_for("SUV", SETTINGS) == (
        "suv_2.0", "suv_2.5", "suv_4.0", "local_41", "centre", "box", "box_suv_1", "random_point",
    )  # fmt: skip
    assert baselines_for("HU", SETTINGS) == ("threshold", "centre", "box", "random_point")
    assert baselines_for("arbitrary", SETTINGS) == ("centre", "box", "random_point")


def test_a_named_rule_that_needs_another_unit_is_refused() -> None:
    chosen = Settings(baselines=("box", "suv_2.0"))
    assert baselines_for("SUV", chosen) == ("suv_2.0", "box")
    with pytest.raises(ValueError, match=r"'suv_2.0' needs SUV; the images are in HU"):
        baselines_for("HU", chosen)
    with pytest.raises(ValueError, match="needs SUV; the image is in HU"):
        run_baseline("suv_2.0", scene(pet(), unit="HU"), SETTINGS)


@pytest.mark.parametrize("name", BASELINES)
def test_every_rule_answers_an_image_with_nothing_in_it(name: str) -> None:
    unit = BASELINES[name].unit or "arbitrary"
    empty = scene(np.zeros((6, 6, 6)), unit=unit, body=np.zeros((6, 6, 6), dtype=bool), ml=None)
    assert len(run_baseline(name, empty, SETTINGS).scores) == 0


@pytest.mark.parametrize("name", BASELINES)
def test_every_rule_is_deterministic_and_numbers_its_regions_from_the_best_down(name: str) -> None:
    here = scene(pet(), unit=BASELINES[name].unit or "SUV")
    first, second = (run_baseline(name, here, SETTINGS) for _ in range(2))
    np.testing.assert_array_equal(first.labels, second.labels)
    assert (np.diff(first.scores) <= 0).all()


def test_suv_rule_ranks_components_by_volume_and_drops_the_smallest() -> None:
    found = run_baseline("suv_2.0", scene(pet(), unit="SUV"), SETTINGS)
    assert found.scores == pytest.approx([512 * 0.064, 288 * 0.064]), "the single voxel has 0.064 ml"
    assert found.accepted.all()
    np.testing.assert_array_equal(found.labels == 1, pet() == 3.0)
    assert tuple(found.peaks_zyx[1]) == (14, 14, 14), "the first of the brightest voxels"


def test_a_higher_suv_drops_the_tepid_block() -> None:
    found = run_baseline("suv_4.0", scene(pet(), unit="SUV"), SETTINGS)
    assert found.scores == pytest.approx([288 * 0.064])


def test_max_findings_accepts_the_best_and_keeps_the_rest_for_the_curve() -> None:
    found = run_baseline("suv_2.0", scene(pet(), unit="SUV"), SETTINGS, max_findings=1)
    assert found.accepted.tolist() == [True, False]


def test_components_keep_to_the_body() -> None:
    body = np.zeros(pet().shape, dtype=bool)
    body[:10] = True
    found = run_baseline("suv_2.0", scene(pet(), unit="SUV", body=body), SETTINGS)
    assert found.scores == pytest.approx([512 * 0.064])


def test_local_rule_cuts_each_candidate_at_41_percent_of_its_own_maximum() -> None:
    # Maximum 10 keeps the plateau of 5 (above 4.1); maximum 13 would not (5.33).
    plateau = run_baseline("local_41", scene(pet(), unit="SUV"), SETTINGS)
    assert plateau.scores == pytest.approx([288 * 0.064])
    hotter = pet()
    hotter[14:16, 14:16, 14:16] = 13.0
    core = run_baseline("local_41", scene(hotter, unit="SUV"), SETTINGS)
    assert core.scores == pytest.approx([8 * 0.064])


def test_local_rule_grows_beyond_its_candidate_and_a_taken_maximum_is_no_candidate() -> None:
    # A seed of SUV 6 keeps what is above 2.46, so it takes the block of 3 that touches it, with its own seed of 4.5.
    suv = np.full((12, 12, 24), 0.5)
    suv[2:10, 2:10, 2:20] = 3.0
    suv[4, 4, 4], suv[4, 4, 16] = 6.0, 4.5
    found = run_baseline("local_41", scene(suv, unit="SUV"), SETTINGS)
    assert found.scores == pytest.approx([8 * 8 * 18 * 0.064])
    assert tuple(found.peaks_zyx[0]) == (4, 4, 4)


def test_central_sphere_has_the_volume_it_was_given() -> None:
    found = run_baseline("centre", scene(np.zeros((41, 41, 41)), unit="arbitrary", mm=1.0, ml=5.0), SETTINGS)
    assert found.labels.sum() / 1000 == pytest.approx(5.0, rel=0.02)
    assert tuple(found.peaks_zyx[0]) == (20, 20, 20)


def test_sphere_smaller_than_a_voxel_is_one_voxel() -> None:
    found = run_baseline("centre", scene(np.zeros((5, 5, 4)), unit="arbitrary", ml=0.001), SETTINGS)
    assert found.labels.sum() == 1


def test_without_a_training_lesion_spheres_say_nothing() -> None:
    for name in ("centre", "random_point"):
        assert len(run_baseline(name, scene(np.zeros((5, 5, 5)), unit="HU", ml=None), SETTINGS).scores) == 0
    with pytest.raises(ValueError, match="sphere_ml must be positive"):
        scene(np.zeros((5, 5, 5)), unit="HU", ml=0.0)


def test_random_point_lies_in_the_body_and_changes_with_case_and_seed() -> None:
    body = np.zeros((20, 20, 20), dtype=bool)
    body[15:, :3, 10:] = True
    here = scene(np.zeros(body.shape), unit="HU", body=body)
    there = replace(here, digest="c3" * 32)
    points = {
        tuple(run_baseline("random_point", s, Settings(seed=seed)).peaks_zyx[0].astype(int))
        for s in (here, there)
        for seed in (0, 1)
    }
    assert len(points) == 4
    assert all(body[point] for point in points)


def test_box_leaves_the_margin_out_by_whole_voxels() -> None:
    # 9 mm of 4 mm voxels: 3 voxels off each face.
    here = scene(np.zeros((10, 12, 20)), unit="arbitrary")
    found = run_baseline("box", here, Settings(box_margin_mm=9.0))
    expected = np.zeros((10, 12, 20), dtype=bool)
    expected[3:7, 3:9, 3:17] = True
    np.testing.assert_array_equal(found.labels > 0, expected)
    assert len(run_baseline("box", here, Settings(box_margin_mm=20.0)).scores) == 0


def test_box_above_suv_1_is_its_largest_component() -> None:
    found = run_baseline("box_suv_1", scene(pet(), unit="SUV"), Settings(box_suv_margin_mm=16.0))
    expected = np.zeros(pet().shape, dtype=bool)
    expected[4:10, 4:10, 4:10] = True  # 216 voxels against the 4 × 6 × 8 that are left of the other block
    np.testing.assert_array_equal(found.labels > 0, expected)


def chest() -> tuple[np.ndarray, np.ndarray]:
    """Body with one lung of 700 ml at 2 mm, in it a ball of 8 mm radius on a vessel of 1 voxel, and one free vessel."""
    hu = np.full((60, 70, 70), -1000.0)
    body = np.zeros(hu.shape, dtype=bool)
    body[:, 5:65, 5:65] = True
    hu[body] = 40.0
    hu[7:53, 13:57, 13:57] = -850.0
    z, y, x = np.indices(hu.shape) * 2.0
    ball = (z - 60) ** 2 + (y - 70) ** 2 + (x - 70) ** 2 <= 8.0**2
    hu[ball] = 30.0
    hu[10:50, 35, 35] = 30.0
    hu[10:50, 20, 20] = 30.0
    return hu, ball


def test_lung_rule_takes_a_nodule_off_its_vessel() -> None:
    hu, ball = chest()
    body = hu > -2000
    body[:, :5] = body[:, 65:] = body[:, :, :5] = body[:, :, 65:] = False
    found = run_baseline("threshold", scene(hu, unit="HU", mm=2.0, body=body), SETTINGS)
    nodule = found.labels == found.labels[30, 35, 35]
    shared = np.count_nonzero(nodule & ball)
    assert shared / np.count_nonzero(nodule | ball) > 0.8
    assert found.labels[15, 20, 20] == 0, "a vessel alone is opened away"
    assert found.labels[30, 10, 35] == 0, "the chest wall is no part of the lung"


def test_lung_rule_says_nothing_where_no_lung_is() -> None:
    found = run_baseline("threshold", scene(np.full((20, 20, 20), 40.0), unit="HU"), SETTINGS)
    assert len(found.scores) == 0


def test_body_of_another_shape_is_refused() -> None:
    with pytest.raises(ValueError, match="expected a boolean body"):
        scene(pet(), unit="SUV", body=np.ones((2, 2, 2), dtype=bool))
