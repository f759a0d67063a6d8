"""Probabilities become a label map on the image's own grid."""

from __future__ import annotations

import numpy as np
import pytest

from storage.volume import Volume
from tasks.detect.segmentation import label_map, largest_part, measured
from tasks.imaging.structures import to_classes

STRUCTURES = {"a": 5, "b": 9}


def shares(classes: np.ndarray) -> np.ndarray:
    return np.stack([(classes == number) * 0.8 + 0.1 for number in range(3)]).astype(np.float32)


def grid(shape: tuple[int, int, int], spacing_mm: tuple[float, float, float] = (1.0, 1.0, 1.0)) -> Volume:
    return Volume(np.zeros(shape, np.uint8), spacing_mm)


def test_each_voxel_has_the_value_of_its_most_likely_class() -> None:
    classes = np.random.default_rng(0).integers(0, 3, (4, 5, 6)).astype(np.uint8)
    found = label_map(shares(classes), grid((4, 5, 6)), grid((4, 5, 6)), STRUCTURES, largest_component=False)
    assert np.array_equal(to_classes(found.array, STRUCTURES), classes)
    assert (found.unit, found.array.dtype) == ("label", np.uint16)


def test_a_coarse_answer_is_placed_by_millimetres() -> None:
    classes = np.zeros((6, 6, 6), np.uint8)
    classes[2:4, 2:4, 2:4] = 1
    seen = Volume(classes, (2.0, 2.0, 2.0), (0.5, 0.5, 0.5))
    found = label_map(shares(classes), seen, grid((12, 12, 12)), STRUCTURES, largest_component=False)
    expected = np.zeros((12, 12, 12), bool)
    expected[4:8, 4:8, 4:8] = True
    assert np.count_nonzero((found.array == 5) != expected) <= 0.25 * expected.sum()
    assert found.array[5, 5, 5] == 5
    assert found.array[0, 0, 0] == 0


def test_what_the_network_did_not_see_is_background() -> None:
    everywhere = np.ones((3, 3, 3), np.uint8)
    found = label_map(shares(everywhere), grid((3, 3, 3)), grid((9, 3, 3)), STRUCTURES, largest_component=False)
    assert (found.array[:3] == 5).all()
    assert (found.array[4:] == 0).all()


def test_only_the_largest_part_is_kept_where_that_is_asked_for() -> None:
    classes = np.zeros((5, 5, 9), np.uint8)
    classes[1:4, 1:4, 1:3] = 1
    classes[1:4, 1:4, 3] = 2  # touches the first: one part of two structures
    classes[2, 2, 7] = 2
    kept = largest_part(classes)
    assert kept[2, 2, 7] == 0
    assert np.array_equal(kept[..., :7], classes[..., :7])


def test_nothing_found_stays_nothing() -> None:
    nothing = np.zeros((3, 3, 3), np.uint8)
    assert not largest_part(nothing).any()


def test_volume_and_centre_are_in_millilitres_and_patient_millimetres() -> None:
    labels = np.zeros((4, 4, 4), np.uint16)
    labels[1, 2, 1:3] = 5
    found = measured(Volume(labels, (3.0, 2.0, 1.0), (10.0, 20.0, 30.0), unit="label"), STRUCTURES)
    assert found["a"] == {"volume_ml": pytest.approx(0.012), "centroid_mm": (11.5, 24.0, 33.0)}
    assert found["b"] == {"volume_ml": 0.0, "centroid_mm": None}
