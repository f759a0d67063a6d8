"""A synthetic picture says so wherever it goes, and no real picture does."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tasks.imaging.synthetic_mark import (
    TEXT,
    Origin,
    bears_mark,
    marked,
    origin_of,
    provenance,
    refuse_synthetic,
    write_synthetic_png,
)

RNG = np.random.default_rng(0)
PICTURE = RNG.integers(0, 256, size=(28, 30), dtype=np.uint8)
ORIGIN = Origin("abc", 3, 7, "glioma")


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.float32])
def test_the_mark_is_found_and_changes_next_to_nothing(dtype: type) -> None:
    image = (RNG.normal(size=(3, 20, 20)) * 50 + 100).clip(0).astype(dtype)
    found = marked(image)
    assert found.dtype == dtype
    assert np.abs(found.astype(float) - image.astype(float)).max() <= (1 if dtype != np.float32 else 1e-4)
    assert bears_mark(found)
    assert not bears_mark(image)


@pytest.mark.parametrize("value", [0, 1, 127, 254, 255])
def test_a_plain_picture_can_be_marked_too(value: int) -> None:
    plain = np.full((32, 32), value, np.uint8)
    assert not bears_mark(plain)
    assert bears_mark(marked(plain))


def test_marking_twice_is_marking_once() -> None:
    assert np.array_equal(marked(marked(PICTURE)), marked(PICTURE))


def test_no_real_picture_bears_it_by_chance() -> None:
    assert not any(bears_mark(RNG.integers(0, 256, size=(16, 16), dtype=np.uint8)) for _ in range(500))


def test_what_is_grey_stays_grey_in_colours() -> None:
    grey = np.broadcast_to(PICTURE, (3, *PICTURE.shape))
    found = marked(grey)
    assert (found == found[:1]).all()
    assert bears_mark(np.moveaxis(found, 0, -1))


def test_the_mark_survives_another_frame_of_zarr_npy_and_png(tmp_path: Path) -> None:
    Image.fromarray(marked(PICTURE)).save(tmp_path / "again.png")
    np.save(tmp_path / "again.npy", marked(PICTURE))
    assert bears_mark(np.asarray(Image.open(tmp_path / "again.png").convert("RGB")))
    assert bears_mark(np.load(tmp_path / "again.npy"))
    assert bears_mark(marked(PICTURE)[:20, :17])


@pytest.mark.parametrize("shape", [(28, 28), (40, 100, 3)])
def test_a_png_says_it_in_text_in_a_band_and_in_its_pixels(tmp_path: Path, shape: tuple[int, ...]) -> None:
    path = tmp_path / "made.png"
    write_synthetic_png(path, np.zeros(shape, np.uint8), ORIGIN)
    assert origin_of(path) == ORIGIN
    with Image.open(path) as image:
        assert json.loads(image.text[TEXT])["synthetic"] is True
        pixels = np.asarray(image)
    assert bears_mark(pixels)
    assert pixels.shape[0] > shape[0]
    assert pixels[shape[0] :].max() > 200  # letters
    assert pixels[: shape[0], : shape[1]].max() <= 1


def test_a_png_that_lost_its_text_is_still_known(tmp_path: Path) -> None:
    write_synthetic_png(tmp_path / "made.png", PICTURE, ORIGIN)
    Image.open(tmp_path / "made.png").copy().save(tmp_path / "again.png", pnginfo=None)
    assert bears_mark(np.asarray(Image.open(tmp_path / "again.png")))


@pytest.mark.parametrize("content", [b"", b"no picture", json.dumps({"model": 1}).encode()])
def test_a_file_without_origin_has_none(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "a.png").write_bytes(content)
    assert origin_of(tmp_path / "a.png") is None
    Image.fromarray(PICTURE).save(tmp_path / "b.png")
    assert origin_of(tmp_path / "b.png") is None


def test_the_gate_names_what_is_synthetic() -> None:
    real = {f"C-{number}": PICTURE for number in range(3)}
    refuse_synthetic(real, where="the folds")
    with pytest.raises(ValueError, match=r"1 of 4 pictures in the folds are synthetic: S-1; expected none"):
        refuse_synthetic({**real, "S-1": marked(PICTURE)}, where="the folds")


def test_each_picture_has_its_row_of_provenance() -> None:
    table = provenance([ORIGIN, Origin("abc", 3, 8, "glioma")])
    assert table["synthetic"].all()
    assert table.loc[1].to_dict() == {"number": 8, "synthetic": True, "model": "abc", "seed": 3, "label": "glioma"}
    assert list(provenance([]).columns) == list(table.columns)


def test_what_cannot_be_marked_is_refused() -> None:
    with pytest.raises(ValueError, match="at least 256 pixels"):
        marked(np.zeros((15, 15), np.uint8))
    with pytest.raises(ValueError, match="uint8, uint16 or float32"):
        marked(np.zeros((20, 20), np.int64))
    assert not bears_mark(np.zeros((15, 15), np.uint8))
