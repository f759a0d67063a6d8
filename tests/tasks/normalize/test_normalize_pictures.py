"""Pictures: the listed steps before the frame."""

from __future__ import annotations

import numpy as np
import pytest
from pydantic import ValidationError

from storage.errors import CaseError
from tasks.imaging.catalog import step_named, steps
from tasks.imaging.picture_frame import Pixels, frame_picture
from tasks.normalize.pictures import PictureSettings, normalize_picture


def disc() -> Pixels:
    y, x = np.mgrid[-50:50, -60:60]
    grey = np.where(np.hypot(y, x) < 40, 120 + x, 0)
    return np.repeat(grey[..., None], 3, axis=2).astype(np.uint8)


def test_without_steps_a_picture_is_framed_alone() -> None:
    settings = PictureSettings(size=64)
    assert np.array_equal(normalize_picture(disc(), settings), frame_picture(disc(), settings))


def test_steps_are_done_in_their_order_before_the_frame() -> None:
    flipped = normalize_picture(disc(), PictureSettings(size=64, steps=(step_named("flip")(),)))
    plain = normalize_picture(disc(), PictureSettings(size=64))
    assert np.abs(flipped[:, ::-1].astype(int) - plain).max() <= 1
    assert not np.array_equal(flipped, plain)


def test_what_a_step_does_to_the_background_is_black_again() -> None:
    smoothed = normalize_picture(disc(), PictureSettings(size=64, steps=(step_named("gaussian")(sigma_mm=3.0),)))
    assert smoothed.dtype == np.uint8
    assert (smoothed[0, 0] == 0).all()


@pytest.mark.parametrize("name", [n for n, kind in steps().items() if kind.learns() or "colour" not in kind.kinds])
def test_a_step_that_is_not_for_single_pictures_is_refused(name: str) -> None:
    with pytest.raises(ValidationError, match=r"learns from other images|not for colour"):
        PictureSettings(steps=(step_named(name)(),))


@pytest.mark.parametrize("name", ["clahe", "stretch", "equalize", "rescale"])
def test_shares_from_0_to_1_become_grey_again(name: str) -> None:
    framed = normalize_picture(disc(), PictureSettings(size=64, steps=(step_named(name)(),)))
    assert framed.max() > 200


@pytest.mark.parametrize("names", [("zscore",), ("sobel",), ("gaussian", "log")])
def test_steps_that_leave_no_grey_levels_are_refused(names: tuple[str, ...]) -> None:
    with pytest.raises(ValidationError, match="no grey levels"):
        PictureSettings(steps=tuple(step_named(name)() for name in names))
    PictureSettings(steps=tuple(step_named(name)() for name in (*names, "rescale")))


@pytest.mark.parametrize("name", ["elastic", "shear"])
def test_pictures_are_not_bent(name: str) -> None:
    with pytest.raises(ValidationError, match="moves the patient"):
        PictureSettings(steps=(step_named(name)(),))


def test_a_picture_of_one_colour_is_a_fault_of_the_case() -> None:
    with pytest.raises(CaseError):
        normalize_picture(np.full((30, 30, 3), 9, np.uint8), PictureSettings(size=32))
