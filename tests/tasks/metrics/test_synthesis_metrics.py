"""Copies are caught and honest images are not; precision and recall on points that can be counted by hand."""

from __future__ import annotations

import numpy as np
import pytest

from tasks.metrics.synthesis import fidelity, memorization

RNG = np.random.default_rng(0)
TRAINING, HELD_OUT, HONEST = (RNG.normal(size=(count, 6)) for count in (80, 40, 60))


def test_a_generator_that_repeats_training_images_is_caught() -> None:
    copies = TRAINING[:30] + 0.01 * RNG.normal(size=(30, 6))
    found = memorization(TRAINING, HELD_OUT, copies)
    assert found.copies
    assert found.nearest_training > 0.99
    assert found.expected == pytest.approx(2 / 3, abs=0.02)
    assert found.ct < -5


def test_one_that_repeats_every_second_time_is_caught() -> None:
    mixed = np.concatenate([TRAINING[:20], RNG.normal(size=(20, 6))])
    assert memorization(TRAINING, HELD_OUT, mixed).p < 0.01


def test_an_honest_generator_is_not_caught() -> None:
    caught = [
        memorization(*(np.random.default_rng([seed, part]).normal(size=(40, 4)) for part in range(3)), draws=200).p
        < 0.05
        for seed in range(40)
    ]
    assert sum(caught) <= 6  # 2 are expected; 7 or more would be chance once in 300 times


def test_a_smooth_generator_is_near_to_everything_and_no_copier() -> None:
    """The three-sample test takes it for one: an average lies closer to any image than another image does."""
    smooth = 0.3 * RNG.normal(size=(60, 6))
    found = memorization(TRAINING, HELD_OUT, smooth)
    assert not found.copies
    assert found.ct < -3


def test_images_of_one_patient_change_sides_together() -> None:
    rng = np.random.default_rng(5)
    centres = 10 * rng.normal(size=(6, 3))
    images = np.repeat(centres, 10, axis=0) + rng.normal(size=(60, 3))
    groups = np.repeat(np.arange(6), 10)
    near_one_patient = centres[0] + rng.normal(size=(20, 3))
    alone = memorization(images[:30], images[30:], near_one_patient)
    grouped = memorization(images[:30], images[30:], near_one_patient, groups=groups)
    assert alone.p < 0.01  # as if there were 20 witnesses
    assert grouped.p > 0.3  # one patient on the training side is a toss of a coin
    assert grouped.expected == pytest.approx(0.5, abs=0.05)


def test_chance_is_exact_for_four_images() -> None:
    """One training image among four real ones is the nearest: chance puts it on that side twice in four times."""
    real = np.array([[0.0], [10.0], [20.0], [30.0]])
    found = memorization(real[:2], real[2:], np.array([[0.1]]), draws=4000)
    assert found.p == pytest.approx(0.5, abs=0.03)


def test_precision_and_recall_on_a_line() -> None:
    real = np.array([[0.0], [1.0], [2.0], [3.0]])  # each reaches 1 far
    synthetic = np.array([[0.5], [1.5], [9.0], [9.5]])  # these reach 1, 1, 0.5 and 0.5
    found = fidelity(real, synthetic, neighbours=1)
    assert found.precision == 0.5  # 9 and 9.5 are within nobody's reach
    assert found.recall == 0.75  # 0, 1 and 2 lie within 1 of 0.5 or 1.5
    assert found.density == pytest.approx((2 + 2) / 4)
    assert found.coverage == 0.75
    assert found.precision_interval.low < 0.5 < found.precision_interval.high


def test_a_generator_of_one_image_is_precise_and_recalls_nothing() -> None:
    found = fidelity(HELD_OUT, HELD_OUT[:1] + 1e-3 * RNG.normal(size=(20, 6)))
    assert found.precision == 1.0
    assert found.recall < 0.1


def test_noise_far_away_is_neither_precise_nor_recalled() -> None:
    found = fidelity(HELD_OUT, 100 + HONEST)
    assert (found.precision, found.recall, found.density, found.coverage) == (0, 0, 0, 0)


def test_real_against_real_is_near_one() -> None:
    found = fidelity(HELD_OUT, TRAINING)
    assert min(found.precision, found.recall, found.coverage) > 0.85


def test_faults_are_said() -> None:
    with pytest.raises(ValueError, match="at least one row each"):
        memorization(TRAINING, HELD_OUT[:0], HONEST)
    with pytest.raises(ValueError, match="equal columns"):
        memorization(TRAINING, HELD_OUT, HONEST[:, :3])
    with pytest.raises(ValueError, match="not finite"):
        fidelity(HELD_OUT, np.full((9, 6), np.nan))
    with pytest.raises(ValueError, match="more than 5 images"):
        fidelity(HELD_OUT[:5], HONEST)
    with pytest.raises(ValueError, match="a group for each of 120"):
        memorization(TRAINING, HELD_OUT, HONEST, groups=[1, 2])


def test_equal_images_everywhere_prove_nothing() -> None:
    same = np.zeros((10, 2))
    found = memorization(same, same, same)
    assert (found.ct, found.ct_p) == (0.0, 0.5)
