"""Figures of image quality on phantoms whose noise, contrast and edges are known."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import numpy.typing as npt
import pytest

from storage.volume import Volume
from tasks.imaging.catalog import step_named
from tasks.imaging.step import View
from tasks.normalize.chain import Done
from tasks.normalize.quality import SLICES, figures, quality, seen_in

SIGMA = 12.0
MUSCLE, FAT, AIR = 60.0, -100.0, -1000.0


def phantom(sigma: float = SIGMA, *, slices: int = 6, blur: float = 0.0) -> Volume:
    """A cylinder of muscle in a ring of fat in air, with white noise: 1 mm voxels, slices of 5 mm."""
    y, x = np.mgrid[-48:48, -48:48]
    radius = np.hypot(y, x)
    edge = np.where(radius < 25, MUSCLE, np.where(radius < 40, FAT, AIR))
    if blur:
        from scipy.ndimage import gaussian_filter

        edge = gaussian_filter(edge, blur)
    noise = np.random.default_rng(3).normal(0.0, sigma, (slices, 96, 96))
    return Volume((edge + noise).astype(np.float32), (5.0, 1.0, 1.0), unit="HU")


def done(name: str, before: Volume, after: npt.NDArray[np.float32]) -> Done:
    view = View.of(before.array, before.spacing_mm, unit=before.unit)
    return Done(1, step_named(name)(), view, before, before.with_array(after))


def test_the_noise_that_was_put_in_is_found() -> None:
    assert figures(phantom())["noise"] == pytest.approx(SIGMA, rel=0.1)
    assert figures(phantom(3.0))["noise"] == pytest.approx(3.0, rel=0.1)


def test_snr_and_cnr_are_distances_over_the_noise() -> None:
    found = figures(phantom())
    noise = found["noise"]
    inside = np.sort(phantom().array[phantom().array > -500])
    assert noise is not None
    assert found["snr"] == pytest.approx((np.median(inside) - AIR) / noise, rel=0.01)
    assert found["cnr"] == pytest.approx((MUSCLE - FAT) / noise, rel=0.02)


def test_a_blurred_image_is_less_sharp_and_half_the_spacing_is_twice_as_sharp() -> None:
    sharp, blurred = phantom(1.0), phantom(1.0, blur=2.0)
    assert figures(blurred)["sharpness"] < 0.7 * figures(sharp)["sharpness"]  # type: ignore[operator]
    finer = replace(sharp, spacing_mm=(5.0, 0.5, 0.5))
    assert figures(finer)["sharpness"] == pytest.approx(2 * figures(sharp)["sharpness"], rel=1e-5)  # type: ignore[operator]


def test_thick_volumes_are_looked_at_in_a_few_slices_alone() -> None:
    volume = phantom(slices=100)
    whole = figures(volume)
    looked_at = np.unique(np.linspace(0, 99, SLICES).round().astype(int))
    others = np.setdiff1d(np.arange(100), looked_at)
    volume.array[others] = 1e6
    assert figures(volume) == whole


def test_a_source_that_a_step_has_to_mend_has_figures_too() -> None:
    volume = phantom()
    whole = figures(volume)["noise"]
    volume.array[:, :3, :3] = np.nan
    assert figures(volume)["noise"] == pytest.approx(whole)


def test_a_case_has_its_figures_before_and_after_and_the_change_of_its_grid() -> None:
    source, result = phantom(), replace(phantom(3.0), spacing_mm=(2.5, 1.0, 2.0))
    found = quality(source, result, {"clipped_share": 0.25})
    assert found["spacing_ratio"] == [0.5, 1.0, 2.0]
    assert (found["clipped_share"], found["bias_strength"]) == (0.25, None)
    assert found["before"]["noise"] > 3 * found["after"]["noise"]


def test_the_share_that_was_cut_off_counts_the_patient_alone() -> None:
    volume = phantom(0.0)
    cut = np.where(volume.array == MUSCLE, np.float32(50), np.maximum(volume.array, np.float32(-200)))
    share = seen_in(done("clip", volume, cut))["clipped_share"]
    inside = volume.array > -500
    assert share == pytest.approx((volume.array == MUSCLE).sum() / inside.sum())


def test_the_strength_of_a_shading_is_the_spread_of_its_logarithm() -> None:
    z, y, x = np.mgrid[0:4, 0:64, 0:64]
    field = np.exp(0.3 * np.sin(2 * np.pi * x / 64)).astype(np.float32)
    true = np.where(np.hypot(y - 32, x - 32) < 28, np.float32(100), np.float32(1))
    shaded = Volume(true * field, (1.0, 1.0, 1.0))
    found = seen_in(done("n4", shaded, true))["bias_strength"]
    body = np.hypot(y - 32, x - 32) < 28
    assert found == pytest.approx(np.log(field[body]).std(), rel=1e-3)
    assert z.shape == field.shape


def test_another_step_tells_nothing() -> None:
    assert seen_in(done("median", phantom(), phantom().array)) == {}


@pytest.mark.parametrize("shape", [(1, 1, 1), (1, 3, 3), (5, 1, 40)])
def test_where_there_is_too_little_a_figure_is_none(shape: tuple[int, int, int]) -> None:
    found = figures(Volume(np.full(shape, 40.0, np.float32), (1.0, 1.0, 1.0), unit="HU"))
    assert set(found.values()) == {None}
