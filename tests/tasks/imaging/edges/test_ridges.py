"""Vessels: tubes of known width answer at their own scale, and as scikit-image's filters do."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
import skimage.filters

from tasks.imaging.catalog import step_named
from tasks.imaging.edges.frangi import frangi
from tasks.imaging.edges.sato import sato
from tasks.imaging.kernels.hessian import add_sato, hessian
from tasks.imaging.step import apply_step

Image = npt.NDArray[Any]
RNG = np.random.default_rng(3)
UNIT = {2: (1.0, 1.0), 3: (1.0, 1.0, 1.0)}
SPACING = (2.0, 1.0, 1.0)
SHAPE = (20, 40, 40)


def from_middle_mm(shape: tuple[int, ...], spacing: tuple[float, ...]) -> tuple[Image, ...]:
    sides = [s * (np.arange(n) - n // 2) for n, s in zip(shape, spacing, strict=True)]
    return np.meshgrid(*sides, indexing="ij")


def tube(width_mm: float = 2.0) -> Image:
    """Along x, with a Gaussian profile; 100 high on a ground of 20."""
    z, y, _ = from_middle_mm(SHAPE, SPACING)
    return np.asarray(20 + 100 * np.exp(-(z**2 + y**2) / (2 * width_mm**2)))


def inside(array: Image, margin: int) -> Image:
    """Away from the border, where scikit-image mirrors gradients and not the image."""
    return array[(slice(margin, -margin),) * array.ndim]


def smooth(shape: tuple[int, ...]) -> Image:
    return np.asarray(skimage.filters.gaussian(RNG.normal(0, 100, shape), 2.0))


@pytest.mark.parametrize("shape", [(60, 71), (36, 37, 38)])
@pytest.mark.parametrize("ridges", ["bright", "dark"])
def test_sato_is_that_of_scikit_image(shape: tuple[int, ...], ridges: Any) -> None:
    values = smooth(shape)
    theirs = skimage.filters.sato(values, sigmas=[1.5, 2.5], black_ridges=ridges == "dark", mode="reflect")
    ours = sato(values, spacing_mm=UNIT[len(shape)], scales_mm=(1.5, 2.5), ridges=ridges)
    assert np.abs(inside(ours - theirs, 10)).max() < 0.01 * theirs.max()


@pytest.mark.parametrize("shape", [(60, 71), (36, 37, 38)])
@pytest.mark.parametrize("ridges", ["bright", "dark"])
def test_frangi_is_that_of_scikit_image_at_one_scale(shape: tuple[int, ...], ridges: Any) -> None:
    values = smooth(shape)
    theirs = skimage.filters.frangi(
        values, sigmas=[2.0], black_ridges=ridges == "dark", gamma=1.0, mode="reflect"
    )  # whose curvatures are not multiplied by the square of sigma
    ours = frangi(values, spacing_mm=UNIT[len(shape)], scales_mm=(2.0,), ridges=ridges, structure=4.0)
    assert inside(theirs, 8).max() > 0.2
    away = np.abs(inside(ours - theirs, 8))
    assert np.quantile(away, 0.99) < 0.01
    assert away.max() < 0.1, "where two curvatures are of one size, their order decides"


def test_curvatures_of_a_paraboloid_are_exact_whatever_the_spacing() -> None:
    z, y, x = from_middle_mm((24, 30, 30), SPACING)
    parts = hessian(z**2 + 3 * y * x - x**2, SPACING, 1.2, (12, 13)).reshape(6, 30, 30)[:, 15, 15]
    assert parts / 1.2**2 == pytest.approx([2, 0, 0, 0, 3, -2], abs=1e-5)


def test_eigenvalues_are_those_of_numpy() -> None:
    matrices = RNG.normal(0, 1, (500, 3, 3))
    matrices += matrices.transpose(0, 2, 1)
    parts = np.ascontiguousarray(matrices[:, *np.triu_indices(3)].T)
    out = np.zeros(500)
    add_sato(parts, 1.0, out, 0, 500)
    _, middle, high = np.linalg.eigvalsh(matrices).T
    assert np.allclose(out, np.sqrt(np.maximum(middle, 0) * np.maximum(high, 0)), atol=1e-7)


@pytest.mark.parametrize(("width_mm", "scale"), [(1.5, 0), (2.5, 1), (4.0, 2)])
def test_a_tube_answers_most_at_its_own_width(width_mm: float, scale: int) -> None:
    answers = [
        sato(tube(width_mm), spacing_mm=SPACING, scales_mm=(s,), ridges="bright")[10, 20, 20] for s in (1.5, 2.5, 4.0)
    ]
    assert np.argmax(answers) == scale
    assert max(answers) == pytest.approx(25.0, rel=0.05), "a quarter of the height"


def test_a_tube_is_a_vessel_and_a_plate_or_a_ball_is_not() -> None:
    z, y, x = from_middle_mm(SHAPE, SPACING)
    plate = 20 + 100 * np.exp(-(z**2) / 8)
    ball = 20 + 100 * np.exp(-(z**2 + y**2 + x**2) / 8)
    of_tube, of_plate, of_ball = (
        frangi(v, spacing_mm=SPACING, scales_mm=(2.0,), ridges="bright", structure=5.0)[10, 20, 20]
        for v in (tube(), plate, ball)
    )
    assert of_tube > 0.8
    assert of_plate < 0.05
    assert of_ball < 0.2 * of_tube


@pytest.mark.parametrize("name", ["frangi", "sato"])
def test_a_bright_tube_is_no_dark_one(name: str) -> None:
    steps = [step_named(name).model_validate({"ridges": ridges}) for ridges in ("bright", "dark")]
    bright, dark = (apply_step(step, tube(), SPACING)[10, 20, 20] for step in steps)
    assert bright > 0
    assert dark == 0


def test_vesselness_does_not_depend_on_the_unit_of_intensity() -> None:
    values = tube() + RNG.normal(0, 2, SHAPE)
    once, tenfold = (apply_step(step_named("frangi")(), v, SPACING) for v in (values, 10 * values - 1000))
    assert np.allclose(once, tenfold, atol=1e-6)


@pytest.mark.parametrize("name", ["frangi", "sato"])
def test_an_even_image_has_no_vessels(name: str) -> None:
    assert not apply_step(step_named(name)(), np.full((5, 9, 9), 3.0), SPACING).any()
