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
    torch_threads,
)
from tasks.train.network_learn import IntArray, Lesson, learn, lesson_of, optimizer_of, phases
from tasks.train.network_settings import NetworkSettings
from tasks.train.network_start import even_out

if TYPE_CHECKING:
    from torch import nn

__all__ = ["EpochRecord", "FittedNetwork", "fit_network", "predict_network", "saliency"]


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
        lesson = lesson_of(planes_of(pictures, settings.input_px), target, teach, classes, settings, seed, device)
        history = []
        for phase in phases(built, lesson):
            even_out(phase.network, lesson.sample(), layers=phase.fresh)
            optimizer = optimizer_of(phase.network, settings)
            for epoch in phase.epochs:
                loss, accuracy = learn(phase, optimizer, lesson, epoch)
                rate = float(optimizer.param_groups[0]["lr"])
                examined = _examined(_logits(phase.network, lesson, kept), target[kept])
                history.append(EpochRecord(epoch + 1, rate, loss, accuracy, *examined))
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


def _logits(network: nn.Module, lesson: Lesson, rows: IntArray) -> FloatArray:
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
