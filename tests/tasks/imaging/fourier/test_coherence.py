"""Coherence of slices whose common part is known, and slices split by it."""

from __future__ import annotations

import dask
import dask.array as da
import numpy as np
import pytest
from scipy import ndimage

from storage.errors import CaseError
from tasks.imaging.chunked import apply_chunked
from tasks.imaging.fourier.coherence_anomaly import Settings as Anomaly
from tasks.imaging.fourier.coherence_anomaly import coherence_anomaly
from tasks.imaging.fourier.coherent_part import Settings as CoherentPart
from tasks.imaging.fourier.coherent_part import coherent_part
from tasks.imaging.spectrum.coherence import coherence_by_band, coherence_map, split
from tasks.imaging.spectrum.tiles import Tiling, slice_of, tile_spectra
from tasks.imaging.step import Step, apply_step

EDGES = (0.05, 0.1, 0.2, 0.4)
PLANE = (1.0, 1.0)


def noise(seed: int, *shape: int) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=shape)


@pytest.mark.parametrize("start", [(0, 0), (5, 19)])
@pytest.mark.parametrize("shape", [(64, 48), (37, 61), (3, 5)])
def test_tiles_put_together_are_the_slice(shape: tuple[int, int], start: tuple[int, int]) -> None:
    image, tiling = noise(0, *shape), Tiling((16, 12), start, shape)
    assert np.allclose(slice_of(tile_spectra(image, tiling), tiling), image, atol=1e-12)


def test_a_slice_is_wholly_coherent_with_itself_whatever_its_contrast() -> None:
    image = noise(0, 128, 128)
    found = coherence_by_band(image, 5 - 3 * image, spacing_mm=PLANE, edges_per_mm=EDGES)
    assert np.allclose(found.values, 1.0)


@pytest.mark.parametrize("seed", range(3))
def test_slices_that_share_nothing_have_no_coherence(seed: int) -> None:
    found = coherence_by_band(*noise(seed, 2, 256, 256), spacing_mm=PLANE, edges_per_mm=EDGES)
    assert np.max(found.values) < 0.01, "what chance gives is taken away"
    assert coherence_map(*noise(seed, 2, 256, 256), spacing_mm=PLANE).mean() < 0.03


@pytest.mark.parametrize("ratio", [0.5, 1.0, 3.0])
def test_a_common_part_with_noise_has_the_coherence_of_the_formula(ratio: float) -> None:
    common, *others = noise(1, 3, 384, 384)
    found = coherence_by_band(
        *(np.sqrt(ratio) * common + other for other in others), spacing_mm=PLANE, edges_per_mm=EDGES
    )
    assert np.allclose(found.values, (ratio / (1 + ratio)) ** 2, atol=0.03)


def test_a_band_is_coherent_where_the_common_part_has_its_frequencies() -> None:
    common = ndimage.gaussian_filter(noise(2, 256, 256), 3.0)
    first, second = 10 * common / common.std() + noise(3, 2, 256, 256)
    low, _, high = coherence_by_band(first, second, spacing_mm=PLANE, edges_per_mm=(0.03, 0.06, 0.2, 0.4)).values
    assert low > 0.95
    assert high < 0.1


def test_the_map_tells_the_shared_half_of_a_slice_from_the_other() -> None:
    first, second = noise(4, 2, 96, 128)
    second[:, :64] = first[:, :64]
    found = coherence_map(first, second, spacing_mm=PLANE, tile_mm=12.0)
    assert found[:, :40].min() > 0.95
    assert found[:, 88:].mean() < 0.05


def test_the_coherent_part_of_noise_is_little_and_of_equal_slices_everything() -> None:
    assert coherent_part(noise(5, 6, 96, 96), spacing_mm=(1.0, *PLANE)).std() < 0.25
    same = np.repeat(noise(6, 1, 96, 96), 6, axis=0)
    assert np.allclose(coherent_part(same, spacing_mm=(1.0, *PLANE)), same, atol=1e-9)


def test_the_coherent_part_is_nearer_to_the_truth_than_the_image() -> None:
    truth = ndimage.gaussian_filter(noise(7, 10, 128, 128), (3, 2, 2))
    truth *= 100 / truth.std()
    image = truth + noise(8, *truth.shape) * 60
    error = (coherent_part(image, spacing_mm=(1.0, *PLANE)) - truth).std()
    assert error < 0.6 * 60
    # Noise is white and the truth is smooth: Wiener's filter of the true spectra is the best of all linear ones.
    power = np.mean(np.abs(np.fft.fft2(truth)) ** 2, axis=0)
    best = np.fft.ifft2(np.fft.fft2(image) * power / (power + 60**2 * 128**2)).real
    assert error < 1.6 * (best - truth).std()


def test_structures_that_slant_stay_whole() -> None:
    first = ndimage.gaussian_filter(noise(9, 128, 128), 2.0, mode="wrap")
    slanting = np.stack([np.roll(first, z, axis=1) for z in range(8)])
    part = coherent_part(slanting, spacing_mm=(1.0, *PLANE))
    assert (part - slanting).std() < 0.1 * slanting.std()


def test_the_brightness_of_the_ground_is_kept() -> None:
    image = 1000 + noise(10, 4, 64, 64)
    assert coherent_part(image, spacing_mm=(1.0, *PLANE)).mean() == pytest.approx(1000, abs=0.1)


def test_what_one_slice_alone_shows_is_the_anomaly() -> None:
    vessel = np.hypot(*(np.indices((96, 96)) - np.reshape([30, 30], (2, 1, 1)))) < 6
    lesion = np.hypot(*(np.indices((96, 96)) - np.reshape([64, 70], (2, 1, 1)))) < 6
    volume = np.repeat(200.0 * vessel[None], 12, axis=0) + noise(11, 12, 96, 96)
    volume[5:8] += 200.0 * lesion
    found = coherence_anomaly(volume, spacing_mm=(2.5, *PLANE))
    at = np.unravel_index(np.argmax(found), found.shape)
    assert abs(at[0] - 6) <= 3
    assert np.hypot(at[1] - 64, at[2] - 70) < 8
    assert found[6, 64, 70] > 8 * found[6, 30, 30], "what goes on through all slices is none"


def test_the_anomaly_of_noise_is_its_standard_deviation() -> None:
    found = coherence_anomaly(25 * noise(12, 8, 96, 96), spacing_mm=(1.0, *PLANE))
    assert found.mean() == pytest.approx(25, rel=0.05)


def test_slices_at_the_ends_have_one_neighbour() -> None:
    same = np.repeat(noise(13, 1, 64, 64), 2, axis=0)
    assert coherence_anomaly(same, spacing_mm=(9.0, *PLANE)).max() < 1e-4


def test_one_slice_alone_is_refused() -> None:
    with pytest.raises(CaseError, match="one slice has no neighbours"):
        coherent_part(noise(14, 1, 20, 20), spacing_mm=(1.0, *PLANE))


@pytest.mark.parametrize(
    "step",
    [CoherentPart(tile_mm=8.0), CoherentPart(tile_mm=8.0, distance_mm=4.0), Anomaly(tile_mm=8.0, sigma_mm=1.0)],
)
def test_blocks_larger_than_a_tile_give_what_the_whole_gives(step: Step) -> None:
    volume = ndimage.gaussian_filter(noise(15, 12, 90, 110), 1.0).astype(np.float32)
    spacing = (2.0, 1.0, 1.0)
    blocks = da.from_array(volume, chunks=(4, 33, 41))
    with dask.config.set(scheduler="synchronous"):
        result = apply_chunked(step, blocks, spacing)
        assert result.numblocks[0] > 1
        assert result.numblocks[2] > 1
        assert np.abs(result.compute() - apply_step(step, volume, spacing)).max() < 1e-5


def test_a_gain_of_1_changes_nothing() -> None:
    volume = noise(16, 3, 40, 50)
    result = split(
        volume, spacing_mm=(1.0, *PLANE), tile_mm=10.0, lag=1, gain=lambda g: np.ones_like(g), with_means=True
    )
    assert np.allclose(result, volume)
