"""Which segmented cases are shown, and what their pictures hold."""

from __future__ import annotations

import pytest

from tasks.phantom.labelled import labelled_volume
from tasks.report.segmentation_panel import choose_cases, draw_segmented, rank_words
from tasks.report.segmentation_settings import SegmentationSettings

DICE = {"a": 0.2, "b": 0.9, "c": 0.5, "d": 0.7, "e": None}


@pytest.mark.parametrize(
    ("count", "chosen"), [(0, []), (1, ["c"]), (2, ["b", "a"]), (3, ["b", "c", "a"]), (9, ["b", "d", "c", "a"])]
)
def test_the_best_the_worst_and_others_between_are_shown(count: int, chosen: list[str]) -> None:
    assert choose_cases(DICE, count) == chosen


def test_without_any_annotation_cases_are_shown_by_name() -> None:
    assert choose_cases({"b": None, "a": None}, 5) == ["a", "b"]


def test_three_are_called_best_median_and_worst() -> None:
    assert [rank_words(place, 3) for place in range(3)] == ["best", "median", "worst"]
    assert [rank_words(place, 4) for place in range(4)] == ["best", "between", "between", "worst"]


def test_a_picture_has_the_outlines_of_both_maps() -> None:
    image, truth = labelled_volume(0)
    found = truth.copy()
    found[truth == 2] = 0
    planes = draw_segmented(image, found, truth, SegmentationSettings(), case="C-1")
    assert [plane.title for plane in planes] == ["Axial", "Coronal", "Sagittal"]
    numbers = {outline.number for plane in planes for outline in plane.lesions}
    assert numbers == {1, 2}
    assert {outline.number for plane in planes for outline in plane.findings} == {1}
    assert all(len(plane.layers) == 1 and plane.layers[0].uri.startswith("data:image/") for plane in planes)


def test_without_annotation_the_section_goes_through_what_was_found() -> None:
    image, truth = labelled_volume(0)
    planes = draw_segmented(image, truth, None, SegmentationSettings(), case="C-1")
    assert all(plane.findings and not plane.lesions for plane in planes)
