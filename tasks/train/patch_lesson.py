"""What a network for patches learns from: patches in Zarr, read when they are shown, changed at random, each anew.

A *row* is one patch of one case. Patches drawn on lesions teach 'lesion'; patches without any voxel of a lesion teach
'none', most of all those that look like one. What only touches a lesion (a patch of a grid) teaches nothing.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from tasks.deep.patch_network import PREDICTION_BATCH, network_input, patch_logits
from tasks.imaging.augment import Sample, augmented, sample_rng
from tasks.imaging.patch_files import PatchSet
from tasks.train.patch_network_settings import PatchNetworkSettings

if TYPE_CHECKING:
    import pandas as pd
    from torch import Tensor, nn

    from tasks.train.lesson import Batch

IntArray = npt.NDArray[np.int64]
CLASSES = 2


def taught_rows(sets: Sequence[PatchSet]) -> pd.DataFrame:
    """Patches that teach something, in an order that depends on their images' digests alone.

    Columns: ``place`` (of its set), ``number``, ``digest``, ``patient``, ``answer`` (1 lesion, 0 none).
    """
    import pandas as pd

    tables = [patches.table.assign(place=place) for place, patches in enumerate(sets)]
    every = pd.concat(tables, ignore_index=True)
    on_lesion, without = every["kind"] == "lesion", every["label"] == 0
    rows = every[on_lesion | without].assign(answer=on_lesion.astype("int64"))
    columns = ["place", "number", "digest", "patient", "answer"]
    return rows[columns].sort_values(["digest", "number"], kind="stable", ignore_index=True)


class PatchLesson:
    """The lesson of some patches. See `tasks.train.lesson.Lesson`.

    Parameters
    ----------
    sets
        Patches of the cases, all of one shape, spacing and unit.
    rows
        Of `taught_rows`.
    held_out
        ``(n,)``: rows that are examined and not learned from.
    """

    def __init__(
        self,
        sets: Sequence[PatchSet],
        rows: pd.DataFrame,
        held_out: npt.NDArray[np.bool_],
        settings: PatchNetworkSettings,
        *,
        device: str = "cpu",
    ) -> None:
        self._sets, self._rows, self._settings, self._device = tuple(sets), rows, settings, device
        self._facts = sets[0].facts
        self._answers = rows["answer"].to_numpy(dtype=np.int64)
        self._learn, self._held_out = np.flatnonzero(~held_out), np.flatnonzero(held_out)
        self._weights = _class_weights(self._answers[self._learn])
        self.mean, self.std = self._intensities()

    def steps(self, epoch: int) -> Sequence[IntArray]:
        """Every patch once, in an order that the epoch draws, in steps of nearly one size."""
        order = np.random.default_rng([self._settings.seed, epoch]).permutation(self._learn)
        count = math.ceil(len(order) / self._settings.engine.batch)
        return [order[step::count] for step in range(count)]

    def batch(self, rows: IntArray, epoch: int) -> Batch:
        """Patches as they are shown in an epoch."""
        import torch

        from tasks.train.lesson import Batch

        shown = np.stack([self._changed(int(row), epoch) for row in rows])
        inputs = network_input(shown, self._facts.shape, mean=self.mean, std=self.std)
        return Batch(inputs, torch.from_numpy(self._answers[rows]))

    def weight(self, rows: IntArray) -> float:
        """The weights of the rows' classes."""
        return float(self._weights[self._answers[rows]].sum())

    def loss(self, outputs: Tensor, answers: Tensor) -> Tensor:
        """Weighted sum of the patches' losses."""
        from tasks.train.losses import classification_loss

        weight = outputs.new_tensor(self._weights)
        smoothing, focal = self._settings.label_smoothing, self._settings.focal
        return classification_loss(outputs, answers, weight=weight, smoothing=smoothing, focal=focal).sum()

    def tally(self, outputs: Tensor, answers: Tensor) -> dict[str, Tensor]:
        """Sums of plain cross-entropies, in nats, and of right answers."""
        from tasks.train.losses import classification_loss

        right = outputs.argmax(dim=1) == answers
        return {"loss": classification_loss(outputs, answers).sum(), "accuracy": right.sum()}

    def examine(self, network: nn.Module) -> dict[str, float]:
        """Mean loss, accuracy of the patches that are held out, as they are; empty where none are."""
        import torch

        if not len(self._held_out):
            return {}
        parts = np.array_split(self._held_out, math.ceil(len(self._held_out) / PREDICTION_BATCH))
        shape, mean, std = self._facts.shape, self.mean, self.std
        found = [
            patch_logits(network, self._read(rows), shape, mean=mean, std=std, device=self._device) for rows in parts
        ]
        sums = self.tally(torch.cat(found), torch.from_numpy(self._answers[self._held_out]))
        return {name: float(value) / len(self._held_out) for name, value in sums.items()}

    def _read(self, rows: IntArray) -> npt.NDArray[np.float32]:
        """Patches as they are, ``(n, …)``, or ``(n, 2, …)`` with their candidates."""
        where = self._rows.iloc[rows]
        pairs = zip(where["place"], where["number"], strict=True)
        return np.stack([self._patch(self._sets[place], int(number)) for place, number in pairs])

    def _patch(self, patches: PatchSet, number: int) -> npt.NDArray[np.float32]:
        image = np.asarray(patches.images[number], dtype=np.float32)
        if patches.candidates is None:
            return image
        return np.stack([image, np.asarray(patches.candidates[number], dtype=np.float32)])

    def _changed(self, row: int, epoch: int) -> npt.NDArray[Any]:
        """A patch, changed by its own generator: in whatever batch, the same."""
        about = self._rows.iloc[row]
        patches, (patch,) = self._sets[about["place"]], self._read(np.array([row]))
        facts, shows = patches.facts, patches.candidates is not None
        image, candidate = (patch[0], patch[1].astype(np.uint8)) if shows else (patch, None)
        rng = sample_rng(about["digest"], int(about["number"]), seed=self._settings.seed, epoch=epoch)
        planes = facts.shape.form == "planes"  # seen as colours: all move alike
        solid = facts.shape.form in ("3-D", "slices")
        changed = augmented(
            Sample(np.moveaxis(image, 0, -1) if planes else image, candidate),
            self._settings.augmentation,
            rng,
            spacing_mm=facts.spacing_mm if solid else facts.spacing_mm[1:],
            unit=facts.unit,
            direction=facts.direction if solid else None,
            spread=self.std,
        )
        if changed.mask is not None:
            return np.stack([changed.image, changed.mask.astype(changed.image.dtype)])
        return np.moveaxis(changed.image, -1, 0) if planes else changed.image

    def _intensities(self) -> tuple[float, float]:
        """Mean and standard deviation of the patches that are learned from, read a batch at a time."""
        parts = np.array_split(self._learn, math.ceil(len(self._learn) / PREDICTION_BATCH))
        moments = [
            (len(rows), image.mean(dtype=np.float64), np.square(image, dtype=np.float64).mean())
            for rows in parts
            for image in [self._read(rows).reshape(len(rows), -1, *self._facts.shape.array_shape)[:, 0]]
        ]
        counts, means, squares = np.array(moments).T
        mean = float(np.average(means, weights=counts))
        std = float(np.sqrt(max(0.0, float(np.average(squares, weights=counts)) - mean**2)))
        return round(mean, 6), round(std, 6) or 1.0


def _class_weights(answers: IntArray) -> npt.NDArray[np.float64]:
    """Both classes weigh half of all."""
    counts = np.bincount(answers, minlength=CLASSES)
    return np.asarray(len(answers) / (CLASSES * np.maximum(counts, 1)), dtype=np.float64)
