"""How a network learns pictures: what each step sees, and in which phases.

Without ImageNet weights the *features* come first. AlexNet's classifier holds 54 of its 57 million numbers, costs three
quarters of each step, and hides behind its dropout from a few hundred pictures what the features should learn. So the
features learn under a *plain head*, one linear layer; then the classifier of two hidden layers is put on them and the
whole network learns. It is the article's transfer, from the same pictures instead of from ImageNet.

With ImageNet weights the classifier comes first, on features that stay. Where these are unfrozen *progressively*, one
block after the other joins it, from the last to the first, at a lower learning rate (Howard & Ruder 2018,
doi:10.18653/v1/P18-1031, section 3.3): what the new classifier does not know yet cannot spoil what they know.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from tasks.deep.networks import FloatArray, logits_of, standardized
from tasks.train.engine_settings import EngineSettings
from tasks.train.lesson import Batch, IntArray
from tasks.train.losses import classification_loss
from tasks.train.network_augment import augmented
from tasks.train.network_settings import NetworkSettings
from tasks.train.network_start import plain_head

if TYPE_CHECKING:
    from torch import Tensor, nn

    from tasks.deep.transfer import BuiltNetwork

SAMPLE = 256
"""Pictures on which the first answers of the layers are measured."""


@dataclass(frozen=True, eq=False)
class PictureLesson:
    """What is learned from: pictures, answers, the rows that teach and those that are held out, and how to look.

    ``planes``: all pictures, uint8, on the CPU. ``weights``: one for each class.
    """

    planes: Tensor
    answers: Tensor
    rows: IntArray
    held_out: IntArray
    mean: tuple[float, ...]
    std: tuple[float, ...]
    weights: FloatArray
    settings: NetworkSettings
    classes: int
    seed: int
    device: str

    def steps(self, epoch: int) -> Sequence[IntArray]:
        """Batches of nearly one size: the last is no smaller than the others."""
        order = np.random.default_rng([self.seed, epoch]).permutation(self.rows)
        count = math.ceil(len(order) / self.settings.batch)
        return [order[step::count] for step in range(count)]

    def batch(self, rows: IntArray, epoch: int) -> Batch:
        """Augmented and standardized, on the device."""
        import torch

        chosen = torch.from_numpy(rows)
        shown = self._moved(self.planes[chosen]).float() / 255
        shown = augmented(shown, rows.tolist(), self.settings.augmentation, seed=self.seed, epoch=epoch)
        answers = self._moved(self.answers[chosen])
        if self.settings.mix:
            shown, answers = self._mixed(shown, answers, rows, epoch)
        return Batch(standardized(shown, self.mean, self.std), answers)

    def weight(self, rows: IntArray) -> float:
        """Sum of the weights of their classes."""
        return float(self.weights[self.answers.numpy()[rows]].sum())

    def loss(self, outputs: Any, answers: Tensor) -> Tensor:
        """As the settings say: smoothed, weighed, focal."""
        settings, weight = self.settings, outputs.new_tensor(self.weights)
        smoothing, focal = settings.label_smoothing, settings.focal
        return classification_loss(outputs, answers, weight=weight, smoothing=smoothing, focal=focal).sum()

    def tally(self, outputs: Any, answers: Tensor) -> dict[str, Tensor]:
        """Plain cross-entropy, and how many are right; of a mixed picture, what it shows most of."""
        right = (outputs.argmax(dim=1) == (answers.argmax(dim=1) if answers.ndim > 1 else answers)).sum()
        return {"loss": classification_loss(outputs, answers).sum(), "accuracy": right}

    def examine(self, network: nn.Module) -> dict[str, float]:
        """The same of the held-out pictures as they are."""
        return judged(self.logits(network, self.held_out), self.answers.numpy()[self.held_out])

    def logits(self, network: nn.Module, rows: IntArray) -> FloatArray:
        """What a network says of rows as they are, ``(n, classes)``; ``(0, 0)`` of none."""
        if not len(rows):
            return np.zeros((0, 0))
        flips = self.settings.average_flips
        found = logits_of(
            network, self.planes[rows], mean=self.mean, std=self.std, average_flips=flips, device=self.device
        )
        return np.asarray(found.double().numpy())

    def sample(self) -> Tensor:
        """Some of the pictures that teach, as the network takes them."""
        rows = np.random.default_rng(self.seed).permutation(self.rows)[:SAMPLE]
        return standardized(self._moved(self.planes[rows]).float() / 255, self.mean, self.std)

    def _mixed(self, shown: Tensor, answers: Tensor, rows: IntArray, epoch: int) -> tuple[Tensor, Tensor]:
        """Each picture with a share of the one before it, and its answer likewise: ``(n, classes)``.

        All pictures of a step have one share, so that the weights of their classes add up to what they did.
        """
        from torch.nn.functional import one_hot

        share = float(
            np.random.default_rng([self.seed, epoch, *rows.tolist()]).beta(self.settings.mix, self.settings.mix)
        )
        wanted = one_hot(answers, self.classes).to(shown.dtype)
        mixed = (one.lerp(one.roll(1, dims=0), share) for one in (shown, wanted))
        return next(mixed), next(mixed)

    def _moved(self, tensor: Tensor) -> Tensor:
        if self.device == "cpu":
            return tensor
        return tensor.pin_memory().to(self.device, non_blocking=True)


@dataclass(frozen=True, eq=False)
class Phase:
    """Some epochs in which one network learns, with a rise and a fall of the learning rate of their own.

    ``fresh``: layers that hold random numbers yet, all but the last.
    """

    network: nn.Module
    fresh: Sequence[nn.Module]
    first_epoch: int
    settings: EngineSettings


def phases(built: BuiltNetwork, lesson: PictureLesson) -> Iterator[Phase]:
    """What learns when, as the module's docstring has it.

    Each phase is made when the one before it is over: its fresh layers are then measured behind what has been learned.
    """
    settings = lesson.settings
    if built.blocks:
        yield from _unfrozen_step_by_step(built, settings)
        return
    fresh = _fresh_layers(built)
    first = 0 if built.pretrained else int(settings.feature_share * settings.epochs)
    if first:
        features = built.network.get_submodule("features")
        inside = set(features.modules())
        head = plain_head(features, lesson.sample(), classes=lesson.classes, dropout=settings.feature_dropout)
        change = {"epochs": first, "learning_rate": settings.feature_learning_rate}
        yield Phase(head, [layer for layer in fresh if layer in inside], 0, settings.model_copy(update=change))
        fresh = [layer for layer in fresh if layer not in inside]
    yield Phase(built.network, fresh, first, settings.model_copy(update={"epochs": settings.epochs - first}))


def _unfrozen_step_by_step(built: BuiltNetwork, settings: NetworkSettings) -> Iterator[Phase]:
    """The classifier alone, then with ever more blocks; where epochs are few, several blocks join at a time."""
    count = min(len(built.blocks) + 1, settings.epochs)
    ends = [settings.epochs * part // count for part in range(count + 1)]
    change: dict[str, Any] = {"epochs": ends[1]}
    yield Phase(built.network, _fresh_layers(built), 0, settings.model_copy(update=change))
    groups = np.array_split(built.blocks, max(1, count - 1)) if count > 1 else []
    for blocks, start, end in zip(groups, ends[1:], ends[2:], strict=False):
        for block in blocks:
            built.network.get_submodule(block).requires_grad_(True)
        change = {"epochs": end - start, "learning_rate": settings.unfrozen_learning_rate}
        yield Phase(built.network, (), start, settings.model_copy(update=change))


def _fresh_layers(built: BuiltNetwork) -> list[nn.Module]:
    from torch import nn

    inside = set(built.network.get_submodule("features").modules()) if built.pretrained else set()
    layers = [layer for layer in built.network.modules() if isinstance(layer, (nn.Conv2d, nn.Linear))]
    return [layer for layer in layers[:-1] if layer not in inside]


def lesson_of(
    planes: Tensor,
    target: IntArray,
    rows: IntArray,
    held_out: IntArray,
    *,
    classes: int,
    settings: NetworkSettings,
    seed: int,
    device: str,
) -> PictureLesson:
    """The lesson of these rows: input statistics and class weights are theirs alone."""
    import torch

    shown = planes[torch.from_numpy(rows)].numpy()
    mean, std = (
        tuple(round(float(value) / 255, 6) for value in found)
        for found in (shown.mean(axis=(0, 2, 3)), np.maximum(shown.std(axis=(0, 2, 3)), 1.0))
    )
    counts = np.bincount(target[rows], minlength=classes)
    inverse = np.where(counts > 0, len(rows) / (np.count_nonzero(counts) * np.maximum(counts, 1)), 0.0)
    weights = inverse if settings.balanced else np.ones(classes)
    answers = torch.from_numpy(target)
    return PictureLesson(planes, answers, rows, held_out, mean, std, weights, settings, classes, seed, device)


def judged(logits: FloatArray, answers: IntArray) -> dict[str, float]:
    """Mean cross-entropy in nats and accuracy of logits; nothing of none."""
    from scipy.special import log_softmax

    if not len(answers):
        return {}
    loss = -float(log_softmax(logits, axis=1)[np.arange(len(answers)), answers].mean())
    return {"loss": loss, "accuracy": float(np.mean(logits.argmax(axis=1) == answers))}
