"""Findings: which candidates become one, and that each says the right millimetre, voxel, slice and grey value."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from storage.volume import Triple, Volume
from tasks.detect.findings import Box, Ranked, Source, findings, rank
from tasks.imaging.resample import resample_to_spacing

COS, SIN = math.cos(math.radians(30)), math.sin(math.radians(30))
OBLIQUE = ((0.0, -SIN, COS), (0.0, COS, SIN), (1.0, 0.0, 0.0))
"""Axial slices whose rows and columns are turned by 30° about the patient's long axis."""
CROP = (10, 20, 5)
SOURCE = Source(
    case="C-1",
    patient="P-1",
    image="pet",
    model="m",
    label="lesion",
    instances=[f"2.25.{number}" for number in range(40)],
    crop_start_zyx=CROP,
    mask_key="k",
)


def image(shape: tuple[int, int, int] = (12, 20, 24), spacing_mm: Triple = (4.0, 2.0, 3.0)) -> Volume:
    """A PET that lies obliquely; every voxel has its own value."""
    values = np.arange(np.prod(shape), dtype=np.float32).reshape(shape)
    return Volume(values, spacing_mm, (-100.0, 50.0, 900.0), OBLIQUE, "SUV")


def world(index: Any, spacing_mm: Triple = (4.0, 2.0, 3.0)) -> tuple[float, float, float]:
    """LPS by plain arithmetic: slices to S, rows along (-sin, cos), columns along (cos, sin)."""
    z, y, x = (float(i) * s for i, s in zip(index, spacing_mm, strict=True))
    return (-100.0 - SIN * y + COS * x, 50.0 + COS * y + SIN * x, 900.0 + z)


def block(*ranges: tuple[int, int]) -> tuple[Box, npt.NDArray[np.bool_]]:
    z, y, x = (slice(*ends) for ends in ranges)
    return (z, y, x), np.ones([stop - start for start, stop in ranges], dtype=bool)


MASKS = [
    block((4, 6), (6, 10), (8, 12)),
    block((4, 6), (6, 10), (9, 13)),
    block((0, 2), (0, 3), (0, 3)),
    block((8, 9), (14, 15), (20, 21)),
]
DICE = np.array([[1, 0.75, 0, 0], [0.75, 1, 0, 0], [0, 0, 1, 0], [0, 0, 0, 1]], np.float32)
PEAKS = np.array([(5, 7, 9), (5, 7, 10), (1, 1, 1), (8, 14, 20)])
SCORES = np.array([0.9, 0.8, 0.3, 0.6])


def ranked(*, threshold: float = 0.5, most: int | None = None, most_ranked: int = 100) -> Ranked:
    return rank(SCORES, DICE, MASKS, image(), threshold=threshold, most=most, most_ranked=most_ranked)


# Ranking


def test_candidates_of_one_place_are_ranked_once_best_first() -> None:
    found = ranked()
    assert found.index.tolist() == [0, 3, 2]
    assert found.scores.tolist() == [0.9, 0.6, 0.3]
    assert found.accepted.tolist() == [True, True, False]


def test_the_labels_number_the_ranking_and_hold_every_voxel_of_each_mask() -> None:
    labels = ranked().labels
    assert labels.array.dtype == np.uint16
    assert np.bincount(labels.array.ravel())[1:].tolist() == [32, 1, 18]
    assert (labels.array[MASKS[0][0]] == 1).all()
    assert labels.array[8, 14, 20] == 2
    assert np.array_equal(labels.affine, image().affine)
    assert labels.unit == "label"


def test_a_score_at_the_operating_point_is_not_above_it() -> None:
    assert ranked(threshold=0.6).accepted.tolist() == [True, False, False]
    assert ranked(threshold=np.nextafter(0.6, 0)).accepted.tolist() == [True, True, False]


def test_most_limits_findings_and_most_ranked_the_ranking() -> None:
    assert ranked(threshold=0.0, most=1).accepted.tolist() == [True, False, False]
    assert ranked(threshold=0.0, most_ranked=2).index.tolist() == [0, 3]


def test_no_candidates_are_an_empty_ranking_without_findings() -> None:
    nothing = rank(np.zeros(0), np.zeros((0, 0), np.float32), [], image(), threshold=0.5, most=None, most_ranked=9)
    assert len(nothing.index) == 0
    assert not nothing.labels.array.any()
    assert findings(nothing, np.zeros((0, 3)), image(), SOURCE) == []


# Findings


def test_the_accepted_are_found_and_numbered_as_in_the_label_image() -> None:
    found = findings(ranked(), PEAKS, image(), SOURCE)
    assert [(one.number, one.confidence) for one in found] == [(1, 0.9), (2, 0.6)]
    assert {(one.case, one.patient, one.image, one.model, one.label, one.mask) for one in found} == {
        ("C-1", "P-1", "pet", "m", "lesion", "k")
    }


def test_positions_are_lps_millimetres_of_an_oblique_image() -> None:
    first, second = findings(ranked(), PEAKS, image(), SOURCE)
    assert first.position_mm == pytest.approx(world((5, 7, 9)), abs=5e-4)
    assert second.position_mm == pytest.approx(world((8, 14, 20)), abs=5e-4)
    assert first.centroid_mm == pytest.approx(world((4.5, 7.5, 9.5)), abs=5e-4)


def test_the_voxel_and_the_instance_are_those_before_any_crop() -> None:
    first, second = findings(ranked(), PEAKS, image(), SOURCE)
    assert first.voxel == (15, 27, 14)
    assert first.source_instance == "2.25.15"
    assert (second.voxel, second.source_instance) == ((18, 34, 25), "2.25.18")


def test_a_crop_moves_no_finding() -> None:
    """The same lesion in the whole image and in a part of it: the same place, voxel and slice."""
    whole = image((30, 40, 40))
    cropped = whole.crop(CROP, (22, 40, 29))
    shifted = [
        (tuple(slice(s.start + c, s.stop + c) for s, c in zip(box, CROP, strict=True)), mask) for box, mask in MASKS
    ]
    uncut = rank(SCORES, DICE, shifted, whole, threshold=0.5, most=None, most_ranked=9)  # type: ignore[arg-type]
    cut = rank(SCORES, DICE, MASKS, cropped, threshold=0.5, most=None, most_ranked=9)
    one = findings(uncut, PEAKS + CROP, whole, replace(SOURCE, crop_start_zyx=(0, 0, 0)))
    other = findings(cut, PEAKS, cropped, SOURCE)
    assert one == other


def test_size_and_intensity_by_hand() -> None:
    pet = image()
    (first, second) = findings(ranked(), PEAKS, pet, SOURCE)
    assert first.volume_ml == pytest.approx(32 * 24 / 1000)
    assert first.long_axis_mm == pytest.approx(math.hypot(4 * 2, 4 * 3), abs=0.005)
    assert first.short_axis_mm == pytest.approx(8 * math.hypot(8, 12) / 12, abs=0.005)
    inside = pet.array[4:6, 6:10, 8:12]
    assert first.intensity.unit == "SUV"
    assert first.intensity.mean == pytest.approx(inside.mean())
    assert (first.intensity.minimum, first.intensity.maximum) == (inside.min(), inside.max())
    assert (second.intensity.mean, second.intensity.sd) == (pet.array[8, 14, 20], 0.0)


def test_a_finding_at_the_face_of_the_image_is_flagged() -> None:
    found = findings(ranked(threshold=0.1), PEAKS, image(), SOURCE)
    assert [one.flags for one in found] == [(), (), ("touches_border",)]


def test_candidates_on_the_study_s_grid_point_into_the_image_as_it_was_received() -> None:
    pet = image()
    grid = resample_to_spacing(pet, (2.0, 2.0, 2.0))
    peak = np.rint(grid.to_index(world((5, 7, 9)))).astype(int)
    box = tuple(slice(int(p) - 2, int(p) + 3) for p in peak)
    found = rank(
        np.array([0.9]),
        np.ones((1, 1), np.float32),
        [(box, np.ones((5, 5, 5), dtype=bool))],  # type: ignore[list-item]
        grid,
        threshold=0.5,
        most=None,
        most_ranked=9,
    )
    (one,) = findings(found, peak[None], pet, SOURCE)
    assert math.dist(one.position_mm, world((5, 7, 9))) <= math.sqrt(3)  # half a voxel of the grid along each axis
    assert one.voxel == (15, 27, 14)
    assert one.volume_ml == pytest.approx(1.0)
    assert one.intensity.minimum <= pet.array[5, 7, 9] <= one.intensity.maximum


def test_a_finding_smaller_than_a_voxel_of_the_image_has_the_value_of_its_peak() -> None:
    pet = image((6, 6, 6), (8.0, 8.0, 8.0))
    grid = resample_to_spacing(pet, (1.0, 1.0, 1.0))
    mask = [block((20, 21), (12, 13), (15, 16))]
    found = rank(np.array([0.9]), np.ones((1, 1), np.float32), mask, grid, threshold=0.5, most=None, most_ranked=9)
    (one,) = findings(found, np.array([(20, 12, 15)]), pet, SOURCE)
    assert one.intensity.mean == pet.array[2, 1, 1]
    assert one.intensity.sd == 0.0
    assert one.volume_ml == 0.001


def test_a_peak_beyond_the_last_voxel_centre_belongs_to_the_last_voxel() -> None:
    pet = image((3, 3, 3), (8.0, 8.0, 8.0))
    grid = resample_to_spacing(pet, (5.0, 5.0, 5.0))
    mask = [block((4, 5), (4, 5), (4, 5))]
    found = rank(np.array([0.9]), np.ones((1, 1), np.float32), mask, grid, threshold=0.5, most=None, most_ranked=9)
    (one,) = findings(found, np.array([(4, 4, 4)]), pet, replace(SOURCE, crop_start_zyx=(0, 0, 0)))
    assert (one.voxel, one.source_instance) == ((2, 2, 2), "2.25.2")


def test_a_finding_is_the_same_after_json() -> None:
    (first, *_) = findings(ranked(), PEAKS, image(), SOURCE)
    assert type(first).model_validate_json(first.model_dump_json()) == first
