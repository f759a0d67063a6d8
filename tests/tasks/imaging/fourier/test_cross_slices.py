"""Shifted, turned and missing slices of a phantom."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import ndimage

from storage.errors import CaseError
from tasks.imaging.spectrum.cross_slices import align_slices, compare_neighbours, displacements, slice_faults

SPACING = (2.0, 0.8, 0.8)


def phantom(seed: int = 0, slices: int = 24, side: int = 112) -> np.ndarray:
    """Structures that go on over some slices, and noise that does not."""
    rng = np.random.default_rng(seed)
    smooth = ndimage.gaussian_filter(rng.normal(size=(slices + 8, side, side)), 2.0)[4:-4]
    return np.asarray(100 * smooth / smooth.std() + rng.normal(0, 10, smooth.shape), dtype=np.float32)


def faults(volume: np.ndarray) -> list[tuple[str, int]]:
    return [(f.kind, f.slice) for f in slice_faults(compare_neighbours(volume, spacing_mm=SPACING))]


@pytest.mark.parametrize("seed", range(6))
def test_a_sound_volume_has_no_faults(seed: int) -> None:
    assert faults(phantom(seed)) == []


@pytest.mark.parametrize("shift", [(5, -3), (-4, 0), (2.4, -1.7)])
def test_a_shifted_slice_is_found_with_its_shift(shift: tuple[float, float]) -> None:
    volume = phantom()
    volume[9] = ndimage.shift(volume[9], shift, order=3, mode="reflect")
    pairs = compare_neighbours(volume, spacing_mm=SPACING)
    (fault,) = slice_faults(pairs)
    assert (fault.kind, fault.slice) == ("shifted", 9)
    assert np.allclose(fault.shift_mm, np.multiply(shift, SPACING[1:]), atol=0.4)
    assert np.hypot(*np.delete(displacements(pairs), 9, axis=0).T).max() < 0.8


def test_slices_that_slant_steadily_are_right() -> None:
    first = phantom()[0]
    slanting = np.stack([ndimage.shift(first, (0.8 * z, 0), order=3, mode="wrap") for z in range(15)])
    pairs = compare_neighbours(slanting, spacing_mm=SPACING)
    assert np.allclose([p.shift_mm for p in pairs], (0.64, 0.0), atol=0.15)
    assert slice_faults(pairs) == []


@pytest.mark.parametrize("degrees", [8, 20, 90])
def test_a_turned_slice_is_coherent_with_neither_neighbour(degrees: float) -> None:
    volume = phantom()
    volume[13] = ndimage.rotate(volume[13], degrees, reshape=False, mode="reflect")
    assert faults(volume) == [("different", 13)]


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("missing", [1, 2])
def test_missing_slices_are_a_gap(missing: int, seed: int) -> None:
    volume = phantom(seed)
    assert faults(np.delete(volume, range(10, 10 + missing), axis=0)) == [("gap", 9)]


def test_a_displaced_slice_is_put_back_and_the_others_are_untouched() -> None:
    volume = phantom(1)
    away = volume.copy()
    away[9] = ndimage.shift(volume[9], (3.5, -6.0), order=3, mode="reflect")
    aligned, displacement = align_slices(away, spacing_mm=SPACING)
    inner = slice(10, -10)
    assert np.flatnonzero(displacement.any(axis=1)).tolist() == [9]
    assert np.array_equal(np.delete(aligned, 9, axis=0), np.delete(away, 9, axis=0))
    before = np.corrcoef(away[9, inner, inner].ravel(), volume[9, inner, inner].ravel())[0, 1]
    after = np.corrcoef(aligned[9, inner, inner].ravel(), volume[9, inner, inner].ravel())[0, 1]
    assert before < 0.5
    assert after > 0.97


def test_without_a_window_all_slices_are_set_right_against_the_first() -> None:
    first = phantom(2)[0]
    path = np.array([[0.0, 0.0], [2.0, 1.0], [4.0, -1.0], [4.0, -1.0]])
    volume = np.stack([ndimage.shift(first, p, order=3, mode="wrap") for p in path])
    _, displacement = align_slices(volume, spacing_mm=SPACING, window=None)
    assert np.allclose(displacement, path * SPACING[1:], atol=0.06)


def test_slices_of_noise_have_no_certain_shift() -> None:
    pairs = compare_neighbours(np.random.default_rng(0).normal(size=(6, 96, 96)), spacing_mm=SPACING)
    assert not any(pair.is_certain for pair in pairs)
    assert {pair.shift_mm for pair in pairs} == {(0.0, 0.0)}


def test_constant_slices_are_defined() -> None:
    pairs = compare_neighbours(np.zeros((4, 20, 20)), spacing_mm=SPACING)
    assert slice_faults(pairs) == []
    assert pairs[0].mean_coherence == 0


def test_one_slice_alone_is_refused() -> None:
    with pytest.raises(CaseError, match="one slice has no neighbours"):
        compare_neighbours(np.zeros((1, 20, 20)), spacing_mm=SPACING)
