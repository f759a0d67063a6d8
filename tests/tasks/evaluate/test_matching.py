"""The matching rule on cubes whose overlap, volume and distance can be counted by hand; voxels of 1 mm³ unless told."""

from __future__ import annotations

import numpy as np
import pytest

from storage.volume import Triple, Volume
from tasks.evaluate.matching import CaseTruth, ScoredRegions, match_case, within_mm
from tasks.evaluate.settings import Settings
from tasks.evaluate.verdicts import CaseMatch, excluded_case

SHAPE = (30, 40, 60)
Box = tuple[slice, slice, slice]
LESION: Box = (slice(10, 20), slice(10, 20), slice(10, 20))


def paint(*boxes: Box, shape: tuple[int, int, int] = SHAPE) -> np.ndarray:
    """Boxes as labels 1, 2, …"""
    labels = np.zeros(shape, dtype=np.int32)
    for number, box in enumerate(boxes, start=1):
        labels[box] = number
    return labels


def along_x(start: int, stop: int) -> Box:
    """A box as wide as the lesion, anywhere along x."""
    return LESION[0], LESION[1], slice(start, stop)


def regions(
    *boxes: Box,
    scores: list[float] | None = None,
    peaks: list[Triple] | None = None,
    accepted: list[bool] | None = None,
    shape: tuple[int, int, int] = SHAPE,
) -> ScoredRegions:
    """Boxes as scored regions; peaks lie outside every lesion unless told."""
    n = len(boxes)
    return ScoredRegions(
        labels=paint(*boxes, shape=shape),
        scores=np.array(scores or [1.0] * n, dtype=float),
        peaks_zyx=np.array(peaks or [(0.0, 0.0, 0.0)] * n, dtype=float).reshape(n, 3),
        accepted=np.array(accepted if accepted is not None else [True] * n, dtype=bool),
    )


def match(
    found: ScoredRegions, *lesions: Box, spacing_mm: Triple = (1.0, 1.0, 1.0), settings: Settings | None = None
) -> CaseMatch:
    truth = Volume(paint(*lesions, shape=found.labels.shape), spacing_mm, unit="label")
    return match_case(found, CaseTruth("C-1", "P-1", truth, body_litres=2.0), settings or Settings())


def test_cubes_shifted_by_half_have_iou_one_third_and_hit_when_the_peak_is_inside() -> None:
    result = match(regions(along_x(15, 25), peaks=[(15, 15, 16)]), LESION)
    lesion = result.lesions[0]
    assert (lesion.iou, lesion.dice, lesion.volume_ml) == pytest.approx((1 / 3, 1 / 2, 1.0))
    assert (lesion.hit, lesion.strict_hit, lesion.overlap, lesion.centroid) == (True, False, True, False)
    assert result.regions[0].verdict == "hit"


def test_the_same_cubes_do_not_hit_when_neither_peak_nor_centroid_is_inside() -> None:
    result = match(regions(along_x(15, 25), peaks=[(15, 15, 22)]), LESION)
    assert result.lesions[0].iou == pytest.approx(1 / 3)
    assert not result.lesions[0].hit
    assert result.regions[0].verdict == "overlap"


def test_centroid_inside_is_enough_with_a_peak_elsewhere() -> None:
    lesion = match(regions(along_x(13, 23)), LESION).lesions[0]
    assert lesion.iou == pytest.approx(7 / 13)
    assert lesion.hit
    assert lesion.strict_hit
    assert lesion.centroid


def test_peak_inside_is_not_enough_below_the_iou() -> None:
    # 2 of 10 slices shared: 200 / 1800.
    lesion = match(regions(along_x(18, 28), peaks=[(15, 15, 18)]), LESION).lesions[0]
    assert lesion.iou == pytest.approx(1 / 9)
    assert not lesion.hit
    assert lesion.overlap


def test_iou_of_exactly_0_3_hits() -> None:
    # 300 voxels inside a lesion of 1000.
    assert match(regions(along_x(10, 13)), LESION).lesions[0].hit
    assert not match(regions(along_x(10, 13)), LESION, settings=Settings(iou_hit=0.301)).lesions[0].hit


def test_peak_between_voxels_belongs_to_the_nearest() -> None:
    hit = regions(along_x(15, 25), peaks=[(15, 15, 19.4)])
    miss = regions(along_x(15, 25), peaks=[(15, 15, 19.6)])
    assert match(hit, LESION).lesions[0].hit
    assert not match(miss, LESION).lesions[0].hit


def test_peak_outside_the_grid_is_outside_every_lesion() -> None:
    found = regions(along_x(15, 25), peaks=[(-1.0, 15, 16)])
    assert not match(found, LESION).lesions[0].hit


def test_two_halves_of_a_lesion_are_one_hit_and_no_false_positive() -> None:
    result = match(regions(along_x(10, 15), along_x(15, 20), scores=[0.3, 0.8]), LESION)
    assert len(result.lesions) == 1
    assert result.lesions[0].iou == 0.5
    assert result.lesions[0].score == 0.8
    assert [region.verdict for region in result.regions] == ["hit", "hit"]


def test_ten_slivers_of_a_lesion_neither_hit_it_nor_are_false_positives() -> None:
    result = match(regions(*(along_x(x, x + 1) for x in range(10, 20))), LESION)
    lesion = result.lesions[0]
    assert (lesion.hit, lesion.overlap, lesion.score) == (False, True, None)
    assert lesion.dice == pytest.approx(2 * 100 / 1100)
    assert {region.verdict for region in result.regions} == {"overlap"}


@pytest.mark.parametrize(("gap_mm", "verdict"), [(9, "near"), (10, "near"), (11, "false_positive")])
def test_only_what_is_more_than_10_mm_away_is_a_false_positive(gap_mm: int, verdict: str) -> None:
    # The lesion's last voxel centre lies at x = 19.
    result = match(regions(along_x(19 + gap_mm, 19 + gap_mm + 10)), LESION)
    assert result.regions[0].verdict == verdict


def test_distance_is_measured_in_mm_not_in_voxels() -> None:
    below = (slice(23, 28), *LESION[1:])  # 4 slices away
    assert match(regions(below), LESION, spacing_mm=(2.5, 1, 1)).regions[0].verdict == "near"
    assert match(regions(below), LESION, spacing_mm=(2.6, 1, 1)).regions[0].verdict == "false_positive"


def test_distance_is_measured_along_the_diagonal() -> None:
    # Corner (19, 19) to (25, 27): 6 and 8 mm, so 10 mm.
    diagonal = (LESION[0], slice(25, 35), slice(27, 37))
    assert match(regions(diagonal), LESION).regions[0].verdict == "near"
    farther = (LESION[0], slice(26, 36), slice(27, 37))
    assert match(regions(farther), LESION).regions[0].verdict == "false_positive"


@pytest.mark.parametrize(
    ("size", "verdict"), [((7, 7, 10), "small"), ((5, 10, 10), "false_positive"), ((5, 6, 17), "false_positive")]
)
def test_what_has_less_than_half_a_millilitre_is_no_false_positive(size: tuple[int, int, int], verdict: str) -> None:
    # 0.49, 0.50 and 0.51 ml.
    z, y, x = size
    result = match(regions((slice(0, z), slice(0, y), slice(40, 40 + x))), LESION)
    assert result.regions[0].volume_ml == pytest.approx(z * y * x / 1000)
    assert result.regions[0].verdict == verdict


def test_case_without_lesion_has_only_false_positives() -> None:
    result = match(regions(along_x(10, 20), along_x(30, 31)))
    assert result.lesions == ()
    assert [region.verdict for region in result.regions] == ["false_positive", "small"]


def test_case_without_finding_misses_its_lesion() -> None:
    lesion = match(regions(), LESION).lesions[0]
    assert (lesion.iou, lesion.dice, lesion.hit, lesion.score) == (0.0, 0.0, False, None)


def test_rejected_region_gives_a_score_and_nothing_else() -> None:
    lesion = match(regions(LESION, scores=[0.2], accepted=[False]), LESION).lesions[0]
    assert lesion.score == 0.2
    assert (lesion.hit, lesion.strict_hit, lesion.overlap, lesion.centroid, lesion.iou) == (False,) * 4 + (0.0,)


def test_region_that_spans_two_lesions_is_judged_against_each() -> None:
    second = along_x(20, 26)
    result = match(regions(along_x(10, 26), peaks=[(15, 15, 22)]), LESION, second)
    # The centroid lies in the first (IoU 10/16), the peak in the second (6/16).
    assert [lesion.iou for lesion in result.lesions] == pytest.approx([10 / 16, 6 / 16])
    assert [lesion.hit for lesion in result.lesions] == [True, True]
    assert result.regions[0].lesion == 1


def test_lesions_may_carry_any_label() -> None:
    truth = Volume(paint(LESION, along_x(40, 50)) * 7, (1.0, 1.0, 1.0))
    result = match_case(regions(along_x(40, 50)), CaseTruth("C-1", "P-1", truth, 1.0), Settings())
    assert [(lesion.label, lesion.hit) for lesion in result.lesions] == [(7, False), (14, True)]


def test_region_that_lost_its_last_voxel_to_the_grid_is_small() -> None:
    empty = ScoredRegions(paint(), np.array([0.9]), np.array([[15.0, 15.0, 15.0]]), np.array([True]))
    result = match(empty, LESION)
    assert result.regions[0].verdict == "small"
    assert not result.lesions[0].hit


def test_zone_around_two_lesions_equals_the_distance_of_every_voxel_to_both() -> None:
    mask = paint(LESION, along_x(45, 48)) > 0
    spacing = (3.0, 1.5, 1.0)
    points = np.argwhere(mask) * spacing
    grid = np.argwhere(np.ones(SHAPE, dtype=bool)) * spacing
    # The nearest point of two boxes, by clipping to each.
    nearest = np.full(len(grid), np.inf)
    for box in (points[points[:, 2] < 30], points[points[:, 2] > 30]):
        nearest = np.minimum(nearest, np.linalg.norm(grid - grid.clip(box.min(axis=0), box.max(axis=0)), axis=1))
    np.testing.assert_array_equal(within_mm(mask, spacing, 7.0).ravel(), nearest <= 7.0 + 1e-9)


def test_match_survives_json() -> None:
    result = match(regions(along_x(15, 25), along_x(40, 50), scores=[0.1, 1 / 3]), LESION)
    assert CaseMatch.model_validate_json(result.model_dump_json()) == result


def test_excluded_case_has_one_missed_lesion_and_no_scan() -> None:
    case = excluded_case("C-9", "P-9")
    assert not case.analysed
    assert [(lesion.hit, lesion.dice, lesion.score) for lesion in case.lesions] == [(False, 0.0, None)]
    assert excluded_case("C-8").patient != excluded_case("C-9").patient


@pytest.mark.parametrize(("annotated", "missed"), [(None, 1), (0, 1), (1, 1), (9, 9)])
def test_an_excluded_case_misses_all_lesions_that_were_annotated_and_one_at_least(
    annotated: int | None, missed: int
) -> None:
    assert len(excluded_case("C-9", "P-9", lesions=annotated).lesions) == missed


def test_other_grid_is_refused() -> None:
    truth = Volume(paint(LESION)[:-1], (1.0, 1.0, 1.0))
    with pytest.raises(ValueError, match=r"\(30, 40, 60\).*\(29, 40, 60\)"):
        match_case(regions(LESION), CaseTruth("C-1", "P-1", truth, 1.0), Settings())


def test_regions_that_do_not_fit_together_are_refused() -> None:
    flags = np.array([True])
    with pytest.raises(ValueError, match="labels must be 0…1; got 0…2"):
        ScoredRegions(paint(LESION, along_x(40, 50)), np.ones(1), np.zeros((1, 3)), flags)
    with pytest.raises(ValueError, match="expected 1 peaks"):
        ScoredRegions(paint(LESION), np.ones(1), np.zeros((2, 3)), flags)
    with pytest.raises(ValueError, match="finite"):
        ScoredRegions(paint(LESION), np.array([np.nan]), np.zeros((1, 3)), flags)
