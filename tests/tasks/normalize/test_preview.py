"""The picture of a chain: a row for each step."""

from __future__ import annotations

import io

import numpy as np
from PIL import Image

from storage.volume import Volume
from tasks.imaging.catalog import step_named
from tasks.normalize.chain import each_step
from tasks.normalize.preview import draw_preview


def test_each_step_has_its_row() -> None:
    rng = np.random.default_rng(0)
    volume = Volume(rng.normal(0, 100, (5, 40, 30)).astype(np.float32), (3.0, 1.0, 1.0), unit="HU")
    steps = [step_named("clip")(), step_named("gaussian")(), step_named("zscore")()]
    heights = []
    for count in (1, 3):
        png = draw_preview(each_step(volume, steps[:count]), title="C-1 · ct")
        with Image.open(io.BytesIO(png)) as picture:
            assert picture.format == "PNG"
            heights.append(picture.height)
    assert heights[1] > 2 * heights[0]


def test_one_slice_and_one_value_can_be_drawn() -> None:
    volume = Volume(np.array([[[1.0, 2.0]]], np.float32), (1.0, 1.0, 1.0), unit="HU")
    assert draw_preview(each_step(volume, [step_named("flip")()]), title="").startswith(b"\x89PNG")
