"""What the rows of feeding work on: noise of 8 bits, as pictures lie in memory; many on a GPU, a few on a CPU."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from tests.benchmarks.row import Array, Row

CLASSES, PX = 4, 224


@dataclass(frozen=True)
class Subject:
    """Where it lies, on which device the rows work, and with how many pictures in a step and in all."""

    folder: Path
    device: str
    batch: int
    pictures: int

    def lesson(self, model: str, **options: Any) -> tuple[Any, Any]:
        """The lesson of these pictures, augmented as a study augments them, and the settings of its network."""
        import torch

        from tasks.train.network_learn import lesson_of
        from tasks.train.network_settings import NetworkSettings

        about = {"model": model, "options": options, "input_px": PX, "held_out": 0.0}
        settings = NetworkSettings.model_validate({**about, "epochs": 2, "batch": self.batch})
        planes = torch.from_numpy(np.load(self.folder / "planes.npy")[: self.pictures])
        rows = np.arange(self.pictures)
        place: dict[str, Any] = {"classes": CLASSES, "settings": settings, "seed": 0, "device": self.device}
        return lesson_of(planes, rows % CLASSES, rows, rows[:0], **place), settings

    def learning(self, lesson: Any, settings: Any) -> Callable[[], Array]:
        """Two epochs by the engine, from the same start each time; gives the loss of each."""
        from tasks.discover import MODELS, part
        from tasks.train.engine import train

        def learn() -> Array:
            model = part(MODELS, settings.model)
            network = model.build_network(settings.of_model(), classes=CLASSES, seed=0).network.requires_grad_(True)
            done = train(network, lesson, settings, seed=0, device=self.device)
            return np.array([record.training["loss"] for record in done.history])

        return learn


class Resident:
    """A lesson whose batches lie on the device, as they are shown: nothing is left to be prepared."""

    def __init__(self, lesson: Any, epochs: int) -> None:
        self._lesson = lesson
        self._made = {
            (epoch, tuple(rows)): lesson.batch(rows, epoch) for epoch in range(epochs) for rows in lesson.steps(epoch)
        }

    def batch(self, rows: Array, epoch: int) -> Any:
        """As it was made."""
        return self._made[epoch, tuple(rows)]

    def __getattr__(self, name: str) -> Any:
        return getattr(self._lesson, name)


def row(work: str, named: str, model: str, **options: Any) -> Row:
    """The engine that prepares pictures while it learns, beside the engine that finds them on the device."""

    def ours(subject: Subject) -> Callable[[], Array]:
        return subject.learning(*subject.lesson(model, **options))

    def theirs(subject: Subject) -> Callable[[], Array]:
        lesson, settings = subject.lesson(model, **options)
        return subject.learning(Resident(lesson, settings.epochs), settings)

    return Row(
        work,
        "ours",
        ours,
        theirs,
        tolerance=0.02,
        says=f"two epochs of {named} at {PX}×{PX} pixels by the engine: 1,024 pictures in steps of 32 on a GPU, 16 in "
        "steps of 8 on a CPU. Ours copies, augments and standardizes them while the network learns; the peer is the "
        "engine on the same batches, made before and kept on the device. Compared: the loss of each epoch, as shares",
        wanted=0.95,
        scale="relative",
    )


def load(folder: Path) -> Subject:
    """What :func:`make` left."""
    from tasks.deep.device import best_device

    device = best_device()
    return Subject(folder, device, batch=32, pictures=1024) if device == "cuda" else Subject(folder, device, 8, 16)


def make(folder: Path) -> None:
    """Leave the files."""
    pictures = np.random.default_rng(0).integers(0, 256, (1024, 3, PX, PX), dtype=np.uint8)
    np.save(folder / "planes.npy", pictures)
