"""The cut is random, bounded, blind and the same every time."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from tasks.ingest.recrop import KEEP_VOXELS, recrop_box

SIZES = st.tuples(*[st.integers(1, 400)] * 3)
SPACINGS = st.tuples(*[st.floats(0.2, 10)] * 3)


@given(SIZES, SPACINGS, st.text(), st.floats(0.1, 100))
def test_a_box_lies_inside_loses_at_most_the_amount_and_keeps_some_voxels(shape, spacing_mm, digest, max_mm) -> None:
    start, stop = recrop_box(shape, spacing_mm, digest=digest, max_mm=max_mm)
    for first, last, size, spacing in zip(start, stop, shape, spacing_mm, strict=True):
        assert 0 <= first < last <= size
        assert first * spacing <= max_mm
        assert (size - last) * spacing <= max_mm
        assert last - first >= min(size, KEEP_VOXELS)


def test_the_box_is_pinned() -> None:
    assert recrop_box((100, 100, 100), (1.0, 1.0, 1.0), digest="abc", max_mm=45) == ((43, 4, 32), (59, 91, 93))


def test_images_of_a_case_lose_the_same_millimetres() -> None:
    fine, coarse = ((400, 400, 400), (0.5, 0.5, 0.5)), ((40, 40, 40), (5.0, 5.0, 5.0))
    (fine_start, fine_stop), (start, stop) = (recrop_box(*image, digest="case", max_mm=45) for image in (fine, coarse))
    assert np.abs(np.multiply(fine_start, 0.5) - np.multiply(start, 5.0)).max() < 5
    assert np.abs(np.multiply(fine_stop, 0.5) - np.multiply(stop, 5.0)).max() < 5


def test_amounts_are_uniform_at_each_face_and_independent() -> None:
    boxes = [recrop_box((300, 300, 300), (1.0, 1.0, 1.0), digest=str(seed), max_mm=45) for seed in range(3000)]
    lost = np.array([(*start, *(300 - np.array(stop))) for start, stop in boxes])
    for face in lost.T:
        assert np.histogram(face, bins=9, range=(0, 45))[0].min() > 250  # 333 expected, sd 17
        assert face.max() <= 45
    correlation = np.corrcoef(lost.T) - np.eye(6)
    assert np.abs(correlation).max() < 0.07


def test_a_small_image_keeps_its_middle_in_proportion() -> None:
    start, stop = recrop_box((20, 300, 300), (3.0, 1.0, 1.0), digest="abc", max_mm=45)
    assert stop[0] - start[0] >= KEEP_VOXELS
    assert start[1:] == (4, 32)
