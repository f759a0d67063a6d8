"""Patches on disk."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import dask.array as da
import numpy as np
import pandas as pd
import pytest
import zarr

from storage.errors import StoreError
from storage.volume import IDENTITY_DIRECTION, Volume
from tasks.imaging import patch_files
from tasks.imaging.patch_files import COLUMNS, PatchFacts, read_patches, write_patches
from tasks.imaging.patch_table import Group, centres_of, cut_all, patch_table
from tasks.imaging.patches import PatchShape, grid_centres

SHAPE = PatchShape(size=(4, 6, 5))
FACTS = PatchFacts(SHAPE, (3.0, 1.0, 1.0), IDENTITY_DIRECTION, "HU", 7)


def volume() -> tuple[Volume, np.ndarray]:
    rng = np.random.default_rng(0)
    lesions = np.zeros((10, 20, 21), np.uint16)
    lesions[1:3, 2:5, 2:5], lesions[6, 15, 15] = 1, 300
    image = Volume(rng.normal(size=lesions.shape).astype(np.float32), (3.0, 1.0, 1.0), (5.0, 6.0, 7.0), unit="HU")
    return image, lesions


def table_of(image: Volume, lesions: np.ndarray | None) -> pd.DataFrame:
    group = Group("grid", grid_centres(image.shape, SHAPE))
    return patch_table([group], image, SHAPE, digest="d", patient="P-1", lesions=lesions)


def write(folder: Path, *, labelled: bool = True) -> tuple[np.ndarray, np.ndarray, pd.DataFrame]:
    image, lesions = volume()
    table = table_of(image, lesions if labelled else None)
    centres = centres_of(table)
    images = list(cut_all(image, centres, SHAPE))
    masks = [SHAPE.cut(lesions, centre, outside=0) for centre in centres]
    folder.mkdir(exist_ok=True)
    shown = (mask > 0 for mask in masks) if labelled else None
    write_patches(folder, table, iter(images), iter(masks) if labelled else None, FACTS, candidates=shown)
    return np.stack(images), np.stack(masks), table


def test_patches_come_back_as_they_went_in(tmp_path: Path) -> None:
    images, masks, table = write(tmp_path)
    read = read_patches(tmp_path)
    assert read.facts == FACTS
    assert len(read) == len(images) == 60
    assert (read.images[:] == images).all()
    assert (read.masks[:] == masks).all()
    assert read.masks.dtype == np.uint16
    assert (read.candidates[:] == (masks > 0)).all()
    pd.testing.assert_frame_equal(read.table, table)


def test_a_chunk_is_one_patch_and_a_shard_holds_many(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(patch_files, "MOST_IN_SHARD", 16)
    images, _, _ = write(tmp_path)
    read = read_patches(tmp_path)
    assert read.images.chunks == (1, 4, 6, 5)
    assert read.images.shards == (16, 4, 6, 5)
    assert (read.images[:] == images).all()
    files = [path for path in (tmp_path / "patches.zarr" / "images").rglob("*") if path.is_file()]
    assert len(files) == 1 + 4  # 60 patches in 4 shards, and what describes the array


def test_every_write_is_a_whole_shard_however_the_patches_come(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(patch_files, "MOST_IN_SHARD", 16)
    written: list[tuple[int, int]] = []
    put = zarr.Array.__setitem__

    def spy(self: zarr.Array, where: slice, values: np.ndarray) -> None:
        written.append((where.start, where.stop))
        put(self, where, values)

    monkeypatch.setattr(zarr.Array, "__setitem__", spy)
    write(tmp_path, labelled=False)
    assert written == [(0, 16), (16, 32), (32, 48), (48, 60)]


def test_patches_of_a_dask_array_in_blocks_smaller_than_a_shard_come_through_whole(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What ``dask.array.to_zarr`` would spoil: blocks of 3 patches into shards of 16, written at the same time."""
    monkeypatch.setattr(patch_files, "MOST_IN_SHARD", 16)
    images, _, table = write(tmp_path / "plain")
    blocks = da.from_array(images, chunks=(3, 4, 6, 5))

    def one_by_one() -> Iterator[np.ndarray]:
        for block in blocks.blocks:
            yield from block.compute(scheduler="threads", num_workers=4)

    (tmp_path / "dask").mkdir()
    write_patches(tmp_path / "dask", table, one_by_one(), None, FACTS)
    assert (read_patches(tmp_path / "dask").images[:] == images).all()


def test_the_same_patches_are_the_same_bytes(tmp_path: Path) -> None:
    write(tmp_path / "one")
    write(tmp_path / "other")
    files = {
        name: {p.relative_to(tmp_path / name): p.read_bytes() for p in (tmp_path / name).rglob("*") if p.is_file()}
        for name in ("one", "other")
    }
    assert files["one"] == files["other"]


def test_the_table_says_what_is_in_each_patch_and_where_it_lies() -> None:
    image, lesions = volume()
    table = table_of(image, lesions)
    assert list(table.columns) == list(COLUMNS)
    assert table["lesion"][table["label"] == 1].tolist() == [1, 300, 300, 300, 300]
    first = table.iloc[0]
    assert (first["label"], first["lesion"]) == (1, 1)
    assert first["lesion_share"] == 18 / 120
    assert (first[["centre_z", "centre_y", "centre_x"]].tolist()) == [2, 3, 2]
    assert first[["x_mm", "y_mm", "z_mm"]].tolist() == [5 + 2, 6 + 3, 7 + 2 * 3]
    assert set(table["patient"]) == {"P-1"}


def test_without_annotation_there_are_neither_masks_nor_labels(tmp_path: Path) -> None:
    write(tmp_path, labelled=False)
    read = read_patches(tmp_path)
    assert read.masks is None
    assert set(read.table["label"]) == {-1}
    assert read.table["lesion_share"].isna().all()


def test_no_patches_are_a_set_too(tmp_path: Path) -> None:
    image, lesions = volume()
    table = patch_table([], image, SHAPE, digest="d", patient="P", lesions=lesions)
    write_patches(tmp_path, table, [], [], FACTS)
    read = read_patches(tmp_path)
    assert len(read) == 0
    assert read.images.shape == (0, 4, 6, 5)
    assert list(read.table.columns) == list(COLUMNS)


def test_what_does_not_fit_the_table_is_refused(tmp_path: Path) -> None:
    image, _ = volume()
    table = table_of(image, None)
    patches = list(cut_all(image, centres_of(table), SHAPE))
    with pytest.raises(ValueError, match="expected 60 patches as in the table; got 59"):
        write_patches(tmp_path, table, patches[:-1], None, FACTS)
    with pytest.raises(ValueError, match="expected 60 patches as in the table; got 61"):
        write_patches(tmp_path, table, [*patches, patches[0]], None, FACTS)
    with pytest.raises(ValueError, match=r"expected patches of \(4, 6, 5\); got \(1, 6, 5\)"):
        write_patches(tmp_path, table, [patches[0][:1]], None, FACTS)
    with pytest.raises(ValueError, match="numbered from 0"):
        write_patches(tmp_path, table.iloc[1:], patches[1:], None, FACTS)


def test_a_damaged_folder_is_noticed(tmp_path: Path) -> None:
    _, _, table = write(tmp_path)
    table.iloc[:-1].to_parquet(tmp_path / "patches.parquet")
    with pytest.raises(StoreError, match="the folder is damaged"):
        read_patches(tmp_path)
    assert json.loads((tmp_path / "patches.json").read_text())["unit"] == "HU"
