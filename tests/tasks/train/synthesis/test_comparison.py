"""Generators of images: nothing held out is known to them, what they make is marked, and gains are compared fairly."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest
import torch

from storage.errors import CaseError
from tasks.imaging.synthetic_mark import bears_mark, marked
from tasks.train.synthesis import losses
from tasks.train.synthesis.cohort import Cohort, images_wanted
from tasks.train.synthesis.comparison import compare, fit_in_fold
from tasks.train.synthesis.fit import FittedGenerator, fit_generator, synthesize
from tasks.train.synthesis.judgement import judge
from tasks.train.synthesis.plain_learner import plain_learner
from tasks.train.synthesis.settings import SynthesisSettings
from tasks.train.synthesis.space import described, fit_space

QUICK = SynthesisSettings(
    method="r1", steps=3, batch=4, record_every=2, network={"width": 8, "widest": 8, "latent": 4}, images=12
)


def bars(labels: list[int], *, seed: int = 0, px: int = 16) -> Any:
    """Class 0: a bright upper half; class 1: a bright left half; with noise and of different brightness."""
    rng = np.random.default_rng(seed)
    images = rng.normal(60, 12, size=(len(labels), 1, px, px))
    for image, label in zip(images, labels, strict=True):
        half = (slice(None), slice(px // 2)) if label == 0 else (slice(None), slice(None), slice(px // 2))
        image[half] += rng.uniform(60, 140)
    return images.clip(0, 255).astype(np.uint8)


def cohort(**changes: Any) -> Cohort:
    labels = [0] * 12 + [1] * 30
    parts = {
        "images": bars(labels),
        "labels": np.array(labels),
        "groups": np.arange(42),
        "folds": np.arange(42) % 3,
        "classes": 2,
    }
    return Cohort(**{**parts, **changes})


def same(one: FittedGenerator, other: FittedGenerator) -> bool:
    return all(torch.equal(one.state[name], other.state[name]) for name in one.state)


def test_a_held_out_fold_of_noise_changes_nothing_in_the_generator() -> None:
    real = cohort()
    images, labels = real.images.copy(), real.labels.copy()
    out = real.folds == 1
    images[out] = np.random.default_rng(9).integers(0, 256, size=images[out].shape)
    labels[out] = 1 - labels[out]
    noise = cohort(images=images, labels=labels)
    assert same(fit_in_fold(real, 1, QUICK), fit_in_fold(noise, 1, QUICK))
    assert not same(fit_in_fold(real, 0, QUICK), fit_in_fold(noise, 0, QUICK))


def test_a_generator_refuses_to_learn_from_synthetic_images() -> None:
    images = cohort().images
    images[5] = marked(images[5])
    with pytest.raises(ValueError, match="1 of 42 pictures in a generator's training are synthetic: 5"):
        fit_in_fold(cohort(images=images), 0, QUICK)


def test_a_group_in_two_folds_is_refused() -> None:
    with pytest.raises(ValueError, match="1 groups lie in several folds"):
        cohort(groups=np.array([1, 1, *range(2, 42)]))


@pytest.mark.parametrize("shape", [(2, 16, 16), (1, 4, 16, 16)])
@pytest.mark.parametrize("dtype", [np.uint8, np.float32])
def test_images_are_made_as_they_were_learned_from_and_marked(shape: tuple[int, ...], dtype: type) -> None:
    images = np.random.default_rng(0).uniform(10, 200, size=(8, *shape)).astype(dtype)
    fitted = fit_generator(images, [0, 1] * 4, QUICK, classes=2, seed=0)
    made = synthesize(fitted, [1, 0, 1], seed=5)
    assert made.shape == (3, *shape)
    assert made.dtype == dtype
    assert all(bears_mark(image) for image in made)
    if dtype == np.float32:
        assert images.min() - 1e-3 <= made.min() <= made.max() <= images.max() + 1e-3


def test_half_precision_leaves_the_penalty_in_float32(monkeypatch: pytest.MonkeyPatch) -> None:
    kinds: list[torch.dtype] = []
    whole = losses._gradients

    def watched(*given: Any) -> torch.Tensor:
        kinds.append(whole(*given).dtype)
        return whole(*given)

    monkeypatch.setattr(losses, "_gradients", watched)
    half = QUICK.model_copy(update={"precision": "bfloat16", "method": "wgan_gp"})
    fitted = fit_generator(bars([0, 1] * 4), [0, 1] * 4, half, classes=2, seed=0)
    assert set(kinds) == {torch.float32}
    assert all(value.dtype == torch.float32 for value in fitted.state.values())
    assert not same(
        fitted,
        fit_generator(
            bars([0, 1] * 4), [0, 1] * 4, half.model_copy(update={"precision": "float32"}), classes=2, seed=0
        ),
    )


def test_an_image_depends_on_seed_number_and_class_alone() -> None:
    fitted = fit_generator(bars([0, 1] * 4), [0, 1] * 4, QUICK, classes=2, seed=0)
    some = synthesize(fitted, [1, 0, 1], seed=5)
    assert np.array_equal(synthesize(fitted, [1, 0, 1, 1, 0], seed=5)[:3], some)
    assert not np.array_equal(synthesize(fitted, [1, 0, 1], seed=6), some)
    assert synthesize(fitted, [], seed=5).shape == (0, 1, 16, 16)


def test_a_generator_goes_through_json_and_says_that_it_is_synthetic() -> None:
    fitted = fit_generator(bars([0, 1] * 4), [0, 1] * 4, QUICK, classes=2, seed=0)
    facts = json.loads(json.dumps(fitted.facts()))
    assert facts["synthetic"] is True
    again = FittedGenerator.from_facts(fitted.state, facts)
    assert again.history == fitted.history
    assert np.array_equal(synthesize(again, [0, 1], seed=1), synthesize(fitted, [0, 1], seed=1))


@pytest.mark.parametrize(
    ("images", "labels", "said"),
    [
        (np.zeros((4, 16, 16), np.uint8), [0, 1, 0, 1], "expected images"),
        (np.zeros((4, 1, 16, 16), np.int64), [0, 1, 0, 1], "uint8 or float32"),
        (np.zeros((4, 1, 16, 16), np.uint8), [0, 1], "a label for each|label for each of 4"),
        (np.zeros((4, 1, 16, 16), np.uint8), [0, 1, 2, 1], r"labels in 0\.\.1"),
        (np.full((4, 1, 16, 16), np.nan, np.float32), [0, 1, 0, 1], "not finite"),
        (np.ones((4, 1, 16, 16), np.float32), [0, 1, 0, 1], "nothing to learn"),
    ],
)
def test_what_cannot_be_learned_from_is_refused(images: Any, labels: list[int], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        fit_generator(images, labels, QUICK, classes=2, seed=0)


def test_a_generator_that_repeats_its_training_images_is_caught() -> None:
    data = cohort(
        images=bars([0] * 60 + [1] * 6),
        labels=np.array([0] * 60 + [1] * 6),
        groups=np.arange(66),
        folds=np.arange(66) % 3,
    )
    fitted = fit_in_fold(data, 0, QUICK)
    outside = (data.folds != 0) & (data.labels == 0)
    copies = judge(data, 0, fitted, marked(data.images[outside][:20]), rare=0)
    assert copies.memorization.copies
    assert not copies.copies_missed
    honest = judge(data, 0, fitted, marked(bars([0] * 20, seed=7)), rare=0)
    assert not honest.memorization.copies
    assert honest.fidelity.precision > 0.5


def test_all_arms_are_asked_about_real_held_out_images_alone() -> None:
    taught: list[tuple[int, int]] = []
    asked: list[Any] = []

    def learner(images: Any, labels: Any, seed: int) -> Any:
        taught.append((int((labels == 0).sum()), sum(bears_mark(image) for image in images)))

        def predict(shown: Any) -> Any:
            asked.append(shown)
            return plain_learner(images, labels, seed)(shown)

        return predict

    data = cohort()
    found = compare(data, QUICK, rare=0, learner=learner, draws=50)
    assert taught == [(8, 0), (20, 0), (20, 12)] * 3
    assert not any(bears_mark(image) for shown in asked for image in shown)
    assert sum(len(shown) for shown in asked) == 3 * 42
    assert found.figures["real"]["auc"] > 0.95
    assert set(found.differences) == {"real", "repeated"}
    facts = json.loads(json.dumps(found.facts()))
    assert facts["synthetic"] is True
    assert [one["made"] for one in facts["folds"]] == [12, 12, 12]


def test_a_class_too_rare_to_be_judged_is_refused() -> None:
    folds = np.where(np.arange(42) < 12, 0, np.arange(42) % 3)
    with pytest.raises(CaseError, match=r"2 real ones of the rare class each; found \[12, 0, 0\]"):
        compare(cohort(folds=folds), QUICK, rare=0, learner=plain_learner)


@pytest.mark.parametrize(("counts", "wanted"), [((5, 20, 9), 4), ((9, 9), 2), ((20, 5), 2)])
def test_a_rare_class_becomes_as_frequent_as_the_next(counts: tuple[int, ...], wanted: int) -> None:
    labels = np.repeat(np.arange(len(counts)), counts)
    assert images_wanted(labels, 0) == wanted


def test_the_space_is_that_of_the_images_it_was_fitted_to() -> None:
    images = bars([0, 1] * 10)
    space = fit_space(images, components=5)
    found = space.place(images)
    assert found.shape == (20, 5)
    assert np.allclose(found.mean(axis=0), 0, atol=1e-9)
    assert np.allclose(space.place(images[3:4]), found[3:4])
    assert described(np.zeros((2, 1, 4, 16, 16), np.float32)).shape[0] == 2
    with pytest.raises(ValueError, match="at least 8 × 8"):
        described(np.zeros((2, 1, 4, 16)))
