"""The outline's features: of a disc, an ellipse, a star; what moving, scaling and turning the shape do not change."""

from __future__ import annotations

import math

import numpy as np
import pytest

from tasks.extract.families.contour import PLAIN, Settings, compute, features
from tasks.extract.plane import largest_piece, largest_slice
from tasks.extract.region import Region

N = 161
Y, X = np.indices((N, N)) - N // 2
ANGLE, RADIUS = np.arctan2(Y, X), np.hypot(Y, X)
DISC = RADIUS <= 40
STAR = 45 * (1 + 0.3 * np.cos(5 * ANGLE)) >= RADIUS


def described(mask: np.ndarray, spacing: tuple[float, float, float] = (2.0, 1.0, 1.0)) -> dict[str, float]:
    stack = mask if mask.ndim == 3 else mask[None]
    return compute(Region(np.zeros(stack.shape), stack, spacing, "HU"), Settings())


def scale_free(values: dict[str, float]) -> dict[str, float]:
    infos = features(Settings())
    return {name: value for name, value in values.items() if infos[name].unit == "1"}


def test_a_disc_is_round() -> None:
    values = described(DISC)
    assert values["area"] == pytest.approx(1600 * np.pi, rel=0.01)
    assert values["perimeter"] == pytest.approx(80 * np.pi, rel=0.01)
    assert values["radial_mean"] == pytest.approx(40, rel=0.01)
    for name in ("compactness", "solidity", "convexity"):
        assert values[name] == pytest.approx(1, abs=0.01)
    assert values["fractal_dimension"] == pytest.approx(1, abs=0.01)
    assert values["curvature_mean_absolute"] == pytest.approx(1 / 40, rel=0.2)
    assert 1 < values["bending_energy"] < 1.2
    assert values["radial_variation"] < 0.01
    assert values["concavities"] == values["radial_entropy"] == 0
    assert all(values[name] < 0.01 for name in values if name.startswith("harmonic"))


def test_a_star_of_five_rays_has_five_dents_and_ten_crossings() -> None:
    values = described(STAR)
    assert values["concavities"] == 5
    assert values["radial_crossings"] == 10
    assert values["curvature_minimum"] < 0 < values["concave_share"]
    assert values["solidity"] < 0.9
    assert values["radial_variation"] > 0.15
    strongest = sorted((name for name in values if name.startswith("harmonic")), key=values.__getitem__)[-2:]
    assert set(strongest) == {"harmonic_plus_6", "harmonic_minus_4"}


def test_an_ellipse_lies_in_the_first_negative_harmonic() -> None:
    values = described((Y / 20) ** 2 + (X / 60) ** 2 <= 1)
    harmonics = {name: value for name, value in values.items() if name.startswith("harmonic")}
    assert max(harmonics, key=harmonics.__getitem__) == "harmonic_minus_1"
    # By the angle it would be (60 - 20) / (60 + 20); along the curve it is a little less.
    assert 0.4 < harmonics["harmonic_minus_1"] < 0.55
    assert values["radial_crossings"] == 4
    assert values["concavities"] == 0


def test_turns_mirrors_and_moves_change_nothing() -> None:
    blob = 40 * (1 + 0.2 * np.cos(3 * ANGLE + 1) + 0.1 * np.sin(2 * ANGLE)) >= RADIUS
    once = described(blob)
    # The 256 points of the outline begin at another place: shares differ by a point or so.
    for other in (np.rot90(blob), blob[::-1], blob.T, np.roll(blob, (7, -5), (0, 1)), np.pad(blob, 3)):
        assert described(np.ascontiguousarray(other)) == pytest.approx(once, rel=0.02, abs=1.5 / 256)


def test_a_size_in_mm_changes_lengths_alone() -> None:
    once, twice = described(STAR), described(STAR, (2.0, 2.0, 2.0))
    assert scale_free(twice) == pytest.approx(scale_free(once))
    assert twice["perimeter"] == pytest.approx(2 * once["perimeter"])
    assert twice["area"] == pytest.approx(4 * once["area"])
    assert twice["curvature_maximum"] == pytest.approx(once["curvature_maximum"] / 2)


def test_anisotropic_pixels_show_the_same_disc() -> None:
    flat = np.hypot(2 * (np.indices((81, N))[0] - 40), np.indices((81, N))[1] - 80) <= 40
    values = described(flat, (5.0, 2.0, 1.0))
    assert values["area"] == pytest.approx(1600 * np.pi, rel=0.03)
    assert values["compactness"] == pytest.approx(1, abs=0.02)
    assert values["harmonic_minus_1"] < 0.02


def test_the_slice_of_the_largest_area_is_described_and_of_it_the_largest_piece_without_holes() -> None:
    stack = np.zeros((3, N, N), bool)
    stack[0], stack[1], stack[2] = RADIUS <= 10, DISC, RADIUS <= 20
    stack[1, 78:83, 78:83] = False
    stack[1, :4, :4] = True
    region = Region(np.zeros(stack.shape), stack, (1.0, 1.0, 1.0), "HU")
    assert largest_slice(region) == 1
    assert (largest_piece(stack[1]) == DISC).all()
    assert described(stack) == described(DISC)


@pytest.mark.parametrize("mask", [np.ones((1, 1)), np.ones((1, 9)), np.eye(4), np.ones((2, 2))])
def test_the_smallest_masks_have_finite_values(mask: np.ndarray) -> None:
    values = described(mask.astype(bool))
    assert list(values) == list(features(Settings()))
    assert all(math.isfinite(value) for value in values.values())
    assert len(values) == len(PLAIN) + 7 + 8
