"""What a segmenter learns from: windows of annotated volumes, drawn around structures and elsewhere."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from tasks.imaging.augment import Sample, augmented, sample_rng
from tasks.imaging.patches import PatchShape
from tasks.train.segmentation_loss import dice_of_classes, loss_and_dice, overlap_sums, window_losses
from tasks.train.segmentation_settings import SegmentationSettings
from tasks.train.segmentation_volumes import IntArray, LabelledVolume, voxels_by_class

if TYPE_CHECKING:
    from torch import Tensor, nn

    from tasks.train.lesson import Batch


class SegmentationLesson:
    """The lesson of some cases; a row is one window of one case. See `tasks.train.lesson.Lesson`.

    Parameters
    ----------
    learn, held_out
        Cases to learn from, and cases to be examined. Statistics come from the former alone.
    structures
        How many there are.
    mean, std
        Of the images, by which they are standardized.
    """

    def __init__(
        self,
        learn: Sequence[LabelledVolume],
        held_out: Sequence[LabelledVolume],
        settings: SegmentationSettings,
        *,
        structures: int,
        mean: float,
        std: float,
        device: str = "cpu",
    ) -> None:
        self._learn, self._held_out, self._settings = tuple(learn), tuple(held_out), settings
        self._classes, self._mean, self._std, self._device = structures + 1, mean, std, device
        self._window = PatchShape(form="3-D", size=settings.window)
        self._voxels = [voxels_by_class(case, structures) for case in self._learn]

    def steps(self, epoch: int) -> Sequence[IntArray]:
        """The rows of each step: every window of every case once, in an order that the epoch draws."""
        settings = self._settings
        rows = np.random.default_rng([settings.seed, epoch]).permutation(len(self._learn) * settings.windows)
        count = math.ceil(len(rows) / settings.engine.batch)
        return [rows[step::count] for step in range(count)]  # of nearly one size

    def batch(self, rows: IntArray, epoch: int) -> Batch:
        """Windows as they are shown in an epoch."""
        import torch

        from tasks.train.lesson import Batch

        samples = [self.window(int(row), epoch) for row in rows]
        images = np.stack([sample.image for sample in samples])[:, None]
        answers = np.stack([np.asarray(sample.mask) for sample in samples])
        return Batch(torch.from_numpy(images), torch.from_numpy(answers.astype(np.int64)))

    def window(self, row: int, epoch: int) -> Sample:
        """One window: standardized image float32, and classes."""
        settings = self._settings
        number, which = divmod(row, len(self._learn))
        case = self._learn[which]
        place, change = sample_rng(case.digest, number, seed=settings.seed, epoch=epoch).spawn(2)
        centre = window_centre(case.classes.shape, settings.window, self._voxels[which], settings.foreground, place)
        # What lies around an image is its mean, as where windows are segmented.
        sample = Sample(
            self._window.cut(case.image, centre, outside=self._mean), self._window.cut(case.classes, centre, outside=0)
        )
        shown = augmented(
            sample,
            settings.augmentation,
            change,
            spacing_mm=case.spacing_mm,
            unit=case.unit,
            direction=case.direction,
            spread=self._std,
        )
        return Sample(((shown.image - self._mean) / self._std).astype(np.float32), shown.mask)

    def weight(self, rows: IntArray) -> float:
        """Every window counts the same."""
        return float(len(rows))

    def loss(self, outputs: Tensor, answers: Tensor) -> Tensor:
        """Sum of the windows' losses."""
        return window_losses(outputs.log_softmax(dim=1), answers).sum()

    def tally(self, outputs: Tensor, answers: Tensor) -> dict[str, Tensor]:
        """Sums of the windows' losses and of their mean Dice."""
        dice = dice_of_classes(outputs.argmax(dim=1), answers, self._classes)
        return {"loss": self.loss(outputs, answers), "dice": dice.sum()}

    def examine(self, network: nn.Module) -> dict[str, float]:
        """Mean loss and Dice of the held-out cases, each segmented as a whole; empty where none are held out.

        However many planes a case has, memory holds those of its image and class map that one row of windows sees, and
        some ten times what the network says of these, ``(classes, window[0], y, x)`` float32: 0.2 GiB for 10 structures
        in 32 planes of 128².
        """
        found = [self._examined(network, case) for case in self._held_out]
        losses, dice = zip(*found, strict=True) if found else ((), ())
        return {"loss": float(np.mean(losses)), "dice": float(np.mean(dice))} if found else {}

    def _examined(self, network: nn.Module, case: LabelledVolume) -> tuple[float, float]:
        """Loss and mean Dice of a case."""
        from tasks.deep.segmenter import Standardized
        from tasks.deep.windows import predict_windows

        windowed = predict_windows(
            network,
            Standardized(case.image, self._mean, self._std),
            classes=self._classes,
            window=self._settings.window,
            gather=lambda planes: overlap_sums(planes, case.classes),
            device=self._device,
        )
        return loss_and_dice(windowed.answer)


def window_centre(
    shape: Sequence[int],
    window: Sequence[int],
    voxels: Sequence[IntArray],
    foreground: float,
    rng: np.random.Generator,
) -> IntArray:
    """Centre ``(z, y, x)`` of a window.

    With the probability ``foreground`` around a voxel of a structure, each structure as often; else anywhere. The
    window then moves into the image, or to its middle along an axis that is shorter.

    Parameters
    ----------
    voxels
        Voxels ``(n, 3)`` of each structure; structures without any are passed over.
    """
    present = [some for some in voxels if len(some)]
    anywhere = rng.integers(0, np.asarray(shape))
    centre = anywhere
    if rng.random() < foreground and present:
        some = present[int(rng.integers(len(present)))]
        centre = some[int(rng.integers(len(some)))]
    length, size = np.asarray(shape), np.asarray(window)
    half = size // 2
    inside = np.clip(centre, half, np.maximum(length - size + half, half))
    return np.asarray(np.where(length > size, inside, (length - size) // 2 + half), dtype=np.int64)
