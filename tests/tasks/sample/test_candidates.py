"""Candidates of whole images: search region, duplicates, caps, order."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from pydantic import ValidationError

from storage.errors import CaseError
from storage.volume import Volume
from tasks.imaging.candidate_set import Piece
from tasks.sample.candidates import contrast, find_candidates, without_duplicates
from tasks.sample.settings import Settings

SPACING = (4.0, 4.0, 4.0)


def pet() -> Volume:
    """A body of SUV 0.5 with a tumour of SUV 6 (radius 20 mm) and a bladder of SUV 20 (radius 16 mm)."""
    z, y, x = np.meshgrid(*[np.arange(40) * 4.0] * 3, indexing="ij")
    suv = np.where((y - 80) ** 2 + (x - 80) ** 2 < 70**2, 0.5, 0.0)
    suv[(z - 50) ** 2 + (y - 60) ** 2 + (x - 60) ** 2 < 20**2] = 6.0
    suv[(z - 110) ** 2 + (y - 100) ** 2 + (x - 100) ** 2 < 16**2] = 20.0
    return Volume(suv.astype(np.float32), SPACING, unit="SUV")


def chest() -> tuple[Volume, list[np.ndarray]]:
    """Lungs with a nodule of 10 mm inside, one of 16 mm on the pleura and one of 8 mm on a vessel."""
    z, y, x = np.meshgrid(np.arange(50) * 2.5, np.arange(80) * 2.0, np.arange(80) * 2.0, indexing="ij")
    hu = np.where(((y - 80) / 75) ** 2 + ((x - 80) / 75) ** 2 < 1, 40.0, -1000.0)
    lung = ((z - 62) / 55) ** 2 + ((y - 80) / 55) ** 2 + ((x - 80) / 55) ** 2 < 1
    hu[lung] = -860.0
    hu[((y - 90) ** 2 + (z - 62) ** 2 < 2.5**2) & lung] = 20.0
    nodules = [
        (z - 40) ** 2 + (y - 60) ** 2 + (x - 80) ** 2 < 5**2,
        ((z - 62) ** 2 + (y - 60) ** 2 + (x - 126) ** 2 < 8**2) & lung,
        (z - 62) ** 2 + (y - 94) ** 2 + (x - 70) ** 2 < 4**2,
    ]
    for nodule in nodules:
        hu[nodule] = 30.0
    noise = np.random.default_rng(0).normal(0, 15, hu.shape)
    return Volume((hu + noise).astype(np.float32), (2.5, 2.0, 2.0), unit="HU"), nodules


def best_iou(candidates, truth: np.ndarray) -> float:
    best = 0.0
    for box, mask in candidates.masks():
        both = (mask & truth[box]).sum()
        best = max(best, float(both / (mask.sum() + truth.sum() - both)))
    return best


def test_tumour_and_bladder_of_a_pet_are_candidates() -> None:
    image = pet()
    candidates = find_candidates(image)
    assert best_iou(candidates, image.array == 6.0) > 0.8
    assert best_iou(candidates, image.array == 20.0) > 0.8
    assert len(candidates) < 40


def test_nodules_inside_on_the_pleura_and_on_a_vessel_are_candidates() -> None:
    image, nodules = chest()
    candidates = find_candidates(image)
    assert [best_iou(candidates, nodule) >= 0.3 for nodule in nodules] == [True, True, True]
    assert len(candidates) <= 300


def test_no_candidate_of_a_chest_lies_outside_the_lungs() -> None:
    image, _ = chest()
    z, y, x = np.meshgrid(np.arange(50) * 2.5, np.arange(80) * 2.0, np.arange(80) * 2.0, indexing="ij")
    outside = ((z - 62) / 62) ** 2 + ((y - 80) / 62) ** 2 + ((x - 80) / 62) ** 2 > 1
    assert not any((mask & outside[box]).any() for box, mask in find_candidates(image).masks())


def test_a_ct_without_lungs_is_a_fault_of_the_case_unless_the_body_is_searched() -> None:
    image = chest()[0]
    leg = image.with_array(np.maximum(image.array, -100.0) - 900.0 * (image.array < -950))
    with pytest.raises(CaseError, match="no lungs found"):
        find_candidates(leg)
    find_candidates(leg, Settings(search_in="body"))


def test_the_same_image_gives_the_same_bytes() -> None:
    image, _ = chest()
    one, other = find_candidates(image), find_candidates(image)
    pd.testing.assert_frame_equal(one.table, other.table)
    assert one.bits.tobytes() == other.bits.tobytes()


def test_candidates_are_numbered_components_first_by_threshold() -> None:
    table = find_candidates(chest()[0]).table
    assert table["number"].tolist() == list(range(1, len(table) + 1))
    kinds = table["kind"].tolist()
    assert kinds == sorted(kinds, key=["component", "blob"].index)
    assert table.loc[table["kind"] == "component", "threshold_or_sigma"].is_monotonic_increasing


def test_a_cap_keeps_the_candidates_of_highest_contrast() -> None:
    image = pet()
    everything, capped = find_candidates(image), find_candidates(image, Settings(max_candidates=3))
    assert len(capped) == 3
    assert capped.table["score"].min() == pytest.approx(everything.table["score"].nlargest(3).min())


def test_moving_the_crop_moves_the_candidates_and_changes_nothing_else() -> None:
    image = pet()
    whole, part = find_candidates(image), find_candidates(image.crop((1, 0, 0), (40, 40, 40)))
    assert whole.table["volume_ml"].tolist() == part.table["volume_ml"].tolist()
    assert (whole.table["peak_z"] - part.table["peak_z"] == 1).all()


def piece(start: int, stop: int) -> Piece:
    return Piece("component", 0.0, (slice(0, 1), slice(0, 1), slice(start, stop)), np.ones((1, 1, stop - start), bool))


def test_of_two_nearly_equal_pieces_the_first_is_kept() -> None:
    # IoU 19/20 = 0.95 with the first, 18/20 = 0.9 is not above 0.9.
    kept = without_duplicates([piece(0, 20), piece(0, 19), piece(0, 18), piece(30, 50)], iou=0.9)
    assert [(p.box[2].start, p.box[2].stop) for p in kept] == [(0, 20), (0, 18), (30, 50)]


def test_equal_boxes_with_different_masks_are_no_duplicates() -> None:
    box = (slice(0, 1), slice(0, 2), slice(0, 2))
    diagonal = np.array([[[True, False], [False, True]]])
    assert len(without_duplicates([Piece("blob", 1, box, diagonal), Piece("blob", 1, box, ~diagonal)], iou=0.5)) == 2


def test_contrast_is_inside_less_surroundings_in_the_searched_region() -> None:
    image = np.full((9, 9, 9), 1.0)
    image[4, 4, 4] = 7.0
    image[:, :, 5:] = 100.0
    within = np.ones(image.shape, bool)
    within[:, :, 5:] = False
    one = Piece("component", 0.0, (slice(4, 5),) * 3, np.ones((1, 1, 1), bool))
    assert contrast(image, one, within, (1.0, 1.0, 1.0)) == 6.0
    assert contrast(image, one, np.zeros_like(within), (1.0, 1.0, 1.0)) == 0.0


def test_unknown_settings_and_places_are_refused() -> None:
    with pytest.raises(ValidationError, match="treshold"):
        Settings.model_validate({"components": {"tresholds": [1.0]}})
    with pytest.raises(ValidationError, match="no organ 'spleen' of volumes; choose from: body, brain, liver, lungs"):
        Settings.model_validate({"search_in": "spleen"})
