"""What holds for every filter, and is checked for a new one as soon as it is named here."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import pytest

from storage.errors import CaseError
from tasks.extract.settings import Settings
from tasks.extract.table import data_dictionary
from tasks.imaging.response import Filter, filters

SLICED = {"slice_wise": True}
EXAMPLES: dict[str, list[dict[str, Any]]] = {
    "mean": [{}, {"size": 3}, SLICED],
    "log": [{}, {"sigma_mm": 1.5}, {"sigma_mm": 1.5, **SLICED}],
    "laws": [
        {},
        {"delta": 7},
        {"delta": 0},
        {"kernel": "E5L5S5"},
        {"kernel": "S5L5L5", "pooling": "mean"},
        {"pooling": "min"},
        {"pooling": "none"},
        {"kernel": "S3E5", **SLICED},
    ],
    "gabor": [
        {},
        {"sigma_mm": 2},
        {"lambda_mm": 3},
        {"gamma": 0.5},
        {"theta_deg": 10},
        {"theta_step_deg": 22.5},
        {"pooling": "max"},
        {"pooling": "none"},
        SLICED,
    ],
    "separable_wavelet": [
        {},
        {"wavelet": "db3"},
        {"wavelet": "bior2.2"},
        {"band": "HLH"},
        {"level": 2},
        {"pooling": "none"},
        {"pooling": "max"},
        {"band": "HL", **SLICED},
    ],
    "simoncelli": [{}, {"level": 2}, SLICED],
    "riesz": [
        {},
        {"order": (0, 2, 0)},
        {"order": (1, 1, 0)},
        {"sigma_mm": 1.5},
        {"of": "simoncelli"},
        {"of": "simoncelli", "level": 2},
        SLICED,
        {"of": "simoncelli", **SLICED},
    ],
}
EVERY = [filters()[name](**settings) for name, several in EXAMPLES.items() for settings in several]
SLICE_WISE = [one for one in EVERY if one.slice_wise]
INVARIANT = [
    one
    for one in EVERY
    # Gabor's directions from 10° on are not those from -10° on, which they become in other planes.
    if getattr(one, "pooling", "none") != "none" and not getattr(one, "theta_deg", 0)
]
SPACING = (2.0, 1.0, 1.0)


def by_label(one: Filter) -> str:
    return one.label


@pytest.fixture
def image() -> np.ndarray:
    made = np.random.default_rng(0).normal(size=(9, 12, 11)).astype(np.float32)
    made.setflags(write=False)
    return made


def test_every_filter_has_examples() -> None:
    assert set(EXAMPLES) == set(filters())


@pytest.mark.parametrize("one", EVERY, ids=by_label)
def test_shape_and_precision_are_kept(one: Filter, image: np.ndarray) -> None:
    single = one.respond(image, SPACING)
    double = one.respond(image.astype(np.float64), SPACING)
    assert (single.dtype, double.dtype) == (np.float32, np.float64)
    assert single.shape == double.shape == image.shape
    assert np.ptp(double) > 0
    np.testing.assert_allclose(single, double, atol=1e-5)


def test_whole_numbers_become_float32() -> None:
    image = np.arange(9**3, dtype=np.int16).reshape(9, 9, 9)
    for name in EXAMPLES:
        one = filters()[name]()
        assert one.respond(image, (1.0, 1.0, 1.0)).dtype == np.float32
        np.testing.assert_array_equal(
            one.respond(image, (1.0, 1.0, 1.0)), one.respond(image.astype(np.float32), (1.0, 1.0, 1.0))
        )


@pytest.mark.parametrize("one", SLICE_WISE, ids=by_label)
def test_slice_by_slice_no_slice_knows_of_another(one: Filter, image: np.ndarray) -> None:
    alone = [one.respond(image[z : z + 1], SPACING) for z in range(len(image))]
    np.testing.assert_allclose(one.respond(image, SPACING), np.concatenate(alone), atol=1e-6)


@pytest.mark.parametrize("one", EVERY, ids=by_label)
def test_a_shifted_periodic_image_has_a_shifted_response(one: Filter, image: np.ndarray) -> None:
    periodic = one.model_copy(update={"boundary": "periodic"})
    shift = (0 if one.slice_wise else 4, 5, 3)
    expected = np.roll(periodic.respond(image, SPACING), shift, axis=(0, 1, 2))
    np.testing.assert_allclose(periodic.respond(np.roll(image, shift, axis=(0, 1, 2)), SPACING), expected, atol=1e-5)


@pytest.mark.parametrize("one", INVARIANT, ids=by_label)
def test_pooled_responses_turn_with_the_image(one: Filter) -> None:
    image = np.random.default_rng(1).normal(size=(9, 9, 9))
    spacing = (1.0, 1.0, 1.0)
    for axes in [(1, 2)] if one.slice_wise else [(0, 1), (1, 2), (0, 2)]:
        turned = one.respond(np.rot90(image, axes=axes).copy(), spacing)
        np.testing.assert_allclose(turned, np.rot90(one.respond(image, spacing), axes=axes), atol=1e-9)


@pytest.mark.parametrize("one", EVERY, ids=by_label)
def test_threads_change_no_byte(one: Filter, image: np.ndarray, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    single = one.respond(image, SPACING)
    monkeypatch.setenv("OMP_NUM_THREADS", "3")
    assert one.respond(image, SPACING).tobytes() == single.tobytes()


def test_other_settings_have_another_label() -> None:
    boundaries = ("zero", "nearest", "periodic", "mirror")
    labels = [
        one.model_copy(update={"boundary": boundary}).label
        for one, boundary in itertools.product(dict.fromkeys(EVERY), boundaries)
    ]
    assert len(set(labels)) == len(labels)
    assert not any(set(label) & set(" /,") for label in labels)


@pytest.mark.parametrize("name", EXAMPLES)
def test_a_single_slice_is_refused_in_three_dimensions_with_advice(name: str) -> None:
    with pytest.raises(CaseError, match=r"needs \d+ voxels along each axis; got 1 × 8 × 8: .*filter slice-wise"):
        filters()[name]().respond(np.zeros((1, 8, 8)), SPACING)


@pytest.mark.parametrize("name", EXAMPLES)
def test_an_unknown_setting_is_refused(name: str) -> None:
    with pytest.raises(ValueError, match="Extra inputs are not permitted"):
        filters()[name](sigma=1)


def test_the_stage_takes_every_filter_by_its_name() -> None:
    blocks = [{"name": name, **settings} for name, several in EXAMPLES.items() for settings in several]
    unlike = {filters()[block["name"]].model_validate(block).label: block for block in blocks}
    settings = Settings.model_validate({"families": ["first_order"], "filters": list(unlike.values())})
    assert [one.label for one in settings.filters] == list(unlike)
    assert Settings.model_validate(settings.model_dump(mode="json")) == settings
    named = data_dictionary(settings).query("filter != ''")["name"]
    assert len(named) == 18 * len(unlike)
    assert set(named) >= {f"{label}.first_order.mean" for label in unlike}
