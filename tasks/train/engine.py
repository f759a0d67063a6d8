"""The training engine: one loop for every network that learns by gradients, whatever it learns.

A `Lesson` says what is learned: which rows make which step, the tensors of some rows, the loss, and how the held-out
part is examined. The engine does the rest: the schedule of the learning rate, mixed precision, gradients cut and
accumulated, a moving average of the weights, early stopping, checkpoints, smaller parts where memory runs out, and the
sums over several devices where these learn together.

The loop itself is :mod:`tasks.train.loop`.

*Random numbers.* What is drawn while a step is computed (dropout) is drawn from the seed and the number of the step,
and what a lesson draws from (seed, epoch, row): no generator has a past that a checkpoint could lose. On the CPU the
same lesson, settings, seed and number of threads give the same weights, bit for bit, whether the training was killed in
between or not; on a GPU where ``deterministic`` is set.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tasks.train.engine_settings import EngineSettings
from tasks.train.lesson import Batch, IntArray, Lesson
from tasks.train.loop import learn
from tasks.train.record import EpochRecord, Trained
from tasks.train.together import train_together

if TYPE_CHECKING:
    from torch import nn

__all__ = ["Batch", "EpochRecord", "IntArray", "Lesson", "Trained", "train"]


def train(
    network: nn.Module,
    lesson: Lesson,
    settings: EngineSettings,
    *,
    seed: int,
    device: str = "cpu",
    first_epoch: int = 0,
    checkpoint: Path | None = None,
    checkpoint_every_s: float = 120.0,
    on_epoch: Callable[[EpochRecord], None] | None = None,
) -> Trained:
    """Train a network in place; parameters that want no gradient stay as they are.

    Parameters
    ----------
    network
        On any device; it ends on ``device``, in evaluation mode.
    first_epoch
        Epochs of earlier phases: those of the lesson and of the records go on from there.
    checkpoint
        File that outlives a killed process, one for each phase. What it holds of this training is not done again;
        a training that had ended is only read. ``None``: nothing is kept.
    checkpoint_every_s
        Seconds between two checkpoints. The last is written in any case.
    on_epoch
        Called with each epoch's record as soon as there is one; of a resumed training with the earlier ones first.

    Raises
    ------
    FloatingPointError
        When the loss is no longer a number: the learning rate is too high.
    RuntimeError
        When one of several processes that learn together dies.
    ValueError
        Where early stopping is asked for and nothing is held out, or nothing of the network may change.
    """
    place: dict[str, Any] = {"seed": seed, "device": device, "first_epoch": first_epoch, "checkpoint": checkpoint}
    place |= {"checkpoint_every_s": checkpoint_every_s, "on_epoch": on_epoch or (lambda _record: None)}
    if settings.devices > 1:
        return train_together(network, lesson, settings, **place)
    return learn(network, lesson, settings, **place)
