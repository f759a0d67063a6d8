"""Measures of label maps, plain rules, and their gathering into metrics of a cohort."""

from __future__ import annotations

import numpy as np
import pytest

from tasks.evaluate.atlas import SIDE, by_place, by_place_and_intensity, learn_atlas, stretched
from tasks.evaluate.segmentation_measures import METRICS, compare
from tasks.evaluate.segmentation_scores import OURS, Compared, score_segmentations
from tasks.evaluate.segmentation_settings import SegmentationSettings

STRUCTURES = {"a": 1, "b": 2}
SETTINGS = SegmentationSettings(draws=200)
SPACING = (2.0, 1.0, 1.0)


def boxes(shift: int = 0) -> np.ndarray:
    classes = np.zeros((12, 14, 20), np.uint8)
    classes[3:9, 4:10, 2 + shift : 8 + shift] = 1
    classes[3:9, 4:10, 8 + shift : 14 + shift] = 2
    return classes


def measures(dice: float | None, other: float = 1.0) -> dict:
    return {"whole": dict(zip(METRICS, (dice, other, dice, -0.5), strict=True))}


def case(number: int, dice: float | None, theirs: float = 0.5, patient: str | None = None) -> Compared:
    return Compared(patient or f"P-{number}", f"{number:02d}", {OURS: measures(dice), "atlas": measures(theirs, 3.0)})


def test_a_perfect_map_has_dice_1_and_no_distance() -> None:
    found = compare(boxes(), boxes(), STRUCTURES, spacing_mm=SPACING, tolerance_mm=1)
    assert set(found) == {"whole", "a", "b"}
    assert all(list(one.values()) == [1, 0, 1, 0] for one in found.values())


def test_a_shift_by_one_voxel_of_six_gives_the_dice_that_hands_compute() -> None:
    found = compare(boxes(1), boxes(), STRUCTURES, spacing_mm=SPACING, tolerance_mm=1)
    assert found["a"]["dice"] == pytest.approx(5 / 6, abs=1e-6)
    assert found["whole"]["dice"] == pytest.approx(11 / 12, abs=1e-6)
    assert found["a"]["hausdorff_95_mm"] == 1.0
    assert found["a"]["volume_difference_ml"] == 0


def test_swapped_structures_are_a_perfect_whole() -> None:
    swapped = np.array([0, 2, 1], np.uint8)[boxes()]
    found = compare(swapped, boxes(), STRUCTURES, spacing_mm=SPACING, tolerance_mm=1)
    assert (found["whole"]["dice"], found["a"]["dice"], found["b"]["dice"]) == (1, 0, 0)


def test_a_structure_that_was_not_found_is_as_far_away_as_the_image_is_long() -> None:
    lost = np.where(boxes() == 2, 0, boxes()).astype(np.uint8)
    found = compare(lost, boxes(), STRUCTURES, spacing_mm=SPACING, tolerance_mm=1)
    assert found["b"]["hausdorff_95_mm"] == pytest.approx(np.sqrt(24**2 + 14**2 + 20**2), abs=1e-6)
    assert found["b"]["dice"] == found["b"]["surface_dice"] == 0
    assert found["b"]["volume_difference_ml"] == pytest.approx(-6 * 6 * 6 * 2 / 1000)


def test_a_structure_in_neither_map_is_not_defined() -> None:
    empty = np.where(boxes() == 2, 0, boxes()).astype(np.uint8)
    found = compare(empty, empty, STRUCTURES, spacing_mm=SPACING, tolerance_mm=1)
    assert found["b"] == {"dice": None, "hausdorff_95_mm": None, "surface_dice": None, "volume_difference_ml": 0}


def test_a_lost_case_counts_as_dice_0_over_received_and_not_over_analysed() -> None:
    cases = [case(1, 0.8), case(2, 0.9), Compared("P-3", "03", None)]
    dice = score_segmentations(cases, SETTINGS)["metrics"]["dice"]
    assert (dice["value"], dice["n"]) == (pytest.approx(1.7 / 3), 3)
    assert (dice["analysed"]["value"], dice["analysed"]["n"]) == (pytest.approx(0.85), 2)
    assert dice["low"] < dice["value"] < dice["high"]


def test_a_lost_case_has_no_distance() -> None:
    cases = [case(1, 0.8), case(2, 0.9), Compared("P-3", "03", None)]
    assert score_segmentations(cases, SETTINGS)["metrics"]["hausdorff_95_mm"]["n"] == 2


def test_examinations_of_one_patient_count_once() -> None:
    cases = [case(1, 0.2, patient="P-1"), case(2, 0.4, patient="P-1"), case(3, 0.9)]
    dice = score_segmentations(cases, SETTINGS)["metrics"]["dice"]
    assert (dice["value"], dice["n"]) == (pytest.approx(0.6), 2)


def test_names_and_order_of_patients_change_nothing() -> None:
    cases = [case(number, 0.5 + number / 20) for number in range(6)]
    renamed = [Compared(f"X{9 - n}", one.digest, one.measures) for n, one in enumerate(cases)][::-1]
    assert score_segmentations(cases, SETTINGS) == score_segmentations(renamed, SETTINGS)


def test_differences_are_paired_by_patient_with_wilcoxons_p() -> None:
    from scipy.stats import wilcoxon

    ours, theirs = [0.7, 0.8, 0.9, 0.75, 0.85], [0.6, 0.5, 0.7, 0.74, 0.5]
    cases = [case(n, a, b) for n, (a, b) in enumerate(zip(ours, theirs, strict=True))]
    [dice, distance] = score_segmentations(cases, SETTINGS)["differences"]
    assert dice["difference"] == pytest.approx(np.mean(np.subtract(ours, theirs)))
    assert dice["p"] == pytest.approx(wilcoxon(ours, theirs).pvalue)
    assert dice["low"] < dice["difference"] < dice["high"]
    assert (distance["metric"], distance["difference"]) == ("hausdorff_95_mm", -2.0)


def test_no_difference_has_p_1_and_a_single_value_no_narrow_interval() -> None:
    evaluation = score_segmentations([case(1, 0.5), case(2, 0.5), case(3, 0.5)], SETTINGS)
    assert evaluation["differences"][0]["p"] == 1
    assert evaluation["metrics"]["dice"]["low"] < 0.5 < evaluation["metrics"]["dice"]["high"]
    assert evaluation["metrics"]["hausdorff_95_mm"]["low"] is None


def test_an_undefined_dice_is_left_out() -> None:
    dice = score_segmentations([case(1, None), case(2, 0.9)], SETTINGS)["metrics"]["dice"]
    assert (dice["value"], dice["n"]) == (0.9, 1)


def test_without_a_compared_case_there_is_no_metric() -> None:
    assert score_segmentations([Compared("P-1", "01", None)], SETTINGS)["metrics"] == {}


def test_the_atlas_of_one_case_is_that_case() -> None:
    classes = boxes()
    atlas = learn_atlas([(np.zeros(classes.shape), classes)], classes=3)
    assert atlas.shares.shape == (3, SIDE, SIDE, SIDE)
    assert np.mean(by_place(atlas, np.zeros(classes.shape)) == classes) > 0.98


def test_the_majority_of_the_cases_wins_at_each_place() -> None:
    cases = [(np.zeros((12, 14, 20)), boxes(shift)) for shift in (0, 0, 4)]
    found = by_place(learn_atlas(cases, classes=3), np.zeros((12, 14, 20)))
    assert found[6, 6, 4] == 1
    assert found[6, 6, 16] == 0


def test_the_atlas_fits_any_size_of_box() -> None:
    atlas = learn_atlas([(np.zeros((12, 14, 20)), boxes())], classes=3)
    found = by_place(atlas, np.zeros((24, 28, 40)))
    assert np.mean(found[::2, ::2, ::2] == boxes()) > 0.95


def test_intensity_finds_what_lies_elsewhere_and_the_blind_rule_does_not() -> None:
    rng = np.random.default_rng(0)

    def image(classes: np.ndarray) -> np.ndarray:
        return np.array([0.0, 5.0, 9.0])[classes] + rng.normal(0, 0.5, classes.shape)

    cases = [(image(boxes(shift)), boxes(shift)) for shift in (0, 2, 4)]
    atlas = learn_atlas(cases, classes=3)
    unseen = boxes(4)
    assert np.mean(by_place_and_intensity(atlas, image(unseen)) == unseen) > 0.98
    assert np.mean(by_place(atlas, image(unseen)) == unseen) < 0.95


def test_stretching_keeps_a_constant_and_a_slope() -> None:
    assert np.allclose(stretched(np.full((4, 4, 4), 3.0, np.float32), (5, 2, 9)), 3)
    slope = stretched(np.arange(4, dtype=np.float32), (8,))
    assert np.allclose(np.diff(slope[1:-1]), 0.5)


def test_an_atlas_needs_a_case() -> None:
    with pytest.raises(ValueError, match="at least one case"):
        learn_atlas([], classes=2)
