"""Connected pieces above several thresholds."""

from __future__ import annotations

import numpy as np

from tasks.imaging.candidates.components import Settings

ONE = (10.0, 10.0, 10.0)  # voxels of 1 ml
PLAIN = {"smoothing_sigma_mm": 0.0, "closing_mm": 0.0, "min_ml": 1.0, "max_ml": 1000.0}


def hill() -> np.ndarray:
    """A 7×7×7 block of 2 with a 3×3×3 block of 5 in it, and a lone voxel of 9."""
    image = np.zeros((12, 12, 12))
    image[1:8, 1:8, 1:8] = 2.0
    image[3:6, 3:6, 3:6] = 5.0
    image[10, 10, 10] = 9.0
    return image


def search(image: np.ndarray, **options: object) -> list:
    settings = Settings(**{**PLAIN, **options})
    return settings.find(image, np.ones(image.shape, dtype=bool), spacing_mm=ONE, unit="SUV")


def test_two_thresholds_give_two_nested_pieces() -> None:
    outer, inner = search(hill(), thresholds=(4.0, 1.0), min_ml=2.0)
    assert (outer.level, outer.mask.sum(), outer.box) == (1.0, 343, (slice(1, 8),) * 3)
    assert (inner.level, inner.mask.sum(), inner.box) == (4.0, 27, (slice(3, 6),) * 3)


def test_volume_limits_are_in_ml_and_include_their_ends() -> None:
    assert [p.mask.sum() for p in search(hill(), thresholds=(1.0, 4.0), min_ml=27.0, max_ml=343.0)] == [343, 27]
    assert [p.mask.sum() for p in search(hill(), thresholds=(1.0, 4.0), min_ml=1.0, max_ml=342.9)] == [1, 27, 1]


def test_a_cold_centre_is_filled_when_asked() -> None:
    image = hill()
    image[4, 4, 4] = 0.0
    image[2:7, 5, 2] = 0.0
    assert [p.mask.sum() for p in search(image, thresholds=(1.0,), min_ml=2.0)] == [343]
    assert [p.mask.sum() for p in search(image, thresholds=(1.0,), min_ml=2.0, fill=False)] == [337]


def test_closing_fills_the_ground_of_a_groove() -> None:
    image = hill()
    image[:, 1:4, 4] = 0.0
    (grooved,) = search(image, thresholds=(1.0,), min_ml=2.0)
    (closed,) = search(image, thresholds=(1.0,), min_ml=2.0, closing_mm=30.0)
    assert grooved.mask.sum() == 343 - 7 * 3
    assert closed.box == grooved.box
    assert closed.mask[3, 1:3, 3].all()


def test_nothing_outside_the_searched_region_is_found() -> None:
    image = hill()
    within = np.zeros(image.shape, dtype=bool)
    within[:, :, :4] = True
    pieces = Settings(**PLAIN, thresholds=(1.0,)).find(image, within, spacing_mm=ONE, unit="SUV")
    assert [p.mask.sum() for p in pieces] == [7 * 7 * 3]
    assert Settings().find(image, np.zeros_like(within), spacing_mm=ONE, unit="SUV") == []


def test_smoothing_has_the_same_width_in_mm_along_all_axes() -> None:
    image = np.zeros((21, 41, 41))
    image[10, 20, 20] = 1000.0
    (piece,) = Settings(thresholds=(1.0,), smoothing_sigma_mm=4.0, closing_mm=0, min_ml=0, max_ml=1000).find(
        image, np.ones(image.shape, dtype=bool), spacing_mm=(2.0, 1.0, 1.0), unit="SUV"
    )
    z, y, x = (s.stop - s.start for s in piece.box)
    assert y == x
    assert abs(2.0 * z - y) <= 2.0


def test_without_a_unit_thresholds_are_quantiles() -> None:
    image = np.arange(1000.0).reshape(10, 10, 10)
    settings = Settings(**PLAIN, quantiles=(0.9,))
    (piece,) = settings.find(image, np.ones(image.shape, dtype=bool), spacing_mm=ONE, unit="arbitrary")
    assert piece.mask.sum() == 100


def test_a_chosen_threshold_keeps_the_other_defaults_of_the_unit() -> None:
    chosen = Settings(thresholds=(2.0,)).by_unit("SUV")
    assert chosen.thresholds == (2.0,)
    assert chosen.min_ml == Settings().by_unit("SUV").min_ml is not None
    assert Settings(thresholds=(2.0,)).by_unit("arbitrary").quantiles is None
