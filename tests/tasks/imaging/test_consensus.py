"""What nested candidates agree on."""

from __future__ import annotations

import numpy as np
import pytest

from tasks.imaging.consensus import consensus, dice_matrix


def bar(start: int, stop: int) -> tuple:
    return (slice(0, 1), slice(0, 1), slice(start, stop)), np.ones((1, 1, stop - start), dtype=bool)


def test_dice_of_half_overlapping_bars_is_one_half() -> None:
    dice = dice_matrix([bar(0, 4), bar(2, 6), bar(6, 9)])
    assert dice.tolist() == [[1.0, 0.5, 0.0], [0.5, 1.0, 0.0], [0.0, 0.0, 1.0]]


def test_boxes_that_meet_without_a_common_voxel_have_dice_zero() -> None:
    box = (slice(0, 1), slice(0, 2), slice(0, 2))
    diagonal = np.array([[[True, False], [False, True]]])
    assert dice_matrix([(box, diagonal), (box, ~diagonal)])[0, 1] == 0.0


def test_the_middle_of_three_nested_bars_represents_them() -> None:
    # Expected overlap: 6 -> .3 + .4 * .75 + .3 * .6 = .78..., the middle one agrees with both.
    dice = dice_matrix([bar(0, 10), bar(0, 6), bar(0, 3)])
    (found,) = consensus(np.array([0.5, 0.45, 0.45]), dice)
    assert found.index == 1
    assert found.score == 0.5
    assert found.members == (0, 1, 2)


def test_a_score_without_company_wins_by_itself() -> None:
    dice = dice_matrix([bar(0, 10), bar(0, 6), bar(0, 3)])
    (found,) = consensus(np.array([0.0, 0.0, 0.9]), dice)
    assert found.index == 2


def test_each_candidate_is_in_one_cluster_and_the_best_comes_first() -> None:
    dice = dice_matrix([bar(0, 4), bar(3, 8), bar(7, 9), bar(20, 22)])
    found = consensus(np.array([0.3, 0.2, 0.4, 0.9]), dice)
    assert [f.members for f in found] == [(3,), (1, 2), (0,)]
    assert [f.score for f in found] == [0.9, 0.4, 0.3]
    assert len(consensus(np.array([0.3, 0.2, 0.4, 0.9]), dice, most=1)) == 1


def test_nothing_has_no_consensus() -> None:
    assert consensus(np.zeros(0), dice_matrix([])) == []


def test_scores_that_are_no_scores_are_refused() -> None:
    with pytest.raises(ValueError, match="shape"):
        consensus(np.zeros(2), np.eye(3))
    with pytest.raises(ValueError, match="finite scores of at least 0"):
        consensus(np.array([-0.1]), np.eye(1))
