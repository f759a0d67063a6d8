"""The patient and his lungs cut out: nothing of them is lost, and the couch is."""

from __future__ import annotations

from typing import Any

import dask.array as da
import numpy as np
import numpy.typing as npt
import pytest

from storage.errors import CaseError
from tasks.imaging import coarse
from tasks.imaging.chunked import apply_chunked, blocks_of
from tasks.imaging.coarse import coarse_copy
from tasks.imaging.geometry import crop_body, crop_organ
from tasks.imaging.organs.body import body_mask
from tasks.imaging.organs.lungs import lung_mask
from tasks.imaging.step import View, apply_step
from tasks.phantom.thorax import ThoraxPhantom, thorax

SPACING = (3.0, 2.0, 2.0)


def patient(air: float, tissue: float) -> npt.NDArray[np.float32]:
    """A block of tissue with a hole, and a thin couch below."""
    image = np.full((20, 80, 80), air, dtype=np.float32)
    image[4:17, 16:50, 18:62] = tissue
    image[4:17, 25:40, 25:40] = air
    image[:, 60:62, 5:75] = tissue
    return image


@pytest.mark.parametrize(
    ("unit", "air", "tissue"), [("HU", -1000.0, 40.0), ("SUV", 0.0, 0.4), ("arbitrary", 3.0, 250.0)]
)
def test_the_body_is_cut_out_without_the_couch(unit: str, air: float, tissue: float) -> None:
    image = patient(air, tissue)
    result = apply_step(crop_body.Settings(margin_mm=0), image, SPACING, unit=unit)
    assert np.array_equal(result, image[4:17, 16:50, 18:62])
    wider = apply_step(crop_body.Settings(margin_mm=5), image, SPACING, unit=unit)
    assert np.array_equal(wider, image[2:19, 13:53, 15:65])


def test_what_is_thin_stays_where_that_is_asked_for_or_nothing_is_thicker() -> None:
    image = patient(0.0, 1.0)
    assert apply_step(crop_body.Settings(margin_mm=0, thickness_mm=0), image, SPACING, unit="SUV").shape[1] == 46
    image[:, :60] = 0.0
    assert apply_step(crop_body.Settings(margin_mm=0), image, SPACING, unit="SUV").shape == (20, 2, 70)


def test_a_picture_and_its_colours_are_cut_too() -> None:
    picture = np.zeros((60, 90, 3), np.uint8)
    picture[10:50, 20:70, 0] = 200
    result = apply_step(crop_body.Settings(margin_mm=0), picture, (1.0, 1.0))
    assert np.array_equal(result, picture[10:50, 20:70])


def test_an_image_without_a_body_says_so() -> None:
    with pytest.raises(CaseError, match="no body found: nothing is above"):
        apply_step(crop_body.Settings(), np.full((4, 30, 30), -1000.0), SPACING, unit="HU")
    with pytest.raises(CaseError, match="all voxels have intensity"):
        apply_step(crop_body.Settings(), np.full((4, 30, 30), 5.0), SPACING)


@pytest.mark.parametrize("shape", [(7, 30, 41), (30, 41), (30, 41, 3)])
@pytest.mark.parametrize("most", [4, 10, 128])
def test_a_coarse_copy_holds_the_mean_of_each_cell_whatever_the_blocks(
    shape: tuple[int, ...], most: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(coarse, "MOST_CELLS", most)
    image = np.random.default_rng(0).integers(-1000, 1000, shape).astype(np.int16)
    spacing = (1.0,) * (2 if shape[-1] == 3 else len(shape))
    view = View.of(image, spacing)
    chunks = (3, 11, 7)[: len(spacing)] if len(spacing) == 3 else (11, 7)
    blocks = blocks_of(da.from_array(image, chunks=chunks + shape[len(spacing) :]), len(spacing))
    found = coarse_copy(blocks, view)
    grey = image.mean(axis=-1) if shape[-1] == 3 else image.astype(float)
    cells = [-(-n // most) for n in grey.shape]
    assert found.cell[3 - len(cells) :] == tuple(cells)
    for index in np.ndindex(*(min(3, n) for n in found.means.shape)):
        where = tuple(slice(i * c, (i + 1) * c) for i, c in zip(index[3 - len(cells) :], cells, strict=True))
        assert found.means[index] == pytest.approx(grey[where].mean(), abs=1e-3)


@pytest.fixture(scope="module")
def chest() -> ThoraxPhantom:
    return thorax(np.random.default_rng(1), shape=(58, 90, 90), spacing_mm=(5.0, 4.0, 4.0))


def box_of(mask: Any) -> list[tuple[int, int]]:
    return [(int(axis.min()), int(axis.max()) + 1) for axis in np.nonzero(mask)]


def test_the_box_is_that_of_the_lungs_found_on_the_whole_image(chest: ThoraxPhantom) -> None:
    step = crop_organ.Settings(margin_mm=0)
    view = View.of(chest.hu, (5.0, 4.0, 4.0), unit="HU")
    facts = step.measure(lambda: [(view.start, chest.hu)], view)
    found = list(zip(facts["start"], facts["stop"], strict=True))
    body = body_mask(chest.hu, spacing_mm=(5.0, 4.0, 4.0), unit="HU")
    expected = box_of(lung_mask(chest.hu, body, spacing_mm=(5.0, 4.0, 4.0)))
    assert np.abs(np.subtract(found, expected)).max() <= 1
    kept = chest.lungs[tuple(slice(a, b) for a, b in found)].sum()
    assert kept > 0.99 * chest.lungs.sum()
    wide = apply_step(crop_organ.Settings(margin_mm=12.0), chest.hu, (5.0, 4.0, 4.0), unit="HU")
    narrow = apply_step(step, chest.hu, (5.0, 4.0, 4.0), unit="HU")
    assert np.subtract(wide.shape, narrow.shape).tolist()[1:] == [6, 6]


@pytest.mark.parametrize("step", [crop_organ.Settings(), crop_body.Settings()], ids=lambda step: step.name)
@pytest.mark.parametrize("most", [30, 128])
def test_blocks_of_a_chest_are_cut_as_the_whole_is(
    step: Any, most: int, chest: ThoraxPhantom, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(coarse, "MOST_CELLS", most)
    whole = apply_step(step, chest.hu, (5.0, 4.0, 4.0), unit="HU")
    blocks = apply_chunked(step, da.from_array(chest.hu, chunks=(20, 31, 90)), (5.0, 4.0, 4.0), unit="HU")
    assert np.array_equal(blocks.compute(), whole)


def test_lungs_are_not_looked_for_where_there_are_none() -> None:
    with pytest.raises(CaseError, match="lungs are found by their air in a CT in HU; got an image in 'SUV'"):
        apply_step(crop_organ.Settings(), patient(0.0, 1.0), SPACING, unit="SUV")
    with pytest.raises(CaseError, match="no lungs found"):
        apply_step(crop_organ.Settings(), np.full((9, 60, 60), 40.0), SPACING, unit="HU")
