"""Training a network on labelled pictures, and calibrating it on pictures that it did not learn from.

A part of the training pictures is *held out*, whole groups at a time (a group: a patient, or pictures that are nearly
the same). Its loss is the second curve of the history, and it sets the temperature (Guo et al. 2017, arXiv:1706.04599).
It does not choose the epoch unless ``patience`` asks for it: few pictures would choose by chance, and the learning rate
ends at nothing anyway.

On the CPU the same pictures, settings, seed and number of threads give the same network, bit for bit.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from tasks.deep.device import torch_threads
from tasks.deep.networks import EpochRecord, FittedNetwork, Pictures, planes_of
from tasks.discover import MODELS, part
from tasks.train.engine import train
from tasks.train.hold_out import hold_out
from tasks.train.lesson import IntArray
from tasks.train.network_learn import judged, lesson_of, phases
from tasks.train.network_settings import NetworkSettings
from tasks.train.network_start import even_out
from tasks.train.record import EpochRecord as EngineRecord
from tasks.train.record import Trained
from tasks.train.synthetic import Synthetic
from tasks.train.temperature import fit_temperature

if TYPE_CHECKING:
    from torch import Tensor


def fit_network(
    pictures: Pictures,
    labels: npt.ArrayLike,
    groups: npt.ArrayLike,
    settings: NetworkSettings,
    *,
    classes: int,
    seed: int,
    synthetic: Synthetic | None = None,
    threads: int = 1,
    device: str = "cpu",
    workshop: Path | None = None,
    on_epoch: Callable[[EngineRecord], None] | None = None,
) -> FittedNetwork:
    """Train on pictures; nothing outside them is known to the network.

    Parameters
    ----------
    pictures
        ``(n, y, x, 3)`` uint8, of any one size.
    labels, groups
        ``(n,)``: the class, 0 to ``classes - 1``; and what must not be torn apart, any type that compares equal.
    synthetic
        Pictures to learn from beside these; none of them is held out. ``None``: none.
    workshop
        Folder for checkpoints: a training that was killed goes on from them. ``None``: it begins again.
    on_epoch
        Called with each epoch's record as soon as there is one; of a training that goes on, with the earlier ones too.

    Raises
    ------
    ValueError
        When the three do not belong together, or fewer than two classes are there to learn.
    FloatingPointError
        When the loss is no longer a number: the learning rate is too high.
    """
    target = _checked(pictures, labels, groups, classes)
    may_keep = None if synthetic is None else synthetic.unseen
    teach, kept = hold_out(target, np.asarray(groups), settings.held_out, seed=seed, among=may_keep)
    with torch_threads(threads):
        built = part(MODELS, settings.model).build_network(settings.of_model(), classes=classes, seed=seed)
        network = built.network.to(device)
        planes, target, rows = _with_synthetic(planes_of(pictures, settings.input_px), target, teach, synthetic)
        about: dict[str, Any] = {"classes": classes, "settings": settings, "seed": seed, "device": device}
        lesson = lesson_of(planes, target, rows, kept, **about)
        ended: list[Trained] = []
        for number, phase in enumerate(phases(built, lesson), start=1):
            even_out(phase.network, lesson.sample(), layers=phase.fresh)
            place: dict[str, Any] = {"seed": seed, "device": device, "first_epoch": phase.first_epoch}
            file = workshop and workshop / f"phase-{number}.pt"
            ended.append(train(phase.network, lesson, phase.settings, **place, checkpoint=file, on_epoch=on_epoch))
        logits = lesson.logits(network, kept)
        temperature = fit_temperature(logits, target[kept])
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
        synthetic=len(rows) - len(teach),
        inner_loss=judged(logits / temperature, target[kept]).get("loss"),
        history=tuple(_flat(told) for one in ended for told in one.history),
        note=built.note,
        phases=tuple(one.facts() for one in ended),
    )


def _with_synthetic(
    planes: Tensor, target: IntArray, teach: IntArray, synthetic: Synthetic | None
) -> tuple[Tensor, IntArray, IntArray]:
    """Planes and classes of all pictures, synthetic ones at the end, and the rows that teach: theirs are among them."""
    import torch

    if synthetic is None:
        return planes, target, teach
    more = planes_of(synthetic.inputs, planes.shape[-1])
    rows = np.append(teach, np.arange(len(planes), len(planes) + len(more)))
    return torch.cat([planes, more]), np.append(target, synthetic.labels), rows


def _flat(told: EngineRecord) -> EpochRecord:
    return EpochRecord(
        told.epoch,
        told.learning_rate,
        told.training["loss"],
        told.training["accuracy"],
        told.held_out.get("loss"),
        told.held_out.get("accuracy"),
    )


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
