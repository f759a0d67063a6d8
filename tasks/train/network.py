"""Training a network on labelled pictures, and calibrating it on pictures that it did not learn from.

A part of the training pictures is *held out*, whole groups at a time (a group: a patient, or pictures that are nearly
the same). Its loss is the second curve of the history, and it sets the temperature (Guo et al. 2017, arXiv:1706.04599).
It does not choose the epoch: few pictures would choose by chance, and the learning rate ends at nothing anyway.

On the CPU the same pictures, settings, seed and number of threads give the same network, bit for bit.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from tasks.discover import MODELS, part
from tasks.networks import (
    EpochRecord,
    FittedNetwork,
    FloatArray,
    Pictures,
    logits_of,
    planes_of,
    predict_network,
    saliency,
    standardized,
    torch_threads,
)
from tasks.train.network_augment import augmented
from tasks.train.network_settings import NetworkSettings

if TYPE_CHECKING:
    from torch import Tensor, nn, optim

__all__ = ["EpochRecord", "FittedNetwork", "fit_network", "predict_network", "saliency"]

IntArray = npt.NDArray[np.int64]


def fit_network(
    pictures: Pictures,
    labels: npt.ArrayLike,
    groups: npt.ArrayLike,
    settings: NetworkSettings,
    *,
    classes: int,
    seed: int,
    threads: int = 1,
    device: str = "cpu",
    on_epoch: Callable[[EpochRecord], None] | None = None,
) -> FittedNetwork:
    """Train on pictures; nothing outside them is known to the network.

    Parameters
    ----------
    pictures
        ``(n, y, x, 3)`` uint8, of any one size.
    labels, groups
        ``(n,)``: the class, 0 to ``classes - 1``; and what must not be torn apart, any type that compares equal.
    on_epoch
        Called with each epoch's record as soon as there is one.

    Raises
    ------
    ValueError
        When the three do not belong together, or fewer than two classes are there to learn.
    FloatingPointError
        When the loss is no longer a number: the learning rate is too high.
    """
    target = _checked(pictures, labels, groups, classes)
    teach, kept = hold_out(target, np.asarray(groups), settings.held_out, seed=seed)
    with torch_threads(threads), _own_random_numbers(seed, device):
        built = part(MODELS, settings.model).build_network(settings.of_model(), classes=classes, seed=seed)
        network = built.network.to(device)
        lesson = _lesson(planes_of(pictures, settings.input_px), target, teach, classes, settings, seed, device)
        optimizer = _optimizer(network, settings)
        history = []
        for epoch in range(settings.epochs):
            loss, accuracy = _learn(network, optimizer, lesson, epoch)
            history.append(
                EpochRecord(
                    epoch + 1,
                    optimizer.param_groups[0]["lr"],
                    loss,
                    accuracy,
                    *_examined(_logits(network, lesson, kept), target[kept]),
                )
            )
            if on_epoch is not None:
                on_epoch(history[-1])
        temperature = fit_temperature(_logits(network, lesson, kept), target[kept])
    return FittedNetwork(
        state={name: value.detach().cpu().contiguous() for name, value in network.state_dict().items()},
        model=settings.model,
        options=settings.of_model().model_dump(mode="json"),
        classes=classes,
        input_px=settings.input_px,
        mean=lesson.mean,
        std=lesson.std,
        temperature=temperature,
        average_flips=settings.average_flips,
        pictures=len(teach),
        held_out=len(kept),
        history=tuple(history),
        note=built.note,
    )


def hold_out(labels: IntArray, groups: npt.NDArray[Any], fraction: float, *, seed: int) -> tuple[IntArray, IntArray]:
    """Rows to learn from, and rows kept out: about ``fraction`` of each class, whole groups, drawn by the seed.

    Groups count as the class of their first row, and come in the order of their first rows: their names, which may be
    pseudonyms, decide nothing. The last group of a class is never kept out.
    """
    _, first, number = np.unique(groups, return_index=True, return_inverse=True)
    kept = np.zeros(len(labels), dtype=bool)
    rng = np.random.default_rng(seed)
    for label in np.unique(labels):
        rows = rng.permutation(np.sort(first[labels[first] == label]))
        wanted = round(fraction * np.count_nonzero(labels == label))
        for row in rows[:-1]:
            members = number == number[row]
            if np.count_nonzero(kept & (labels == label)) + np.count_nonzero(members) <= wanted:
                kept |= members
    return np.flatnonzero(~kept), np.flatnonzero(kept)


def fit_temperature(logits: FloatArray, labels: IntArray) -> float:
    """The temperature that makes the labels ``(n,)`` of logits ``(n, classes)`` most likely; 1 without any logits.

    Smoothed as Platt does (1999): as if one more picture had been seen, of which nobody knows the class. So pictures
    that are all right, and few, do not end in certainty. It stays within 0.05 and 20.
    """
    from scipy.optimize import minimize_scalar
    from scipy.special import log_softmax

    if not len(labels):
        return 1.0
    count, classes = logits.shape
    target = (count * np.eye(classes)[labels] + 1 / classes) / (count + 1)

    def loss(log_temperature: float) -> float:
        return -float((target * log_softmax(logits / math.exp(log_temperature), axis=1)).sum())

    found = minimize_scalar(loss, bounds=(math.log(0.05), math.log(20)), method="bounded")
    return round(math.exp(float(found.x)), 6)


@dataclass(frozen=True, eq=False)
class _Lesson:
    """What is learned from: pictures, answers, the rows that teach, and how to look at them."""

    planes: Tensor
    answers: Tensor
    rows: IntArray
    mean: tuple[float, ...]
    std: tuple[float, ...]
    weight: Tensor | None
    settings: NetworkSettings
    seed: int
    device: str


def _lesson(
    planes: Tensor,
    target: IntArray,
    rows: IntArray,
    classes: int,
    settings: NetworkSettings,
    seed: int,
    device: str,
) -> _Lesson:
    import torch

    shown = planes[torch.from_numpy(rows)].numpy()
    mean, std = (
        tuple(round(float(value) / 255, 6) for value in found)
        for found in (shown.mean(axis=(0, 2, 3)), np.maximum(shown.std(axis=(0, 2, 3)), 1.0))
    )
    counts = np.bincount(target[rows], minlength=classes)
    inverse = np.where(counts > 0, len(rows) / (np.count_nonzero(counts) * np.maximum(counts, 1)), 0.0)
    weight = torch.tensor(inverse, dtype=torch.float32, device=device) if settings.balanced else None
    return _Lesson(planes, torch.from_numpy(target), rows, mean, std, weight, settings, seed, device)


def _learn(network: nn.Module, optimizer: optim.Optimizer, lesson: _Lesson, epoch: int) -> tuple[float, float]:
    """One pass over the pictures: their mean loss and accuracy as they went by."""
    import torch
    from torch.nn.functional import cross_entropy
    from torch.nn.utils import clip_grad_norm_

    settings, device = lesson.settings, lesson.device
    network.train()
    order = np.random.default_rng([lesson.seed, epoch]).permutation(lesson.rows)
    steps = math.ceil(len(order) / settings.batch)
    losses, right = 0.0, 0
    for step in range(steps):
        rows = order[step::steps]  # batches of nearly one size: the last is no smaller than the others
        for group in optimizer.param_groups:
            group["lr"] = settings.learning_rate * share_of_rate(
                (epoch * steps + step + 1) / (settings.epochs * steps), settings.warm_up
            )
        shown = lesson.planes[torch.from_numpy(rows)].to(device).float() / 255
        shown = augmented(shown, rows.tolist(), settings.augmentation, seed=lesson.seed, epoch=epoch)
        wanted = lesson.answers[torch.from_numpy(rows)].to(device)
        logits = network(standardized(shown, lesson.mean, lesson.std))
        loss = cross_entropy(logits, wanted, weight=lesson.weight, label_smoothing=settings.label_smoothing)
        if not torch.isfinite(loss):
            raise FloatingPointError(
                f"training diverged in epoch {epoch + 1}; lower learning_rate, now {settings.learning_rate}"
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


def _optimizer(network: nn.Module, settings: NetworkSettings) -> optim.Optimizer:
    """AdamW (arXiv:1711.05101) on what may change; biases do not decay."""
    from torch.optim import AdamW

    trained = [parameter for parameter in network.parameters() if parameter.requires_grad]
    groups = [
        {"params": [one for one in trained if one.ndim > 1], "weight_decay": settings.weight_decay},
        {"params": [one for one in trained if one.ndim <= 1], "weight_decay": 0.0},
    ]
    return AdamW(groups, lr=settings.learning_rate, fused=True)


def _logits(network: nn.Module, lesson: _Lesson, rows: IntArray) -> FloatArray:
    import torch

    if not len(rows):
        return np.zeros((0, 0))
    found = logits_of(
        network,
        lesson.planes[torch.from_numpy(rows)],
        mean=lesson.mean,
        std=lesson.std,
        average_flips=lesson.settings.average_flips,
        device=lesson.device,
    )
    return np.asarray(found.double().numpy())


def _examined(logits: FloatArray, labels: IntArray) -> tuple[float | None, float | None]:
    """Mean cross-entropy in nats and accuracy of logits; ``None`` without any."""
    from scipy.special import log_softmax

    if not len(labels):
        return None, None
    loss = -float(log_softmax(logits, axis=1)[np.arange(len(labels)), labels].mean())
    return loss, float(np.mean(logits.argmax(axis=1) == labels))


def _checked(pictures: Pictures, labels: npt.ArrayLike, groups: npt.ArrayLike, classes: int) -> IntArray:
    target = np.asarray(labels)
    count = len(pictures)
    if target.shape != (count,) or np.shape(groups) != (count,):
        raise ValueError(
            f"expected a label and a group for each of {count} pictures; got {target.shape} and {np.shape(groups)}"
        )
    if not np.issubdtype(target.dtype, np.integer) or (count and not 0 <= target.min() <= target.max() < classes):
        raise ValueError(f"expected labels as integers in 0..{classes - 1}; got {np.unique(target).tolist()}")
    if len(np.unique(target)) < 2:
        raise ValueError("training needs pictures of at least 2 classes")
    return target.astype(np.int64)


@contextmanager
def _own_random_numbers(seed: int, device: str) -> Iterator[None]:
    """Dropout draws from torch's global generator: seed it for the training alone, and put it back."""
    import torch

    with torch.random.fork_rng(devices=[] if device == "cpu" else [device]):
        torch.manual_seed(seed)
        yield
