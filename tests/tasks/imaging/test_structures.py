"""Label values and classes are each other's inverse, whatever the values are."""

from __future__ import annotations

import numpy as np
import pytest

from tasks.imaging.structures import WHOLE, masks_of, to_classes, to_labels

STRUCTURES = {"liver": 3, "spleen": 700}


def test_classes_are_numbered_in_the_order_of_the_values() -> None:
    assert to_classes(np.array([0, 700, 3]), STRUCTURES).tolist() == [0, 2, 1]


def test_labels_of_classes_of_labels_are_the_labels() -> None:
    labels = np.random.default_rng(0).choice([0, 3, 700], (3, 4, 5))
    assert np.array_equal(to_labels(to_classes(labels, STRUCTURES), STRUCTURES), labels)


def test_labels_stored_as_floats_are_read() -> None:
    assert to_classes(np.array([0.0, 3.0]), STRUCTURES).tolist() == [0, 1]


@pytest.mark.parametrize("value", [4.0, 3.5, -1.0, np.nan])
def test_a_value_that_stands_for_nothing_is_named(value: float) -> None:
    with pytest.raises(ValueError, match=f"the values {value:g}; expected 0, 3, 700"):
        to_classes(np.array([0.0, value]), STRUCTURES)


def test_masks_are_the_whole_and_each_structure() -> None:
    masks = masks_of(np.array([0, 1, 2], np.uint8), STRUCTURES)
    assert {name: mask.tolist() for name, mask in masks.items()} == {
        WHOLE: [False, True, True],
        "liver": [False, True, False],
        "spleen": [False, False, True],
    }


def test_a_single_structure_is_the_whole() -> None:
    assert list(masks_of(np.array([0, 1], np.uint8), {"liver": 1})) == [WHOLE]
