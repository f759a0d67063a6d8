"""What the annotation says of candidates, on masks small enough to count."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from tasks.train.label import Box, label_candidates

BoolArray = npt.NDArray[np.bool_]


def box(*ranges: tuple[int, int]) -> Box:
    z, y, x = (slice(*ends) for ends in ranges)
    return z, y, x


def block(*ranges: tuple[int, int]) -> tuple[Box, BoolArray]:
    """A full box as a candidate."""
    return box(*ranges), np.ones([stop - start for start, stop in ranges], dtype=bool)


def scene() -> npt.NDArray[np.uint16]:
    """Lesion 1: 2×4×4 = 32 voxels. Lesion 2: 1×2×2 = 4 voxels, four columns to its right."""
    lesions = np.zeros((6, 10, 12), np.uint16)
    lesions[2:4, 2:6, 2:6] = 1
    lesions[2:3, 2:4, 6:8] = 2
    return lesions


def test_candidates_are_labelled_by_hand() -> None:
    candidates = [
        block((2, 4), (2, 6), (2, 6)),  # lesion 1 itself
        block((2, 3), (2, 6), (2, 6)),  # half of it
        block((2, 6), (2, 6), (2, 6)),  # twice as long: 32 shared, 64 in the union
        block((5, 6), (8, 10), (8, 10)),  # beside both
        block((2, 3), (2, 4), (6, 8)),  # lesion 2 itself
    ]
    peaks = [(2, 2, 2), (2, 3, 3), (5, 5, 5), (5, 8, 8), (2, 2, 6)]
    labels = label_candidates(candidates, peaks, scene(), count=2)
    assert labels.lesion.tolist() == [1, 1, 1, 0, 2]
    assert labels.iou.tolist() == [1.0, 0.5, 0.5, 0.0, 1.0]
    assert labels.placed.tolist() == [True, True, False, False, True]
    assert labels.lesions == 2


def test_the_lesion_is_the_one_overlapped_best_not_the_one_overlapped_most() -> None:
    wide = block((2, 3), (2, 4), (3, 8))  # 6 voxels of lesion 1: 6/36; all 4 of lesion 2: 4/10
    labels = label_candidates([wide], [(2, 2, 7)], scene(), count=2)
    assert labels.lesion.tolist() == [2]
    assert labels.iou.tolist() == [0.4]


def test_a_candidate_is_placed_by_its_peak_or_by_its_centroid() -> None:
    bar = block((2, 3), (2, 3), (2, 11))  # 4 voxels of lesion 1, 2 of lesion 2; centroid at x = 6, in lesion 2
    labels = label_candidates([bar, bar], [(2, 2, 10), (2, 2, 3)], scene(), count=2)
    assert labels.lesion.tolist() == [2, 2]
    assert labels.placed.tolist() == [True, True]
    long = block((2, 3), (2, 3), (4, 12))  # centroid at x = 8 (7.5 rounded to even): outside
    away, on = (label_candidates([long], [(2, 2, x)], scene(), count=2) for x in (11, 7))
    assert (away.lesion.tolist(), away.placed.tolist(), on.placed.tolist()) == ([2], [False], [True])


def test_a_peak_in_another_lesion_does_not_place_a_candidate() -> None:
    wide = block((2, 3), (2, 4), (3, 8))  # best with lesion 2; centroid at x = 5, in lesion 1
    assert label_candidates([wide], [(2, 2, 3)], scene(), count=2).placed.tolist() == [False]


def test_only_the_voxels_of_the_mask_count_not_those_of_its_box() -> None:
    mask = np.zeros((2, 4, 4), dtype=bool)
    mask[0] = True
    labels = label_candidates([(box((2, 4), (2, 6), (2, 6)), mask)], [(2, 2, 2)], scene(), count=2)
    assert labels.iou.tolist() == [0.5]


def test_a_lesion_too_small_for_the_grid_counts_without_a_voxel() -> None:
    labels = label_candidates([block((2, 4), (2, 6), (2, 6))], [(2, 2, 2)], scene(), count=3)
    assert labels.lesions == 3
    assert labels.lesion.tolist() == [1]


def test_no_candidates_give_empty_columns() -> None:
    labels = label_candidates([], np.zeros((0, 3)), scene(), count=2)
    assert [len(column) for column in (labels.lesion, labels.iou, labels.placed)] == [0, 0, 0]
    assert (labels.iou.dtype, labels.placed.dtype, labels.lesions) == (np.float64, np.bool_, 2)
