"""Filters that keep edges: noise falls, edges stay, and the formulas are those of the papers."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from scipy import ndimage
from skimage.restoration import denoise_nl_means, denoise_tv_chambolle

from tasks.imaging.catalog import step_named
from tasks.imaging.denoise.anisotropic_diffusion import anisotropic_diffusion
from tasks.imaging.denoise.bilateral import bilateral
from tasks.imaging.denoise.edge_guided import edge_guided, edge_share
from tasks.imaging.denoise.nlm import nlm
from tasks.imaging.denoise.total_variation import total_variation
from tasks.imaging.denoise.wavelet_shrinkage import wavelet_shrinkage
from tasks.imaging.step import apply_step

Image = npt.NDArray[Any]
RNG = np.random.default_rng(11)
NOISE = 10.0
KEEPING = ["bilateral", "nlm", "anisotropic_diffusion", "total_variation", "wavelet_shrinkage", "edge_guided"]
UNIT = {2: (1.0, 1.0), 3: (1.0, 1.0, 1.0)}


def halves(shape: tuple[int, ...], step: float = 150.0) -> Image:
    """Dark on the left, bright on the right."""
    values = np.full(shape, 100.0, dtype=np.float32)
    values[..., shape[-1] // 2 :] += step
    return values


def noisy(values: Image) -> Image:
    return np.asarray(values + RNG.normal(0, NOISE, values.shape), dtype=np.float32)


@pytest.mark.parametrize("name", KEEPING)
@pytest.mark.parametrize("shape", [(80, 80), (12, 48, 48)])
def test_noise_falls_and_a_step_stays(name: str, shape: tuple[int, ...]) -> None:
    clean = halves(shape)
    result = apply_step(step_named(name)(), noisy(clean), UNIT[len(shape)])
    middle = shape[-1] // 2
    flat = (result - clean)[..., 6 : middle - 8]
    jump = result[..., middle + 1].mean() - result[..., middle - 2].mean()
    assert flat.std() < 0.5 * NOISE
    assert abs(flat.mean()) < 0.1 * NOISE, "no brightness is lost"
    assert jump > 0.93 * 150.0, "the step is as high within three voxels"


@pytest.mark.parametrize("name", KEEPING)
def test_the_noise_that_is_measured_sets_the_strength(name: str) -> None:
    values = noisy(halves((64, 64)))
    once = apply_step(step_named(name)(), values, UNIT[2])
    tenfold = apply_step(step_named(name)(), 10 * values, UNIT[2])
    assert np.allclose(tenfold, 10 * once, rtol=1e-3)


@pytest.mark.parametrize("name", KEEPING)
def test_where_there_is_no_noise_nothing_is_changed(name: str) -> None:
    values = halves((32, 32))
    assert np.array_equal(apply_step(step_named(name)(), values, UNIT[2]), values)


def test_bilateral_is_its_formula() -> None:
    values, spacing = noisy(halves((3, 9, 12))), (2.0, 1.0, 1.0)
    padded = np.pad(values.astype(np.float64), [(1, 1), (2, 2), (2, 2)], mode="symmetric")
    weights, total = np.zeros(values.shape), np.zeros(values.shape)
    for z, y, x in np.ndindex(3, 5, 5):
        square = (2.0 * (z - 1)) ** 2 + (y - 2) ** 2 + (x - 2) ** 2
        if square > 2.5**2:
            continue
        there = padded[z : z + 3, y : y + 9, x : x + 12]
        weight = np.exp(-square / 2 - (there - values) ** 2 / (2 * 20.0**2))
        weights, total = weights + weight, total + weight * there
    assert np.allclose(
        bilateral(values, spacing_mm=spacing, sigma_mm=1.0, sigma_intensity=20.0), total / weights, rtol=1e-5
    )


def test_bilateral_of_wide_intensities_is_a_gaussian() -> None:
    values = noisy(halves((40, 40)))
    wide = bilateral(values, spacing_mm=UNIT[2], sigma_mm=1.5, sigma_intensity=1e6)
    assert np.abs(wide - ndimage.gaussian_filter(values, 1.5, truncate=2.5)).max() < 0.05 * 150


@pytest.mark.parametrize(("shape", "patch"), [((30, 32), 1), ((30, 32), 2), ((6, 14, 15), 1)])
def test_non_local_means_are_their_formula(shape: tuple[int, ...], patch: int) -> None:
    values = noisy(halves(shape))
    search, width = 2, 0.8 * NOISE
    ours = nlm(values, spacing_mm=UNIT[len(shape)], noise=NOISE, strength=0.8, search_radius=search, patch_radius=patch)
    padded = np.pad(values.astype(np.float64), search + patch, mode="symmetric")
    inner = tuple(slice(search, search + n + 2 * patch) for n in shape)
    weights, total = np.zeros(shape), np.zeros(shape)
    for offset in np.ndindex(*(2 * search + 1,) * len(shape)):
        moved = padded[tuple(slice(o, o + n + 2 * patch) for o, n in zip(offset, shape, strict=True))]
        box = tuple(slice(patch, patch + n) for n in shape)
        distance = ndimage.uniform_filter((padded[inner] - moved) ** 2, 2 * patch + 1)[box]
        weight = np.exp(-np.maximum(distance - 2 * NOISE**2, 0) / width**2)
        weights, total = weights + weight, total + weight * moved[box]
    assert np.allclose(ours, total / weights, rtol=1e-4)


def test_non_local_means_do_what_those_of_scikit_image_do() -> None:
    values = noisy(halves((64, 64)))
    ours = nlm(values, spacing_mm=UNIT[2], noise=NOISE, strength=0.6, search_radius=5, patch_radius=2)
    theirs = denoise_nl_means(values, patch_size=5, patch_distance=5, h=0.6 * NOISE, sigma=NOISE, fast_mode=True)
    inside = (slice(8, -8), slice(8, -8))
    assert np.sqrt(np.mean((ours - theirs)[inside] ** 2)) < 0.1 * NOISE


def test_thick_slices_are_denoised_each_for_itself() -> None:
    values = noisy(halves((5, 20, 20)))
    thick = nlm(values, spacing_mm=(5.0, 1.0, 1.0), noise=NOISE)
    assert np.array_equal(thick, np.stack([nlm(s, spacing_mm=UNIT[2], noise=NOISE) for s in values]))
    assert not np.array_equal(thick, nlm(values, spacing_mm=(5.0, 1.0, 1.0), noise=NOISE, in_plane=False))


def test_one_step_of_diffusion_is_its_formula() -> None:
    values, spacing = noisy(halves((4, 7, 9))).astype(np.float64), (2.0, 1.0, 1.0)
    wanted = values.copy()
    for axis, ease in enumerate((0.25, 1.0, 1.0)):
        d = np.diff(values, axis=axis)
        flow = ease * np.exp(-ease * (d / 25.0) ** 2) * d / (4 * 2.25)
        before = [(0, 1) if a == axis else (0, 0) for a in range(3)]
        after = [(1, 0) if a == axis else (0, 0) for a in range(3)]
        wanted += np.pad(flow, before) - np.pad(flow, after)
    ours = anisotropic_diffusion(values, spacing_mm=spacing, conductance=25.0, iterations=1)
    assert np.allclose(ours, wanted, rtol=0, atol=1e-5)


def test_diffusion_loses_no_brightness() -> None:
    values = noisy(halves((20, 21, 22)))
    after = anisotropic_diffusion(values, spacing_mm=(3.0, 1.0, 1.0), conductance=30.0, iterations=20)
    assert after.mean() == pytest.approx(values.mean(), rel=1e-5)


def test_diffusion_that_nothing_holds_back_ends_at_the_mean() -> None:
    values = noisy(halves((8, 8)))
    after = anisotropic_diffusion(values, spacing_mm=UNIT[2], conductance=1e6, iterations=400)
    assert np.allclose(after, values.mean(), atol=0.1)


@pytest.mark.parametrize("shape", [(30, 33), (7, 15, 16)])
def test_total_variation_is_that_of_scikit_image(shape: tuple[int, ...]) -> None:
    values = noisy(halves(shape)).astype(np.float64)
    ours = total_variation(values, spacing_mm=UNIT[len(shape)], weight=12.0, iterations=20)
    assert np.allclose(ours, denoise_tv_chambolle(values, weight=12.0, eps=0.0, max_num_iter=21), rtol=0, atol=1e-8)


def test_slices_far_apart_have_their_own_total_variation() -> None:
    values = noisy(halves((4, 20, 20)))
    far = total_variation(values, spacing_mm=(1e6, 1.0, 1.0), weight=10.0)
    alone = np.stack([total_variation(s, spacing_mm=UNIT[2], weight=10.0) for s in values])
    assert np.allclose(far, alone, atol=1e-3)


@pytest.mark.parametrize(("shape", "in_plane"), [((3, 64, 64), True), ((3, 64, 64), False), ((64, 64, 64), False)])
def test_shrinkage_makes_noise_alone_flat(shape: tuple[int, ...], in_plane: bool) -> None:
    values = RNG.normal(50.0, NOISE, shape).astype(np.float32)
    shrunk = wavelet_shrinkage(values, spacing_mm=UNIT[3], noise=NOISE, in_plane=in_plane)
    assert shrunk.std() < 0.3 * NOISE


def test_shrinkage_of_what_is_too_small_is_silent_and_changes_nothing() -> None:
    values = noisy(halves((1, 4, 5)))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert np.array_equal(wavelet_shrinkage(values, spacing_mm=UNIT[3], noise=NOISE), values)


def test_noise_alone_is_no_edge_and_a_step_is_one() -> None:
    share = edge_share(noisy(halves((60, 60))), spacing_mm=UNIT[2], noise=NOISE, sigma_mm=1.0, threshold=6.0)
    assert np.quantile(share[:, 5:24], 0.99) < 0.1
    assert share[:, 29:31].min() > 0.95


def test_edges_are_kept_to_the_voxel_value() -> None:
    values = noisy(halves((60, 60), step=1000.0))
    after = edge_guided(values, spacing_mm=UNIT[2], noise=NOISE)
    assert np.abs(after - values)[:, 29:31].max() < 0.1


@pytest.mark.parametrize(
    "denoise",
    [
        partial(bilateral, spacing_mm=UNIT[2], sigma_mm=1.5, sigma_intensity=20.0),
        partial(nlm, spacing_mm=UNIT[2], noise=NOISE),
        partial(edge_guided, spacing_mm=UNIT[2], noise=NOISE),
    ],
)
def test_a_grey_picture_in_colour_stays_grey(denoise: Callable[[Image], Image]) -> None:
    grey = noisy(halves((30, 30)))
    coloured = denoise(np.repeat(grey[..., None], 3, axis=-1))
    assert np.allclose(coloured, denoise(grey)[..., None], rtol=1e-4)
