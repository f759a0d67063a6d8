"""Features of pictures by hand; the framed ones do not see how a picture was saved."""

from __future__ import annotations

import math

import numpy as np
import pytest

from storage.errors import CaseError
from tasks.extract.colour import colour_info
from tasks.extract.pictures import feature_info, first_order, hog, picture_features, size_and_border
from tasks.imaging.picture_frame import Settings, frame_picture

Array = np.ndarray


def disc(shape: tuple[int, int] = (100, 80), at: tuple[int, int] = (10, 20), *, level: int = 0) -> Array:
    """A disc of 50 pixels' diameter and grey values 100–199."""
    y, x = np.mgrid[:50, :50]
    mask = (y - 24.5) ** 2 + (x - 24.5) ** 2 <= 25**2
    picture = np.full((*shape, 3), level, dtype=np.uint8)
    picture[at[0] : at[0] + 50, at[1] : at[1] + 50][mask] = (100 + (y + x)[mask])[:, None]
    return picture


def test_size_and_border_by_hand() -> None:
    picture = disc(level=30)
    picture[-4:, :4] = 255
    values = size_and_border(picture)
    assert (values["width"], values["height"], values["aspect"]) == (80, 100, 0.8)
    assert values["bottom_left"] == pytest.approx(255)
    assert [values[f"{side}_mean"] for side in ("top", "right")] == pytest.approx([30, 30])
    assert values["bottom_mean"] == pytest.approx(30 + 225 * 4 / 80)
    assert values["left_mean"] == pytest.approx(30 + 225 * 4 / 100)
    assert values["left_sd"] == pytest.approx(225 * math.sqrt(0.04 * 0.96))
    assert values["top_sd"] == pytest.approx(0)


def test_nothing_inside_the_border_is_looked_at() -> None:
    other = disc()
    other[4:-4, 4:-4] = np.random.default_rng(0).integers(0, 256, (92, 72, 3))
    assert size_and_border(other) == size_and_border(disc())


def test_first_order_of_a_framed_picture_by_hand() -> None:
    framed = np.zeros((16, 16, 3), dtype=np.uint8)
    framed[2, 2:6] = np.array([1, 3, 5, 7])[:, None]
    values = first_order(framed)
    assert (values["mean"], values["maximum"], values["energy"]) == pytest.approx((4, 7, 84))
    assert len(values) == 18
    with pytest.raises(CaseError, match="nothing is left"):
        first_order(np.zeros((16, 16, 3), dtype=np.uint8))


def test_the_gradients_of_stripes_point_across_them() -> None:
    stripes = np.where(np.arange(128) // 8 % 2, 200, 50).astype(np.uint8)
    framed = np.repeat(np.broadcast_to(stripes[None, :], (128, 128))[..., None], 3, axis=-1)
    names = ("across", "along")
    for name, picture in zip(names, (framed, np.swapaxes(framed, 0, 1)), strict=True):
        histogram = np.array(list(hog(np.ascontiguousarray(picture)).values())).reshape(-1, 9).sum(axis=0)
        assert int(histogram.argmax()) == (0 if name == "across" else 4)


def test_columns_and_descriptions_agree() -> None:
    features = picture_features(disc(), frame_picture(disc()))
    info = feature_info()
    assert list(features) == list(info)
    assert len(features) == 15 + 18 + 7 * 7 * 4 * 9 + len(colour_info())
    assert [name for name in info if name.startswith("hog.")][:2] == ["hog.0000", "hog.0001"]
    assert "20°" in info["hog.0001"].description


def test_what_was_framed_does_not_tell_how_it_was_saved() -> None:
    small = Settings(size=64)
    saved = [disc((300, 90), (200, 5), level=level) for level in (0, 40, 255)]  # searched in a smaller copy
    assert len({tuple(size_and_border(picture).values()) for picture in saved}) == 3
    framed = [frame_picture(picture, small) for picture in saved]
    assert len({tuple(first_order(picture).values()) for picture in framed}) == 1
    assert len({tuple(hog(picture).values()) for picture in framed}) == 1
    assert first_order(framed[0])["median"] == pytest.approx(first_order(frame_picture(disc(), small))["median"], 0.02)
