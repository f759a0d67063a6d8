"""What is written is read: pictures of many sizes, whole or by case, across chunks and shards."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import zarr

from storage.errors import StoreError
from tasks.imaging import picture_files as picture_store
from tasks.imaging.picture_files import StoredPicture, read_picture_table, read_pictures, write_pictures


def stored(count: int, *, largest: int = 60) -> list[StoredPicture]:
    rng = np.random.default_rng(5)
    shapes = rng.integers(16, largest, (count, 2))
    return [
        StoredPicture(f"{k:064x}", f"C-{k}", f"P-{k}", rng.integers(0, 256, (h, w, 3), dtype=np.uint8))
        for k, (h, w) in enumerate(shapes)
    ]


def check_equal(found: list[StoredPicture], expected: list[StoredPicture]) -> None:
    assert [(p.digest, p.case, p.patient) for p in found] == [(p.digest, p.case, p.patient) for p in expected]
    for one, other in zip(found, expected, strict=True):
        np.testing.assert_array_equal(one.pixels, other.pixels)


def test_pictures_of_many_sizes_come_back(tmp_path: Path) -> None:
    pictures = stored(7)
    write_pictures(tmp_path, iter(pictures))
    check_equal(list(read_pictures(tmp_path)), pictures)
    table = read_picture_table(tmp_path)
    assert list(table.columns) == ["digest", "case", "patient", "height", "width", "offset"]
    sizes = table["height"] * table["width"] * 3
    assert table["offset"].tolist() == [0, *sizes.cumsum()[:-1]]


def test_chosen_cases_alone_are_read(tmp_path: Path) -> None:
    pictures = stored(5)
    write_pictures(tmp_path, pictures)
    check_equal(list(read_pictures(tmp_path, cases={"C-1", "C-3", "C-99"})), [pictures[1], pictures[3]])


@pytest.mark.parametrize("shard", [300, 3000, 30000, 300000])
def test_the_border_of_a_shard_can_lie_anywhere(shard: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(picture_store, "CHUNK_BYTES", shard // 5)
    monkeypatch.setattr(picture_store, "SHARD_BYTES", shard)
    pictures = stored(12)
    write_pictures(tmp_path, pictures)
    check_equal(list(read_pictures(tmp_path)), pictures)
    assert zarr.open_array(tmp_path / "pictures.zarr").shape == (sum(p.pixels.size for p in pictures),)


def test_what_is_not_contiguous_is_stored_as_it_looks(tmp_path: Path) -> None:
    pixels = stored(1)[0].pixels[::-1, ::2].transpose(1, 0, 2)
    write_pictures(tmp_path, [StoredPicture("a", "C", "P", pixels)])
    np.testing.assert_array_equal(next(read_pictures(tmp_path)).pixels, pixels)


def test_the_same_pictures_give_the_same_bytes(tmp_path: Path) -> None:
    contents = []
    for name in ("one", "other"):
        (tmp_path / name).mkdir()
        write_pictures(tmp_path / name, stored(4))
        files = sorted(path for path in (tmp_path / name).rglob("*") if path.is_file())
        contents.append([(path.relative_to(tmp_path / name), path.read_bytes()) for path in files])
    assert contents[0] == contents[1]


def test_an_empty_bucket_is_read_as_empty(tmp_path: Path) -> None:
    write_pictures(tmp_path, [])
    assert list(read_pictures(tmp_path)) == []
    assert read_picture_table(tmp_path)["offset"].dtype == np.int64


def test_other_pixels_and_another_order_are_refused(tmp_path: Path) -> None:
    one, two = stored(2)
    for number, wrong in enumerate(([two, one], [one, one])):
        (tmp_path / str(number)).mkdir()
        with pytest.raises(ValueError, match="ascending digest"):
            write_pictures(tmp_path / str(number), wrong)
    for number, pixels in enumerate((one.pixels.astype(float), one.pixels[..., 0], one.pixels[..., :2])):
        (tmp_path / f"p{number}").mkdir()
        with pytest.raises(ValueError, match="expected uint8 pixels"):
            write_pictures(tmp_path / f"p{number}", [StoredPicture("a", "C", "P", pixels)])


def test_an_array_that_is_too_short_is_noticed(tmp_path: Path) -> None:
    write_pictures(tmp_path, stored(3))
    zarr.open_array(tmp_path / "pictures.zarr", mode="r+").resize((5000,))
    with pytest.raises(StoreError, match="the bucket is damaged"):
        list(read_pictures(tmp_path))
