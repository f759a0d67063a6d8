"""The losses and penalties, against values reckoned by hand."""

from __future__ import annotations

import math

import pytest
import torch

from tasks.train.synthesis import losses

LN2 = math.log(2)


class Linear:
    """A discriminator ``w·x``: its gradient is ``w`` at every image."""

    def __init__(self, *w: float) -> None:
        self.w = torch.tensor(w, requires_grad=True)

    def __call__(self, images: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
        return images.flatten(1) @ self.w


LABELS = torch.zeros(2, dtype=torch.int64)
REAL = torch.tensor([[1.0, 2.0], [3.0, 4.0]])
GENERATED = torch.tensor([[0.0, 0.0], [-1.0, 5.0]])


@pytest.mark.parametrize(("w", "penalty"), [((3.0, 4.0), 16.0), ((0.6, 0.8), 0.0), ((0.0, 0.5), 0.25)])
def test_the_penalty_of_a_linear_discriminator_is_its_slope_less_one_squared(
    w: tuple[float, ...], penalty: float
) -> None:
    share = torch.tensor([0.2, 0.9])
    found = losses.interpolated_penalty(Linear(*w), REAL, GENERATED, LABELS, share)
    assert found.item() == pytest.approx(penalty, abs=1e-6)


def test_the_penalty_is_derived_with_respect_to_the_discriminators_weights() -> None:
    critic = Linear(3.0, 4.0)
    losses.interpolated_penalty(critic, REAL, GENERATED, LABELS, torch.tensor([0.5, 0.5])).backward()
    # d (|w| - 1)² / dw = 2 (|w| - 1) w / |w| = 8 · (0.6, 0.8)
    assert critic.w.grad is not None
    assert critic.w.grad.tolist() == pytest.approx([4.8, 6.4])


def test_the_penalty_asks_between_the_images() -> None:
    asked: list[torch.Tensor] = []

    def quadratic(images: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
        asked.append(images.detach())
        return images.square().sum(dim=1) / 2  # its gradient is the image itself

    found = losses.interpolated_penalty(quadratic, REAL, GENERATED, LABELS, torch.tensor([0.5, 0.0]))
    assert asked[0].tolist() == [[0.5, 1.0], [-1.0, 5.0]]
    assert found.item() == pytest.approx(((math.hypot(0.5, 1) - 1) ** 2 + (math.hypot(1, 5) - 1) ** 2) / 2)


def test_the_penalty_leaves_the_generator_alone() -> None:
    generated = GENERATED.clone().requires_grad_()
    losses.interpolated_penalty(Linear(3.0, 4.0), REAL, generated, LABELS, torch.tensor([0.5, 0.5])).backward()
    assert generated.grad is None


def test_r1_of_a_linear_discriminator_is_half_its_squared_slope() -> None:
    critic = Linear(3.0, 4.0)
    found = losses.real_penalty(critic, REAL, LABELS)
    assert found.item() == pytest.approx(12.5)
    found.backward()
    assert critic.w.grad is not None
    assert critic.w.grad.tolist() == pytest.approx([3.0, 4.0])


def test_an_undecided_discriminator_costs_two_ln_2_and_the_generator_ln_2() -> None:
    undecided = torch.zeros(4)
    assert losses.original_discriminator_loss(undecided, undecided).item() == pytest.approx(2 * LN2)
    assert losses.original_generator_loss(undecided).item() == pytest.approx(LN2)


def test_the_original_losses_are_those_of_the_probabilities() -> None:
    real, generated = (torch.logit(torch.tensor(p)) for p in ([0.9, 0.6], [0.2, 0.5]))
    by_hand = -(math.log(0.9) + math.log(0.6)) / 2 - (math.log(0.8) + math.log(0.5)) / 2
    assert losses.original_discriminator_loss(real, generated).item() == pytest.approx(by_hand, abs=1e-6)
    assert losses.original_generator_loss(generated).item() == pytest.approx(-(math.log(0.2) + math.log(0.5)) / 2)


def test_the_discriminator_learns_to_call_real_images_real() -> None:
    """The article has it the other way round."""
    right = losses.original_discriminator_loss(torch.tensor([5.0]), torch.tensor([-5.0]))
    reversed_ = losses.original_discriminator_loss(torch.tensor([-5.0]), torch.tensor([5.0]))
    assert right < 0.02
    assert reversed_ > 9


def test_the_generator_still_learns_where_the_discriminator_is_sure() -> None:
    verdict = torch.tensor([-10.0], requires_grad=True)
    losses.original_generator_loss(verdict).backward()
    assert verdict.grad is not None
    assert verdict.grad.item() == pytest.approx(-1, abs=1e-4)
    saturating = torch.tensor([-10.0], requires_grad=True)
    (-torch.nn.functional.softplus(saturating)).sum().backward()  # log(1 - D(G(z))), minimized
    assert saturating.grad is not None
    assert abs(saturating.grad.item()) < 1e-4


def test_the_wasserstein_losses_are_differences_of_means() -> None:
    real, generated = torch.tensor([3.0, 5.0]), torch.tensor([1.0, 2.0])
    assert losses.wasserstein_discriminator_loss(real, generated).item() == -2.5
    assert losses.wasserstein_generator_loss(generated).item() == -1.5
