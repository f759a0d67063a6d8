"""Volumes in levels and in parts: the format's own words, and voxels that come back from where they were put."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import dask.array as da
import numpy as np
import pytest

from storage.errors import StoreError
from storage.ome_zarr import create_level, create_volume, levels_of, open_volume, read_volume, slabs, write_volume
from storage.volume import Triple, Volume

TILTED = ((0.0, 0.6, 0.8), (0.0, 0.8, -0.6), (1.0, 0.0, 0.0))


def volume(shape: tuple[int, int, int] = (6, 9, 8), dtype: str = "int16") -> Volume:
    array = np.arange(np.prod(shape)).reshape(shape).astype(dtype)
    return Volume(array, (3.0, 0.5, 0.75), (-10.0, 20.0, 30.5), TILTED, "HU")


def halved(fine: Volume) -> Volume:
    """Means of 2×2 voxels within each slice: the new centres lie half an old voxel further."""
    z, y, x = fine.shape
    inner = fine.array[:, : y // 2 * 2, : x // 2 * 2].reshape(z, y // 2, 2, x // 2, 2)
    spacing = (fine.spacing_mm[0], 2 * fine.spacing_mm[1], 2 * fine.spacing_mm[2])
    origin: Triple = tuple(fine.to_world_mm([0.0, 0.5, 0.5]).tolist())
    return Volume(inner.mean(axis=(2, 4)).astype(fine.array.dtype), spacing, origin, fine.direction, fine.unit)


def ome_of(path: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((path / "zarr.json").read_text())["attributes"]["ome"]
    return found


def test_every_level_comes_back_exactly(tmp_path: Path) -> None:
    fine = volume()
    levels = [fine, halved(fine), halved(halved(fine))]
    write_volume(tmp_path / "v.zarr", fine, levels=levels[1:])
    assert len(levels_of(tmp_path / "v.zarr")) == 3
    for number, level in enumerate(levels):
        back = read_volume(tmp_path / "v.zarr", number)
        assert back.array.dtype == level.array.dtype
        assert np.array_equal(back.array, level.array)
        assert (back.spacing_mm, back.origin_mm) == (level.spacing_mm, level.origin_mm)
        assert (back.direction, back.unit) == (TILTED, "HU")


def test_a_level_says_in_the_formats_words_where_its_voxels_lie(tmp_path: Path) -> None:
    write_volume(tmp_path / "v.zarr", volume(), name="ct", levels=[halved(volume())])
    ome = ome_of(tmp_path / "v.zarr")
    assert ome["version"] == "0.5"
    (scales,) = ome["multiscales"]
    assert scales["name"] == "ct"
    assert scales["axes"] == [{"name": a, "type": "space", "unit": "millimeter"} for a in "zyx"]
    assert [d["path"] for d in scales["datasets"]] == ["0", "1"]
    assert scales["datasets"][0]["coordinateTransformations"] == [{"type": "scale", "scale": [3.0, 0.5, 0.75]}]
    scale, translation = scales["datasets"][1]["coordinateTransformations"]
    assert scale == {"type": "scale", "scale": [3.0, 1.0, 1.5]}
    assert translation["type"] == "translation"
    assert np.allclose(translation["translation"], [0.0, 0.25, 0.375], atol=1e-12)


def test_the_formats_words_and_ours_place_a_voxel_alike(tmp_path: Path) -> None:
    write_volume(tmp_path / "v.zarr", volume(), levels=[halved(volume())])
    scale, translation = ome_of(tmp_path / "v.zarr")["multiscales"][0]["datasets"][1]["coordinateTransformations"]
    along_axes = np.array([2, 1, 3]) * scale["scale"] + translation["translation"]
    world = np.asarray(volume().origin_mm) + np.asarray(TILTED) @ along_axes
    assert np.allclose(world, read_volume(tmp_path / "v.zarr", 1).to_world_mm([2, 1, 3]), atol=1e-9)


def test_every_level_is_an_array_of_zarr_3_with_named_axes(tmp_path: Path) -> None:
    write_volume(tmp_path / "v.zarr", volume(), levels=[halved(volume())])
    for level in "01":
        array = json.loads((tmp_path / "v.zarr" / level / "zarr.json").read_text())
        assert (array["zarr_format"], array["dimension_names"]) == (3, ["z", "y", "x"])
        assert array["data_type"] == "int16"


@pytest.mark.parametrize(
    ("shape", "spacing"), [((6, 9, 8), (3.0, 1.0, 1.5)), ((6, 4, 4), (3.0, 0.25, 1.5)), ((7, 4, 4), (3.0, 1.0, 1.5))]
)
def test_a_level_that_is_not_coarser_is_refused(
    tmp_path: Path, shape: tuple[int, int, int], spacing: tuple[float, float, float]
) -> None:
    write_volume(tmp_path / "v.zarr", volume())
    with pytest.raises(ValueError, match="level 1 has fewer and larger voxels"):
        create_level(tmp_path / "v.zarr", shape=shape, spacing_mm=spacing, origin_mm=(0.0, 0.0, 0.0))
    assert len(levels_of(tmp_path / "v.zarr")) == 1


def test_a_level_of_another_type_is_refused(tmp_path: Path) -> None:
    level = halved(volume())
    with pytest.raises(ValueError, match="type int16"):
        write_volume(tmp_path / "v.zarr", volume(), levels=[level.with_array(level.array.astype(np.float32))])


def test_a_level_that_is_not_there_is_named(tmp_path: Path) -> None:
    write_volume(tmp_path / "v.zarr", volume())
    with pytest.raises(StoreError, match="levels 0 to 0; level 1 was asked for"):
        read_volume(tmp_path / "v.zarr", 1)


def test_a_volume_written_slab_by_slab_has_the_bytes_of_one_written_at_once(tmp_path: Path) -> None:
    from storage.artifacts import checksums

    whole = volume((300, 70, 20), "float32")
    write_volume(tmp_path / "whole", whole)
    array = create_volume(
        tmp_path / "parts",
        shape=whole.shape,
        dtype="float32",
        spacing_mm=whole.spacing_mm,
        origin_mm=whole.origin_mm,
        direction=whole.direction,
        unit=whole.unit,
    )
    for z in slabs(array):
        array[z] = whole.array[z]
    assert checksums(tmp_path / "parts") == checksums(tmp_path / "whole")


def test_slabs_end_where_shards_end(tmp_path: Path) -> None:
    array = create_volume(tmp_path / "v", shape=(300, 10, 10), dtype="int16", spacing_mm=(1.0, 1.0, 1.0))
    assert list(slabs(array)) == [slice(0, 128), slice(128, 256), slice(256, 300)]


def test_small_blocks_of_dask_arrive_whole_when_joined_to_shards(tmp_path: Path) -> None:
    values = np.random.default_rng(0).integers(1, 1000, (140, 150, 130)).astype(np.int16)
    array = create_volume(tmp_path / "v", shape=(140, 150, 130), dtype="int16", spacing_mm=(1.0, 1.0, 1.0))
    blocks = da.from_array(values, chunks=(33, 40, 50)).rechunk(array.shards)
    da.store(blocks, array, lock=False, scheduler="threads", num_workers=4)
    assert np.array_equal(read_volume(tmp_path / "v").array, values)


def test_an_open_volume_reads_only_what_is_asked_for(tmp_path: Path) -> None:
    write_volume(tmp_path / "v.zarr", volume((300, 10, 10)))
    (tmp_path / "v.zarr" / "0" / "c" / "2" / "0" / "0").write_bytes(b"damaged")
    stored = open_volume(tmp_path / "v.zarr")
    assert (stored.shape, stored.spacing_mm, stored.unit) == ((300, 10, 10), (3.0, 0.5, 0.75), "HU")
    assert np.array_equal(stored.array[10:20], volume((300, 10, 10)).array[10:20])


def test_a_geometry_that_cannot_be_one_is_not_created(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="positive"):
        create_volume(tmp_path / "v", shape=(1, 1, 1), dtype="int16", spacing_mm=(0.0, 1.0, 1.0))
    assert not (tmp_path / "v").exists()
