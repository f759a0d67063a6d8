"""Where candidates lie in an organ and beside each other, in scenes that can be measured with a ruler."""

from __future__ import annotations

import math

import numpy as np
import pytest

from storage.volume import Volume
from tasks.extract.describe import Describer, asks_for_surroundings
from tasks.extract.families import location, neighbours
from tasks.extract.region import Region
from tasks.extract.registry import family_names
from tasks.extract.settings import Settings
from tasks.extract.surroundings import Scene, overlap
from tasks.extract.table import extract_features
from tasks.imaging.candidate_set import CandidateSet, Piece
from tasks.imaging.morphology import Box

SHAPE = (20, 60, 80)
SPACING = (2.0, 1.0, 1.0)
IMAGE = Volume(np.random.default_rng(0).normal(size=SHAPE).astype(np.float32), SPACING, unit="HU")
ORGAN = np.zeros(SHAPE, bool)
ORGAN[2:18, 10:50, 20:60] = True
CHOSEN = Settings(families=("first_order", "location", "neighbours"))


def cube(z: int, y: int, x: int, side: int = 3) -> tuple[Box, np.ndarray]:
    return (slice(z, z + 1), slice(y, y + side), slice(x, x + side)), np.ones((1, side, side), bool)


def described(scene: Scene, one: tuple[Box, np.ndarray], settings: Settings = CHOSEN) -> dict[str, float]:
    describer = Describer(IMAGE, settings, scene)
    return describer.describe(*describer.region(*one))


def test_depth_is_measured_from_the_organs_surface_in_mm() -> None:
    one = cube(10, 30, 20)
    values = described(Scene(IMAGE, [one], ORGAN), one)
    # Columns 20, 21, 22 lie 1, 2 and 3 mm from the nearest voxel outside, which is column 19.
    assert values["location.depth_least"] == 1.0
    assert values["location.depth_most"] == 3.0
    assert values["location.depth_mean"] == 2.0
    # The deepest places are 8 slices of 2 mm below the nearest one outside.
    assert values["location.depth_relative"] == pytest.approx(2.0 / 16.0)
    assert values["location.inside_share"] == 1.0


def test_outside_of_the_organ_depth_is_negative_and_a_part_may_be_inside() -> None:
    one = cube(10, 30, 18)
    values = described(Scene(IMAGE, [one], ORGAN), one)
    assert values["location.depth_least"] == -2.0
    assert values["location.depth_most"] == 1.0
    assert values["location.inside_share"] == pytest.approx(1 / 3)


def test_position_is_that_in_the_organs_box() -> None:
    one = cube(2, 10, 57)
    values = described(Scene(IMAGE, [one], ORGAN), one)
    # Centres: slice 0 of 16, row 1 of 40, column 38 of 40.
    found = [values[f"location.position_{axis}"] for axis in "zyx"]
    assert found == pytest.approx([0.5 / 16, 1.5 / 40, 38.5 / 40])


def test_the_midline_is_that_of_the_body_and_left_is_the_patients() -> None:
    left, right = cube(10, 30, 59), cube(10, 30, 18)
    scene = Scene(IMAGE, [left, right], None, ORGAN)
    # The body's middle is at column 39.5; the candidates' centres at columns 60 and 19.
    assert described(scene, left)["location.midline_left"] == pytest.approx(20.5, abs=0.3)
    assert described(scene, right)["location.midline_left"] == pytest.approx(-20.5, abs=0.3)
    assert described(scene, right)["location.midline_distance"] == pytest.approx(20.5, abs=0.3)
    assert math.isnan(described(scene, left)["location.depth_mean"])


def test_a_crop_of_the_scene_changes_no_location() -> None:
    one = cube(10, 30, 25)
    box = (slice(1, 19), slice(5, 55), slice(12, 75))
    small = Volume(IMAGE.array[box], SPACING, unit="HU")
    moved = (tuple(slice(s.start - b.start, s.stop - b.start) for s, b in zip(one[0], box, strict=True)), one[1])
    whole = described(Scene(IMAGE, [one], ORGAN, ORGAN), one)
    describer = Describer(small, CHOSEN, Scene(small, [moved], ORGAN[box], ORGAN[box]))
    assert describer.describe(*describer.region(*moved)) == pytest.approx(whole, abs=1e-3, nan_ok=True)


def test_neighbours_are_counted_and_measured_from_centre_to_centre() -> None:
    one, beside, above, far = cube(10, 30, 20), cube(10, 30, 30, side=5), cube(14, 30, 20), cube(10, 30, 70)
    values = described(Scene(IMAGE, [one, beside, above, far]), one)
    radii = [(3 * volume / (4 * np.pi)) ** (1 / 3) for volume in (18, 18)]
    expected = {
        "count": 3,
        "count_near": 2,
        "volume_near": 2 * (25 + 9),
        "volume_rank": 1 / 3,
        "volume_share": 9 / (9 + 25 + 9 + 9),
        "nearest_distance": 8,  # four slices of 2 mm
        "nearest_gap": 8 - sum(radii),
        "nearest_volume_ratio": 0,
        "third_distance": 50,
        # Towards (1, 0, 0) and (0, 1, 11) / sqrt(122).
        "one_sidedness": math.hypot(1 / 2, 1 / math.sqrt(122) / 2, 11 / math.sqrt(122) / 2),
    }
    assert {name: values[f"neighbours.{name}"] for name in neighbours.FEATURES} == pytest.approx(expected)


def test_overlapping_candidates_are_one_neighbour_and_those_over_the_region_none() -> None:
    one, larger, other, nested = cube(10, 30, 20), cube(10, 29, 19, side=6), cube(10, 30, 40, side=7), cube(10, 32, 42)
    values = described(Scene(IMAGE, [one, larger, nested, other]), one)
    assert values["neighbours.count"] == 1
    assert values["neighbours.volume_near"] == 2 * 49


def test_masks_overlap_where_they_share_a_voxel_not_where_their_boxes_do() -> None:
    box = (slice(0, 2), slice(0, 2), slice(0, 2))
    corner, opposite = np.zeros((2, 2, 2), bool), np.zeros((2, 2, 2), bool)
    corner[0, 0, 0] = opposite[1, 1, 1] = True
    assert not overlap((box, corner), (box, opposite))
    assert overlap((box, corner), ((slice(0, 1),) * 3, np.ones((1, 1, 1), bool)))
    assert not overlap((box, corner), ((slice(2, 3),) * 3, np.ones((1, 1, 1), bool)))


def test_a_candidate_alone_has_no_nearest_one_and_without_a_scene_nothing_is_known() -> None:
    one = cube(10, 30, 20)
    alone = described(Scene(IMAGE, [one]), one)
    assert (alone["neighbours.count"], alone["neighbours.volume_share"]) == (0.0, 1.0)
    undefined = {name for name in neighbours.FEATURES if math.isnan(alone[f"neighbours.{name}"])}
    assert undefined == {
        n for n, info in neighbours.FEATURES.items() if info.nan_when in (neighbours.ALONE, neighbours.NONE_NEAR)
    }
    region = Region(np.ones((1, 2, 2)), np.ones((1, 2, 2), bool), SPACING, "HU")
    for family in (location, neighbours):
        values = family.compute(region, family.Settings())
        assert list(values) == list(family.FEATURES)
        assert all(math.isnan(value) for value in values.values())


@pytest.mark.parametrize("organ", [np.zeros(SHAPE, bool), np.ones(SHAPE, bool)])
def test_an_organ_without_a_surface_in_the_image_has_no_depths(organ: np.ndarray) -> None:
    one = cube(10, 30, 20)
    values = described(Scene(IMAGE, [one], organ, np.zeros(SHAPE, bool)), one)
    assert math.isnan(values["location.depth_mean"])
    assert math.isnan(values["location.midline_left"])


def test_surroundings_are_asked_for_by_two_families_and_never_by_default() -> None:
    asking = {name for name in family_names() if asks_for_surroundings(Settings(families=(name,)))}
    assert asking == {"location", "neighbours"}
    assert not asks_for_surroundings(Settings())


def test_a_regions_core_has_its_surroundings_and_an_empty_mask_has_none() -> None:
    (box, mask), scene = cube(10, 30, 20), Scene(IMAGE, [], ORGAN)
    shown = Describer(IMAGE, CHOSEN, scene).region(box, mask)[0]
    assert shown.surroundings is not None
    assert shown.core.surroundings is shown.surroundings
    assert scene.around(box, ~mask) is None


def test_the_table_passes_organ_and_body_on() -> None:
    places = [cube(10, 30, 25), cube(10, 30, 45)]
    pieces = [Piece("blob", 1.0, box, mask) for box, mask in places]
    candidates = CandidateSet.from_pieces(pieces, IMAGE.array, voxel_ml=0.002, scores=[0.0, 0.0])
    table = extract_features(IMAGE, candidates, CHOSEN, organ=ORGAN, body=ORGAN)
    assert table["location.depth_mean"].tolist() == [7.0, 14.0]
    assert table["neighbours.nearest_distance"].tolist() == [20.0, 20.0]
    assert table["location.midline_left"].tolist() == pytest.approx([-13.5, 6.5], abs=0.3)
