"""Which examples are shown, and what is laid over them."""

from __future__ import annotations

import io

import numpy as np
from PIL import Image

from tasks.report.gallery import GLOW, Answer, choose_examples, glowing, png
from tasks.report.learning import learning_svg
from tasks.report.picture_content import Learning

ANSWERS = {
    "sure and wrong": Answer("a", 0.9, "b"),
    "unsure and wrong": Answer("b", 0.4, "a"),
    "surely a": Answer("a", 0.95, "a"),
    "maybe a": Answer("a", 0.6, None),
    "surely b": Answer("b", 0.8, "b"),
}


def test_wrong_ones_come_first_then_classes_in_turn() -> None:
    expected = ["sure and wrong", "unsure and wrong", "surely a", "surely b", "maybe a"]
    assert choose_examples(ANSWERS, 5) == expected
    assert choose_examples(ANSWERS, 2) == ["sure and wrong", "surely a"]
    assert choose_examples(ANSWERS, 0) == []


def test_the_glow_lies_where_the_map_says() -> None:
    picture = np.full((4, 4, 3), 100, dtype=np.uint8)
    seen = np.zeros((4, 4))
    seen[1, 2] = 1.0
    shown = glowing(picture, seen)
    assert shown[1, 2].tolist() == [round(0.4 * 100 + 0.6 * value) for value in GLOW]
    assert (np.delete(shown.reshape(-1, 3), 6, axis=0) == 100).all()


def test_a_png_holds_the_pixels() -> None:
    picture = np.arange(48, dtype=np.uint8).reshape(4, 4, 3)
    assert (np.asarray(Image.open(io.BytesIO(png(picture)))) == picture).all()


def test_the_loss_falls_from_left_to_right() -> None:
    svg = learning_svg([Learning(name="fold 1", training=(2.0, 1.0), held_out=(None, 1.5))])
    assert 'points="52,14 452,149"' in svg
    assert 'points="452,81.5"' in svg
    assert "fold 1, held out" in svg
