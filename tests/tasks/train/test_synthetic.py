"""Synthetic pictures teach, and do nothing else: calibration is asked of real ones that the generator did not see."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from sklearn.metrics import log_loss

from tasks.deep.networks import FittedNetwork
from tasks.picture_model import class_probabilities, log_probabilities, tempered
from tasks.train import network
from tasks.train.hold_out import hold_out
from tasks.train.network import fit_network
from tasks.train.network_settings import NetworkSettings
from tasks.train.pipeline_fit import FittedPipeline, fit_pipeline
from tasks.train.pipeline_settings import PipelineSettings
from tasks.train.synthetic import Synthetic
from tasks.train.temperature import fit_temperature

PX = 16
LABELS = np.arange(40) % 2
UNSEEN = np.arange(40) < 12
RNG = np.random.default_rng(5)
PICTURES = RNG.integers(0, 90, size=(40, PX, PX, 3), dtype=np.uint8) + (90 * LABELS[:, None, None, None]).astype("u1")
MADE = Synthetic(RNG.integers(0, 90, size=(9, PX, PX, 3), dtype=np.uint8), np.zeros(9, dtype=np.int64), UNSEEN)
NETWORK = NetworkSettings(
    model="small_cnn", input_px=PX, batch=8, epochs=2, feature_share=0, held_out=0.2, precision="float32"
)
FEATURES = RNG.normal(size=(40, 4)) + 1.5 * LABELS[:, None]
ROWS = Synthetic(RNG.normal(size=(9, 4)) + 4, np.zeros(9, dtype=np.int64), UNSEEN)
LOGISTIC = PipelineSettings(model="logistic", families=("first_order",))


def learned(synthetic: Synthetic | None, **change: Any) -> FittedNetwork:
    settings = NETWORK.model_copy(update=change)
    return fit_network(PICTURES, LABELS, np.arange(40), settings, classes=2, seed=0, synthetic=synthetic)


def piped(synthetic: Synthetic | None) -> FittedPipeline:
    return fit_pipeline(FEATURES, LABELS, np.arange(40) % 4, LOGISTIC, classes=2, synthetic=synthetic)


def test_a_network_learns_from_them_and_says_how_many(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[Any] = []
    lesson_of = network.lesson_of
    monkeypatch.setattr(network, "lesson_of", lambda *given, **about: asked.append(given) or lesson_of(*given, **about))
    with_them, without = learned(MADE), learned(None)
    assert (with_them.synthetic, without.synthetic) == (9, 0)
    assert with_them.pictures + with_them.held_out == without.pictures + without.held_out == 40
    assert with_them.mean != without.mean
    (_, _, rows, kept), _ = asked
    assert set(range(40, 49)) <= set(rows)
    assert set(rows).isdisjoint(kept)
    assert kept.max() < 12  # real, and unknown to the generator


def test_what_calibrates_a_network_does_not_follow_the_synthetic_pictures(monkeypatch: pytest.MonkeyPatch) -> None:
    answers: list[np.ndarray] = []
    monkeypatch.setattr(network, "fit_temperature", lambda logits, target: answers.append(target) or 1.0)
    other = replace(MADE, labels=np.ones(9, dtype=np.int64))
    one, two = learned(MADE, epochs=1), learned(other, epochs=1)
    assert [len(some) for some in answers] == [one.held_out, two.held_out]
    assert one.held_out > 0
    assert np.array_equal(*answers)


def test_a_pipeline_is_calibrated_on_what_the_generator_did_not_see() -> None:
    fitted = piped(ROWS)
    taught = np.concatenate([FEATURES[~UNSEEN], ROWS.inputs])
    labels = np.append(LABELS[~UNSEEN], ROWS.labels)
    inner = fit_pipeline(taught, labels, np.arange(37) % 2, LOGISTIC, classes=2)  # its pipeline alone is of interest
    said = class_probabilities(inner.pipeline, FEATURES[UNSEEN], 2)
    temperature = fit_temperature(log_probabilities(said), LABELS[UNSEEN])
    assert fitted.temperature == pytest.approx(temperature)
    assert fitted.inner_loss == pytest.approx(log_loss(LABELS[UNSEEN], tempered(said, temperature)), abs=1e-5)
    assert (fitted.synthetic, piped(None).synthetic) == (9, 0)


def test_a_generator_that_has_seen_every_picture_leaves_nothing_to_calibrate_with() -> None:
    with pytest.raises(ValueError, match="needs real ones that their generator did not see"):
        piped(replace(ROWS, unseen=np.zeros(40, dtype=bool)))
    assert learned(replace(MADE, unseen=np.zeros(40, dtype=bool)), epochs=1).held_out == 0


def test_only_whole_groups_among_the_rows_named_are_kept_out() -> None:
    groups = np.arange(40) // 4
    teach, kept = hold_out(LABELS, groups, 0.3, seed=0, among=np.arange(40) < 10)
    assert set(kept) <= set(range(8))  # the group of rows 8 to 11 is not among them altogether
    assert len(kept) > 0
    assert sorted([*teach, *kept]) == list(range(40))
