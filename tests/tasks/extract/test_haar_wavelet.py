"""Haar energies of edges, lines and points that can be decomposed by hand."""

from __future__ import annotations

import math

import numpy as np
import pytest
from pydantic import ValidationError

from storage.volume import Volume
from tasks.extract.families.haar_wavelet import FLOOR, Settings, compute, features, margin_mm
from tasks.extract.region import Region, widened

PLAIN = Settings(context=1.0, samples=4, levels=2, smoothing_samples=0.0, scale="linear")


def energies(image: np.ndarray, settings: Settings = PLAIN, spacing: float = 1.0) -> dict[str, float]:
    region = Region(image, np.ones(image.shape, bool), (spacing,) * 3, "HU")
    return compute(region, settings)


def only(values: dict[str, float]) -> dict[str, float]:
    return {name: pytest.approx(value) for name, value in values.items() if abs(value) > 1e-12}


def test_a_step_across_x_between_the_halves_lies_in_x_of_the_coarsest_level() -> None:
    image = np.zeros((4, 4, 4))
    image[:, :, 2:] = 6.0
    # Level 1 compares neighbours inside each half: nothing. Level 2 compares the halves: (6 - 0) / 2 = 3, squared 9.
    # The approximation is the mean of all, 3, squared 9.
    assert only(energies(image)) == {"level_2": 9.0, "level_2_x": 9.0, "approximation": 9.0}


def test_a_step_off_the_middle_lies_in_the_finest_level_too() -> None:
    image = np.zeros((4, 4, 4))
    image[:, :, 1:] = 8.0
    # Level 1, pairs along x: (0, 8) differ by 8, (8, 8) by 0: half differences 4 and 0, mean square 8.
    # Level 2: means 4 and 8, half difference 2, squared 4. Approximation: mean 6, squared 36.
    expected = {"level_1": 8.0, "level_1_x": 8.0, "level_2": 4.0, "level_2_x": 4.0, "approximation": 36.0}
    assert only(energies(image)) == expected


@pytest.mark.parametrize(("axis", "name"), [(0, "z"), (1, "y"), (2, "x")])
def test_directions_are_named_by_the_axis_across_which_values_change(axis: int, name: str) -> None:
    image = np.moveaxis(np.broadcast_to([0.0, 2.0, 0.0, 2.0], (4, 4, 4)), 2, axis)
    assert only(energies(image)) == {"level_1": 1.0, f"level_1_{name}": 1.0, "approximation": 1.0}


def test_a_checkerboard_in_x_and_y_lies_in_xy_and_in_all_axes_in_xyz() -> None:
    z, y, x = np.indices((4, 4, 4))
    assert only(energies((-1.0) ** (x + y))) == {"level_1": 1.0, "level_1_xy": 1.0}
    assert only(energies((-1.0) ** (x + y + z))) == {"level_1": 1.0, "level_1_xyz": 1.0}


def test_all_energies_together_are_the_mean_square_of_the_cube() -> None:
    image = np.random.default_rng(0).normal(size=(4, 4, 4))
    values = energies(image)
    # Parseval: a band of level l holds 8^-l of the samples, each coefficient stands for 8^l of them.
    total = values["approximation"] + values["level_1"] + values["level_2"]
    assert total == pytest.approx(np.mean(image**2))


def test_order_weights_weigh_faces_lines_and_points() -> None:
    image = np.random.default_rng(1).normal(size=(4, 4, 4))
    values = energies(image, PLAIN.model_copy(update={"order_weights": (1.0, 0.0, 0.5)}))
    faces = sum(values[f"level_1_{axis}"] for axis in "xyz")
    assert values["level_1"] == pytest.approx(faces + 0.5 * values["level_1_xyz"])


def test_a_flat_cube_has_the_floor_as_log_energy() -> None:
    values = energies(np.full((4, 4, 4), 3.0), PLAIN.model_copy(update={"scale": "log"}))
    assert values["log_level_1_x"] == pytest.approx(math.log(FLOOR))
    assert values["log_approximation"] == pytest.approx(math.log(9.0 + FLOOR))


def test_the_surroundings_enter_by_the_context() -> None:
    image = np.zeros((24, 24, 24), dtype=np.float32)
    image[8:16, 8:16, 8:16] = 10.0
    volume, box = Volume(image, (1.0, 1.0, 1.0)), (slice(8, 16),) * 3
    values = {}
    for context in (1.0, 2.0):
        settings = Settings(context=context, samples=8, levels=1, smoothing_samples=0.0, scale="linear")
        margin = margin_mm((8.0, 8.0, 8.0), settings)
        outer = widened(box, margin, volume.shape, volume.spacing_mm)
        values[context] = compute(Region(image[outer], (image == 10)[outer], volume.spacing_mm, "HU"), settings)
    assert values[1.0]["approximation"] == pytest.approx(100.0)
    # Twice the side: the candidate is an eighth of the cube.
    assert values[2.0]["approximation"] == pytest.approx(100.0 / 8)


def test_the_same_object_on_a_finer_grid_has_the_same_energies() -> None:
    def cube(n: int) -> dict[str, float]:
        z, y, x = (np.indices((n, n, n)) + 0.5) / n - 0.5
        image = np.exp(-((z / 0.3) ** 2) - (y / 0.2) ** 2 - (x / 0.25) ** 2) * 100
        return energies(image, Settings(context=1.0, samples=8, levels=2, scale="linear"), spacing=64.0 / n)

    coarse, fine = cube(16), cube(32)
    assert fine == pytest.approx(coarse, rel=0.05, abs=0.5)


def test_anisotropic_voxels_of_the_same_object_give_the_same_energies() -> None:
    fine = np.random.default_rng(3).normal(size=(8, 8, 8)).repeat(4, 0).repeat(4, 1).repeat(4, 2)
    settings = Settings(context=1.0, samples=8, levels=2, smoothing_samples=0.0, scale="linear")
    thick = fine.reshape(8, 4, 32, 32).mean(axis=1)
    one = compute(Region(fine, np.ones(fine.shape, bool), (1.0, 1.0, 1.0), "HU"), settings)
    other = compute(Region(thick, np.ones(thick.shape, bool), (4.0, 1.0, 1.0), "HU"), settings)
    # Linear interpolation blurs between blocks along y and x in both, along z in the first only.
    assert other["level_2"] == pytest.approx(one["level_2"], rel=0.15)


def test_where_the_image_ends_its_last_voxels_are_repeated() -> None:
    image = np.zeros((8, 8, 8), dtype=np.float32)
    image[:, :, 4:] = 2.0
    settings = Settings(context=2.0, samples=8, levels=1, smoothing_samples=0.0, scale="linear")
    # The candidate is the right half of the image: left of the cube's middle it sees the image, right of it nothing.
    region = Region(image, image > 0, (1.0, 1.0, 1.0), "HU")
    values = compute(region, settings)
    assert all(math.isfinite(v) for v in values.values())
    assert 0.0 < values["approximation"] < 4.0


def test_a_side_in_mm_does_not_follow_the_candidate() -> None:
    settings = Settings(side_mm=64.0)
    assert margin_mm((10.0, 20.0, 30.0), settings) == pytest.approx((39.0, 34.0, 29.0))
    assert margin_mm((100.0, 20.0, 30.0), settings)[0] == pytest.approx(12.0)


def test_features_are_declared_in_the_order_in_which_they_are_computed() -> None:
    for scale in ("linear", "log", "both"):
        settings = Settings(levels=2, scale=scale)
        assert list(features(settings)) == list(energies(np.ones((4, 4, 4)), settings))


def test_samples_that_cannot_be_halved_so_often_are_refused() -> None:
    with pytest.raises(ValidationError, match="multiple of 8 for 3 levels; got 12"):
        Settings(samples=12)
