"""The table and the packed masks of candidates."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from storage.volume import Volume
from tasks.imaging.candidate_set import COLUMNS, CandidateSet, Piece


def two() -> tuple[CandidateSet, np.ndarray]:
    image = np.zeros((6, 7, 8))
    image[2, 3, 5] = 4.0
    corner = np.array([[[True, False, True], [False, True, True]]])
    line = np.ones((3, 1, 1), dtype=bool)
    pieces = [
        Piece("component", 1.5, (slice(2, 3), slice(2, 4), slice(3, 6)), corner),
        Piece("blob", 4.0, (slice(0, 3), slice(6, 7), slice(7, 8)), line),
    ]
    return CandidateSet.from_pieces(pieces, image, voxel_ml=0.5, scores=[2.0, -1.0]), image


def test_the_table_holds_volume_peak_centroid_and_box() -> None:
    table = two()[0].table
    assert list(table.columns) == list(COLUMNS)
    assert table["number"].tolist() == [1, 2]
    assert table["kind"].tolist() == ["component", "blob"]
    assert table["volume_ml"].tolist() == [2.0, 1.5]
    assert table.loc[0, ["peak_z", "peak_y", "peak_x"]].tolist() == [2, 3, 5]
    assert table.loc[0, ["centroid_z", "centroid_y", "centroid_x"]].tolist() == [2.0, 2.5, (3 + 5 + 4 + 5) / 4]
    assert table.loc[1, ["box_z0", "box_y0", "box_x0", "box_z1", "box_y1", "box_x1"]].tolist() == [0, 6, 7, 3, 7, 8]


def test_masks_come_back_as_they_went_in() -> None:
    candidates, _ = two()
    box, mask = candidates.mask(0)
    assert box == (slice(2, 3), slice(2, 4), slice(3, 6))
    assert mask.tolist() == [[[True, False, True], [False, True, True]]]
    assert candidates.full_mask(1, (6, 7, 8)).sum() == 3
    assert [m.sum() for _, m in candidates.masks()] == [4, 3]


def test_arrays_and_parquet_round_trip(tmp_path) -> None:
    candidates, _ = two()
    table, bits, offsets = candidates.to_arrays()
    table.to_parquet(tmp_path / "table.parquet")
    again = CandidateSet.from_arrays(pd.read_parquet(tmp_path / "table.parquet"), bits, offsets)
    pd.testing.assert_frame_equal(again.table, candidates.table)
    assert (again.mask(0)[1] == candidates.mask(0)[1]).all()
    assert len(bits) == 2


def test_positions_are_in_mm_where_the_image_has_a_place() -> None:
    pieces = [Piece("blob", 4.0, (slice(0, 3), slice(6, 7), slice(7, 8)), np.ones((3, 1, 1), dtype=bool))]
    volume = Volume(np.zeros((6, 7, 8)), (2.0, 3.0, 4.0), (10.0, 20.0, 30.0))
    one = {"voxel_ml": 0.5, "scores": [1.0]}
    placed = CandidateSet.from_pieces(pieces, volume.array, **one, to_world_mm=volume.to_world_mm).table
    assert placed.loc[0, ["x_mm", "y_mm", "z_mm"]].tolist() == [10 + 7 * 4, 20 + 6 * 3, 30 + 1 * 2]
    assert CandidateSet.from_pieces(pieces, volume.array, **one).table[["x_mm", "y_mm", "z_mm"]].isna().all(axis=None)


def test_a_table_of_an_older_version_has_no_positions_but_is_read() -> None:
    table, bits, offsets = two()[0].to_arrays()
    old = CandidateSet.from_arrays(table.drop(columns=["x_mm", "y_mm", "z_mm"]), bits, offsets)
    assert list(old.table.columns) == list(COLUMNS)
    assert old.table["z_mm"].isna().all()


def test_no_candidates_are_a_set_too(tmp_path) -> None:
    none = CandidateSet.from_pieces([], np.zeros((2, 2, 2)), voxel_ml=1.0, scores=[])
    none.table.to_parquet(tmp_path / "table.parquet")
    again = CandidateSet.from_arrays(pd.read_parquet(tmp_path / "table.parquet"), none.bits, none.offsets)
    assert len(again) == 0
    assert (again.table.dtypes == none.table.dtypes).all()


def test_masks_of_another_table_are_refused() -> None:
    table, bits, offsets = two()[0].to_arrays()
    with pytest.raises(ValueError, match="expected 2 bytes in 2 masks; got 1"):
        CandidateSet.from_arrays(table, bits[:1], offsets)
    with pytest.raises(ValueError, match="expected the columns"):
        CandidateSet.from_arrays(table.drop(columns="score"), bits, offsets)
