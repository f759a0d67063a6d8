"""The noise level: what was put in is found, whatever structure, background and blocks."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from skimage.restoration import estimate_sigma

from tasks.imaging.noise import SQUARES, noise_level, noise_of
from tasks.imaging.step import View

Image = npt.NDArray[Any]


def noisy(shape: tuple[int, ...], sigma: float, seed: int = 0) -> Image:
    """Even ground, a bright ball with a sharp rim, a slope, and noise."""
    where = np.meshgrid(*(np.linspace(-1, 1, n) for n in shape), indexing="ij")
    ball = 200.0 * (sum(w**2 for w in where) < 0.4)
    return np.asarray(300.0 + ball + 30 * where[-1] + np.random.default_rng(seed).normal(0, sigma, shape))


def unit(array: Image) -> tuple[float, ...]:
    return (1.0,) * array.ndim


@pytest.mark.parametrize("sigma", [0.5, 5.0, 40.0])
@pytest.mark.parametrize("shape", [(200, 240), (20, 90, 100)])
def test_noise_that_was_put_in_is_found(sigma: float, shape: tuple[int, ...]) -> None:
    values = noisy(shape, sigma)
    assert noise_of(values, unit(values)) == pytest.approx(sigma, rel=0.1)


def test_it_agrees_with_scikit_image() -> None:
    values = noisy((256, 256), 12.0)
    assert noise_of(values, (1.0, 1.0)) == pytest.approx(float(estimate_sigma(values)), rel=0.03)


def test_a_large_image_is_sampled(monkeypatch: pytest.MonkeyPatch) -> None:
    values = noisy((40, 120, 120), 7.0)
    every = noise_of(values, unit(values))
    monkeypatch.setattr("tasks.imaging.noise.SQUARES", SQUARES // 64)
    assert noise_of(values, unit(values)) == pytest.approx(every, rel=0.05)


def test_air_of_one_value_or_without_noise_is_not_counted() -> None:
    values = noisy((150, 150), 9.0)
    quiet = np.random.default_rng(1).normal(0, 0.5, values.shape)
    for air in (np.zeros_like(values), quiet):
        air[50:120, 40:130] = values[50:120, 40:130]
        assert noise_of(air, (1.0, 1.0)) == pytest.approx(9.0, rel=0.1)


@settings(max_examples=25, deadline=None, derandomize=True)
@given(st.tuples(*[st.integers(1, n) for n in (6, 17, 19)]), st.integers(0, 2))
def test_blocks_play_no_part(sides: tuple[int, int, int], colours: int) -> None:
    values = noisy((6, 17, 19), 8.0)
    if colours:
        values = np.stack([values, 2 * values], axis=-1)
    view = View.of(values, (1.0, 1.0, 1.0))
    corners = itertools.product(*(range(0, n, side) for n, side in zip(view.shape, sides, strict=True)))
    blocks = [
        (corner, values[tuple(slice(a, a + side) for a, side in zip(corner, sides, strict=True))]) for corner in corners
    ]
    assert noise_level(lambda: blocks, view) == pytest.approx(noise_of(values, (1.0, 1.0, 1.0)), rel=1e-12)


@pytest.mark.parametrize("values", [np.full((9, 9), 5.0), np.zeros((4, 1, 9)), np.zeros((1, 1)), np.eye(1)])
def test_where_nothing_varies_there_is_none(values: Image) -> None:
    assert noise_of(values, unit(values)) == 0.0
