"""Losses of classifiers, by hand."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from tasks.train.losses import classification_loss

LOGITS = torch.log(torch.tensor([[0.5, 0.25, 0.25], [0.1, 0.1, 0.8]]))
ANSWERS = torch.tensor([0, 1])
PROBABILITIES = np.array([0.5, 0.1])


def test_cross_entropy_is_the_log_of_the_probability_of_the_right_class() -> None:
    assert classification_loss(LOGITS, ANSWERS).numpy() == pytest.approx(-np.log(PROBABILITIES))


def test_each_row_counts_as_its_class_does() -> None:
    found = classification_loss(LOGITS, ANSWERS, weight=torch.tensor([2.0, 0.5, 9.0]))
    assert found.numpy() == pytest.approx(-np.log(PROBABILITIES) * [2.0, 0.5])


def test_the_focal_loss_counts_less_what_is_right_already() -> None:
    found = classification_loss(LOGITS, ANSWERS, focal=2.0)
    assert found.numpy() == pytest.approx(-((1 - PROBABILITIES) ** 2) * np.log(PROBABILITIES))


def test_smoothing_shares_a_part_of_the_answer_among_all_classes() -> None:
    found = classification_loss(LOGITS[:1], ANSWERS[:1], smoothing=0.3)
    assert float(found) == pytest.approx(-(0.8 * np.log(0.5) + 0.2 * np.log(0.25)))


@pytest.mark.parametrize("focal", [0.0, 0.5, 2.0])
def test_certainty_has_a_loss_and_a_slope(focal: float) -> None:
    logits = torch.tensor([[200.0, -200.0], [-200.0, 200.0]], requires_grad=True)
    loss = classification_loss(logits, torch.tensor([0, 0]), focal=focal)
    loss.sum().backward()
    assert loss.tolist() == pytest.approx([0.0, 400.0])
    assert logits.grad is not None
    assert bool(torch.isfinite(logits.grad).all())


def test_places_of_a_volume_have_a_loss_each() -> None:
    volume = LOGITS.T.reshape(1, 3, 2, 1, 1)
    found = classification_loss(volume, ANSWERS.reshape(1, 2, 1, 1), focal=1.0)
    assert found.shape == (1, 2, 1, 1)
    assert found.flatten().numpy() == pytest.approx(-(1 - PROBABILITIES) * np.log(PROBABILITIES))
