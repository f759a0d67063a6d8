"""Evidence about features: regions tried again."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from storage.volume import Volume
from tasks.extract.settings import Settings
from tasks.extract.stability import evidence_of, perturbed_features
from tasks.extract.table import data_dictionary
from tasks.imaging.candidate_set import CandidateSet, Piece
from tasks.imaging.responses.simoncelli import Settings as Simoncelli

PLAIN = Settings(families=("first_order", "shape"), stability_regions=2)


def case(seed: int) -> tuple[Volume, CandidateSet]:
    """Balls of different sizes and brightness in noise; the third has the lowest score."""
    rng = np.random.default_rng(seed)
    image = rng.normal(0, 5, size=(30, 60, 60)).astype(np.float32)
    pieces = []
    for n, centre in enumerate(((12, 15, 15), (15, 40, 40), (20, 15, 45))):
        radius = int(rng.integers(4, 9))
        ball = np.sum((np.indices((2 * radius + 1,) * 3) - radius) ** 2, axis=0) <= radius**2
        box = tuple(slice(c - radius, c + radius + 1) for c in centre)
        image[box] += ball * rng.uniform(50, 200)
        pieces.append(Piece("blob", float(n), box, ball))  # type: ignore[arg-type]
    candidates = CandidateSet.from_pieces(pieces, image, voxel_ml=0.001, scores=[3.0, 2.0, 1.0])
    return Volume(image, (1.0, 1.0, 1.0), unit="HU"), candidates


@pytest.fixture(scope="module")
def evidence() -> pd.DataFrame:
    return evidence_of([perturbed_features(*case(seed), PLAIN) for seed in range(8)]).set_index("name")


def test_the_regions_of_highest_score_are_tried_in_every_variant() -> None:
    table = perturbed_features(*case(0), PLAIN)
    assert table["number"].unique().tolist() == [1, 2]
    assert table["variant"].tolist()[:7] == [
        "original",
        "grown",
        "shrunk",
        "shifted_y",
        "shifted_x",
        "noisy",
        "shuffled",
    ]
    assert table.columns[3:].tolist() == data_dictionary(PLAIN)["name"].tolist()


def test_volume_follows_the_contour_and_neither_noise_nor_shuffling() -> None:
    rows = perturbed_features(*case(1), PLAIN).set_index(["number", "variant"])["shape.volume_voxels"].loc[1]
    assert rows["grown"] > rows["original"] > rows["shrunk"]
    assert rows["noisy"] == rows["shuffled"] == rows["shifted_y"] == rows["original"]


def test_shuffling_leaves_every_statistic_as_it_is(evidence: pd.DataFrame) -> None:
    assert evidence.loc["first_order.mean", "icc_shuffled"] == 1.0
    assert evidence.loc["first_order.kurtosis", "icc_shuffled"] == pytest.approx(1.0)
    assert evidence.loc["shape.centre_of_mass_shift", "icc_shuffled"] < 0.9


def test_the_mean_is_steady_and_the_minimum_is_not(evidence: pd.DataFrame) -> None:
    assert evidence.loc["first_order.mean", "icc_noise"] > 0.99
    assert evidence.loc["first_order.mean", "icc_contour"] > evidence.loc["first_order.minimum", "icc_contour"]
    row = evidence.loc["first_order.minimum"]
    assert row["icc_contour_low"] < row["icc_contour"] < row["icc_contour_high"]


def test_what_grows_with_the_volume_is_said_to(evidence: pd.DataFrame) -> None:
    assert evidence.loc["shape.surface_area", "volume_correlation"] > 0.95
    assert abs(evidence.loc["first_order.mean", "volume_correlation"]) < 0.8
    assert (evidence["regions"] == 16).all()


def test_the_same_case_gives_the_same_bytes_wherever_it_lies() -> None:
    image, candidates = case(2)
    one = perturbed_features(image, candidates, PLAIN)
    pd.testing.assert_frame_equal(one, perturbed_features(image, candidates, PLAIN))


def test_thick_slices_leave_filters_room_and_levels_that_are_given_are_not_made_noisy() -> None:
    image, candidates = case(4)
    thick = Volume(image.array, (9.0, 1.0, 1.0), unit="HU")
    settings = PLAIN.model_copy(update={"filters": (Simoncelli(level=2),), "stability_regions": 1})
    assert "simoncelli_2.first_order.mean" in perturbed_features(thick, candidates, settings).columns
    levels = image.with_array(np.clip(np.rint(image.array + 30), 1, 250))
    given = Settings.model_validate({"families": ["ngtdm"], "discretization": {"method": "none"}})
    variants = perturbed_features(levels, candidates, given)["variant"].tolist()
    assert "noisy" not in variants
    assert "shuffled" in variants


def test_no_regions_and_one_voxel_leave_gaps_and_no_fault() -> None:
    image, candidates = case(3)
    none = perturbed_features(image, candidates, PLAIN.model_copy(update={"stability_regions": 0}))
    assert len(none) == 0
    assert evidence_of([none])["icc_contour"].isna().all()
    dot = Piece("blob", 1.0, (slice(5, 6),) * 3, np.ones((1, 1, 1), bool))  # type: ignore[arg-type]
    single = CandidateSet.from_pieces([dot], image.array, voxel_ml=0.001, scores=[1.0])
    table = perturbed_features(image, single, PLAIN)
    assert "shrunk" not in table["variant"].tolist()
    assert evidence_of([table])["icc_noise"].isna().all()
