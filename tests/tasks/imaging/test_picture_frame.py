"""The same head on whatever canvas gives the same framed picture; nothing of the canvas is left."""

from __future__ import annotations

from itertools import islice
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from scipy import ndimage

from storage.errors import CaseError
from tasks.imaging.picture_frame import Settings, content_mask, frame_picture

SMALL = Settings(size=64)


def head(height: int = 60, width: int = 60) -> tuple[np.ndarray, np.ndarray]:
    """A grey ellipse that fills its box, textured, with a black hole inside; and its mask."""
    y, x = np.mgrid[:height, :width]
    mask = ((y - (height - 1) / 2) / (height / 2)) ** 2 + ((x - (width - 1) / 2) / (width / 2)) ** 2 <= 1
    grey = np.where(mask, 120 + 8 * ((y // 4 + x // 4) % 5), 0)
    grey[height // 2 - 5 : height // 2 + 5, width // 2 - 5 : width // 2 + 5] = 0
    return np.repeat(grey.astype(np.uint8)[..., None], 3, axis=-1), mask


def canvas(shape: tuple[int, int], at: tuple[int, int], level: int, **size: int) -> np.ndarray:
    picture = np.full((*shape, 3), level, dtype=np.uint8)
    pixels, mask = head(**size)
    window = picture[at[0] : at[0] + mask.shape[0], at[1] : at[1] + mask.shape[1]]
    window[mask] = pixels[mask]
    return picture


def test_the_mask_is_the_head_with_its_hole_filled() -> None:
    expected = np.zeros((100, 90), dtype=bool)
    expected[20:80, 10:70] = head()[1]
    np.testing.assert_array_equal(content_mask(canvas((100, 90), (20, 10), 0)), expected)


@pytest.mark.parametrize(
    ("shape", "at", "level"), [((100, 90), (20, 10), 255), ((62, 200), (1, 130), 40), ((250, 61), (0, 1), 0)]
)
def test_size_place_and_colour_of_the_canvas_leave_no_trace(
    shape: tuple[int, int], at: tuple[int, int], level: int
) -> None:
    expected = frame_picture(canvas((100, 90), (20, 10), 0), SMALL)
    np.testing.assert_array_equal(frame_picture(canvas(shape, at, level), SMALL), expected)


def test_frames_in_one_another_are_taken_off() -> None:
    inner = canvas((100, 90), (20, 10), 0)
    framed = np.pad(inner, ((6, 6), (3, 9), (0, 0)), constant_values=255)
    framed = np.pad(framed, ((5, 5), (5, 5), (0, 0)), constant_values=90)
    np.testing.assert_array_equal(frame_picture(framed, SMALL), frame_picture(inner, SMALL))


def test_a_white_border_is_found_in_a_picture_that_was_searched_in_small() -> None:
    inner = canvas((600, 580), (80, 100), 0, height=420, width=370)
    framed = np.pad(inner, ((21, 20), (31, 9), (0, 0)), constant_values=255)
    same = (frame_picture(framed, SMALL) > 0) == (frame_picture(inner, SMALL) > 0)
    assert same.mean() > 0.98


def test_a_mirrored_or_turned_picture_gives_a_mirrored_or_turned_frame() -> None:
    picture = canvas((100, 90), (20, 10), 0, height=71, width=54)
    picture[50:60, 15:25] = 250
    framed = frame_picture(picture, SMALL)
    np.testing.assert_array_equal(frame_picture(picture[:, ::-1], SMALL), framed[:, ::-1])
    turned = frame_picture(np.rot90(picture), SMALL).astype(int)
    assert np.abs(turned - np.rot90(framed)).max() <= 1  # rows and columns are resized one after the other


def test_outside_is_0_and_inside_at_least_1() -> None:
    framed = frame_picture(canvas((100, 90), (20, 10), 30), SMALL)
    assert (framed.shape, framed.dtype) == ((64, 64, 3), np.uint8)
    assert (framed[0, 0], framed[-1, -1]) == pytest.approx((0, 0))
    assert (framed[30:34, 30:34] == 1).all()  # the hole
    assert ((framed > 0).mean()) == pytest.approx(np.pi / 4, abs=0.02)


def test_a_longer_side_fills_the_frame_and_the_other_is_padded() -> None:
    framed = frame_picture(canvas((120, 120), (10, 40), 0, height=80, width=40), SMALL)
    rows, columns = np.nonzero(framed[..., 0])
    assert (rows.min(), rows.max()) == (0, 63)
    assert (columns.min(), columns.max()) == (16, 47)


def test_haze_and_letters_are_background() -> None:
    picture = canvas((120, 120), (30, 30), 0).astype(int)
    expected = frame_picture(picture.astype(np.uint8), SMALL)
    picture[3:9, 3:9] = 255
    haze = ndimage.gaussian_filter(np.random.default_rng(2).normal(8, 12, (120, 120, 1)), (1, 1, 0))
    outside = ~content_mask(canvas((120, 120), (30, 30), 0))
    picture[outside] = np.clip(picture + haze, 0, 255)[outside]
    found = frame_picture(picture.astype(np.uint8), SMALL)
    assert ((found > 0) == (expected > 0)).mean() > 0.98


def test_tissue_that_reaches_the_edge_everywhere_is_all_content() -> None:
    ramp = np.linspace(60, 250, 80).astype(np.uint8)
    picture = np.repeat(np.maximum.outer(ramp, ramp)[..., None], 3, axis=-1)
    picture = np.where(np.random.default_rng(0).random((80, 80, 1)) < 0.5, picture, picture // 3).astype(np.uint8)
    assert content_mask(picture, Settings(edge_share=0.5)).all()


def test_air_is_the_darker_colour_of_an_edge_that_cuts_tissue() -> None:
    picture = np.full((100, 100, 3), 5, dtype=np.uint8)
    picture[30:, 10:90] = 180  # the neck: 80 of the bottom's 100 pixels
    expected = np.zeros((100, 100), dtype=bool)
    expected[30:, 10:90] = True
    assert (content_mask(picture) == expected).mean() > 0.99


def test_shrinking_does_not_alias() -> None:
    stripes = np.full((512, 512, 3), 0, dtype=np.uint8)
    stripes[40:472, 40:472] = np.where(np.arange(432) % 2, 250, 50)[None, :, None]
    middle = frame_picture(stripes, SMALL)[8:-8, 8:-8].astype(int)
    assert np.abs(middle - 150).max() <= 3


def test_nothing_is_refused_in_words() -> None:
    with pytest.raises(CaseError, match="one colour all over"):
        frame_picture(np.full((40, 40, 3), 7, dtype=np.uint8))
    with pytest.raises(ValueError, match="expected uint8 pixels"):
        frame_picture(np.zeros((40, 40), dtype=np.uint8))


def test_real_heads_survive_and_their_background_does_not(real_data: Path) -> None:
    for folder in sorted((real_data / "brain_mri4").iterdir()):
        for path in islice(sorted(folder.iterdir()), 8):
            pixels = np.asarray(Image.open(path).convert("RGB"))
            framed = frame_picture(pixels)
            assert 0.35 < (framed[..., 0] > 0).mean() < 1
            corners = framed[[0, 0, -1, -1], [0, -1, 0, -1]]
            assert (corners == 0).any(axis=-1).sum() >= 1
