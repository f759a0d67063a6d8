"""Windows merged and shrunk, by hand."""

from __future__ import annotations

import numpy as np
import pytest

from tasks.imaging.overlapping import merge_windows, shrink

STARTS = np.array([[0, 0], [1, 0], [20, 20], [2, 2], [40, 40]])
SIZES = np.array([[10, 10], [10, 10], [10, 10], [4, 4], [10, 10]])
SCORES = np.array([0.6, 0.9, 0.7, 0.5, 0.7])


def test_windows_of_one_object_become_their_mean_with_the_best_score() -> None:
    found = merge_windows(STARTS, SIZES, SCORES, overlap=0.5)
    assert found.scores.tolist() == [0.9, 0.7, 0.7]
    assert found.merged.tolist() == [3, 1, 1]
    assert found.starts.tolist() == [[1.0, pytest.approx(2 / 3)], [20.0, 20.0], [40.0, 40.0]]
    assert found.sizes[0] == pytest.approx([8, 8])


def test_a_window_inside_another_is_merged_whatever_their_sizes() -> None:
    found = merge_windows(np.array([[0, 0, 0], [30, 30, 30]]), np.array([[50] * 3, [10] * 3]), SCORES[:2], overlap=1.0)
    assert found.merged.tolist() == [2]


def test_windows_that_touch_are_two_and_groups_that_are_too_small_go() -> None:
    starts, sizes = np.array([[0, 0], [0, 10]]), np.full((2, 2), 10)
    assert merge_windows(starts, sizes, SCORES[:2], overlap=0.01).merged.tolist() == [1, 1]
    assert merge_windows(STARTS, SIZES, SCORES, overlap=0.5, least=2).merged.tolist() == [3]
    empty = merge_windows(STARTS, SIZES, SCORES, overlap=0.5, least=4)
    assert (empty.starts.shape, empty.scores.shape) == ((0, 2), (0,))


def test_the_first_of_equal_scores_leads() -> None:
    found = merge_windows(np.array([[0, 0], [0, 4], [0, 8]]), np.full((3, 2), 10), np.ones(3), overlap=0.5)
    assert found.merged.tolist() == [2, 1]  # the third overlaps the second only


def test_a_window_shrinks_to_means_over_boxes() -> None:
    window = np.arange(24.0).reshape(4, 6)
    assert shrink(window, (2, 3)).tolist() == [[3.5, 5.5, 7.5], [15.5, 17.5, 19.5]]
    assert shrink(window, (4, 6)).tolist() == window.tolist()
    assert shrink(np.array([[0.0, 3.0, 6.0]]), (1, 2)).tolist() == [[1.0, 5.0]]  # half of the middle one each


@pytest.mark.parametrize("shape", [(3, 3, 3), (5, 2, 7)])
def test_shrinking_keeps_the_mean(shape: tuple[int, ...]) -> None:
    window = np.random.default_rng(0).normal(size=(7, 8, 9))
    assert shrink(window, shape).mean() == pytest.approx(window.mean(), abs=1e-12)


def test_a_window_does_not_grow() -> None:
    with pytest.raises(ValueError, match=r"at least \(5, 4\); got \(4, 4\)"):
        shrink(np.zeros((4, 4)), (5, 4))
