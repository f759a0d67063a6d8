"""Curves of a training as TensorBoard reads them, while it goes on and afterwards: ``tensorboard --logdir STORE``."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from tasks.train.record import EpochRecord


@contextmanager
def curves_in(folder: Path) -> Iterator[Callable[[EpochRecord], None]]:
    """Give a function that adds an epoch to the event file of a folder, which is made when missing.

    Event files are a log: they hold times, and differ from run to run.
    """
    from torch.utils.tensorboard import SummaryWriter

    with SummaryWriter(str(folder)) as writer:

        def add(record: EpochRecord) -> None:
            for name, value in points_of(record).items():
                writer.add_scalar(name, value, record.epoch)
            writer.flush()

        yield add


def points_of(record: EpochRecord) -> dict[str, float]:
    """What an epoch adds to each curve, by its name.

    ``training/…`` and ``held_out/…`` hold what the record tells, ``learning_rate`` that of the epoch's last step,
    ``time/seconds`` what the epoch took and ``time/waiting`` the share of it in which the network waited for data.
    """
    return {
        **{f"training/{name}": value for name, value in record.training.items()},
        **{f"held_out/{name}": value for name, value in record.held_out.items()},
        "learning_rate": record.learning_rate,
        "time/seconds": record.seconds,
        "time/waiting": record.waiting,
    }
