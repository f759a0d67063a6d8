"""How a network learns: in which phases, from what, and one pass over the pictures.

Without ImageNet weights the *features* come first. AlexNet's classifier holds 54 of its 57 million numbers, costs three
quarters of each step, and hides behind its dropout from a few hundred pictures what the features should learn. So the
features learn under a *plain head*, one linear layer; then the classifier of two hidden layers is put on them and the
whole network learns. It is the article's transfer, from the same pictures instead of from ImageNet.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from tasks.networks import standardized
from tasks.train.network_augment import augmented
from tasks.train.network_settings import NetworkSettings
from tasks.train.network_start import plain_head

if TYPE_CHECKING:
    from torch import Tensor, nn, optim

    from tasks.models.alexnet import BuiltNetwork

IntArray = npt.NDArray[np.int64]

SAMPLE = 256
"""Pictures on which the first answers of the layers are measured."""


@dataclass(frozen=True, eq=False)
class Lesson:
    """What is learned from: pictures, answers, the rows that teach, and how to look at them."""

    planes: Tensor
    answers: Tensor
    rows: IntArray
    mean: tuple[float, ...]
    std: tuple[float, ...]
    weight: Tensor | None
    settings: NetworkSettings
    classes: int
    seed: int
    device: str

    def sample(self) -> Tensor:
        """Some of the pictures that teach, as the network takes them."""
        import torch

        rows = np.random.default_rng(self.seed).permutation(self.rows)[:SAMPLE]
        shown = self.planes[torch.from_numpy(rows)].to(self.device)
        return standardized(shown.float() / 255, self.mean, self.std)


@dataclass(frozen=True, eq=False)
class Phase:
    """Some epochs in which one network learns, with a rise and a fall of the learning rate of their own."""

    network: nn.Module
    fresh: Sequence[nn.Module]  # layers that hold random numbers yet, all but the last
    epochs: range
    learning_rate: float


def phases(built: BuiltNetwork, lesson: Lesson) -> Iterator[Phase]:
    """Features first, under a plain head, unless they came with weights; then the whole network.

    Each phase is made when the one before it is over: its fresh layers are then measured behind what has been learned.
    """
    from torch import nn

    settings = lesson.settings
    layers = [layer for layer in built.network.modules() if isinstance(layer, (nn.Conv2d, nn.Linear))]
    fresh = [layer for layer in layers[:-1] if not built.pretrained or isinstance(layer, nn.Linear)]
    first = 0 if built.pretrained else int(settings.feature_share * settings.epochs)
    if first:
        features = built.network.get_submodule("features")
        head = plain_head(features, lesson.sample(), classes=lesson.classes, dropout=settings.feature_dropout)
        convolutions = [layer for layer in fresh if isinstance(layer, nn.Conv2d)]
        yield Phase(head, convolutions, range(first), settings.feature_learning_rate)
        fresh = [layer for layer in fresh if isinstance(layer, nn.Linear)]
    yield Phase(built.network, fresh, range(first, settings.epochs), settings.learning_rate)


def lesson_of(
    planes: Tensor,
    target: IntArray,
    rows: IntArray,
    classes: int,
    settings: NetworkSettings,
    seed: int,
    device: str,
) -> Lesson:
    """The lesson of these rows: input statistics and class weights are theirs alone."""
    import torch

    shown = planes[torch.from_numpy(rows)].numpy()
    mean, std = (
        tuple(round(float(value) / 255, 6) for value in found)
        for found in (shown.mean(axis=(0, 2, 3)), np.maximum(shown.std(axis=(0, 2, 3)), 1.0))
    )
    counts = np.bincount(target[rows], minlength=classes)
    inverse = np.where(counts > 0, len(rows) / (np.count_nonzero(counts) * np.maximum(counts, 1)), 0.0)
    weight = torch.tensor(inverse, dtype=torch.float32, device=device) if settings.balanced else None
    return Lesson(planes, torch.from_numpy(target), rows, mean, std, weight, settings, classes, seed, device)


def learn(phase: Phase, optimizer: optim.Optimizer, lesson: Lesson, epoch: int) -> tuple[float, float]:
    """One pass over the pictures: their mean loss and accuracy as they went by."""
    import torch
    from torch.nn.functional import cross_entropy
    from torch.nn.utils import clip_grad_norm_

    settings, device, network = lesson.settings, lesson.device, phase.network
    network.train()
    order = np.random.default_rng([lesson.seed, epoch]).permutation(lesson.rows)
    steps = math.ceil(len(order) / settings.batch)
    losses, right = 0.0, 0
    for step in range(steps):
        rows = order[step::steps]  # batches of nearly one size: the last is no smaller than the others
        for group in optimizer.param_groups:
            done = ((epoch - phase.epochs.start) * steps + step + 1) / (len(phase.epochs) * steps)
            group["lr"] = phase.learning_rate * share_of_rate(done, settings.warm_up)
        shown = lesson.planes[torch.from_numpy(rows)].to(device).float() / 255
        shown = augmented(shown, rows.tolist(), settings.augmentation, seed=lesson.seed, epoch=epoch)
        wanted = lesson.answers[torch.from_numpy(rows)].to(device)
        logits = network(standardized(shown, lesson.mean, lesson.std))
        loss = cross_entropy(logits, wanted, weight=lesson.weight, label_smoothing=settings.label_smoothing)
        if not torch.isfinite(loss):
            raise FloatingPointError(
                f"training diverged in epoch {epoch + 1}; lower its learning rate, now {phase.learning_rate}"
            )
        optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        clip_grad_norm_(network.parameters(), settings.gradient_norm)
        optimizer.step()
        losses += float(cross_entropy(logits.detach(), wanted, reduction="sum"))
        right += int((logits.argmax(dim=1) == wanted).sum())
    return losses / len(order), right / len(order)


def share_of_rate(done: float, warm_up: float) -> float:
    """Part of the highest learning rate when a part ``done`` of all steps is done: up in a line, down as a cosine."""
    if done < warm_up:
        return done / warm_up
    return (1 + math.cos(math.pi * (done - warm_up) / (1 - warm_up))) / 2


def optimizer_of(network: nn.Module, settings: NetworkSettings) -> optim.Optimizer:
    """AdamW (arXiv:1711.05101) on what may change; biases do not decay."""
    from torch.optim import AdamW

    trained = [parameter for parameter in network.parameters() if parameter.requires_grad]
    groups = [
        {"params": [one for one in trained if one.ndim > 1], "weight_decay": settings.weight_decay},
        {"params": [one for one in trained if one.ndim <= 1], "weight_decay": 0.0},
    ]
    return AdamW(groups, lr=settings.learning_rate, fused=True)
