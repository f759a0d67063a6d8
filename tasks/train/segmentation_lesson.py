"""What a segmenter learns from: windows of annotated volumes, drawn around structures and elsewhere, and their loss.

The loss of a window is the mean over the structures of one minus their soft Dice (Milletari et al. 2016,
doi:10.1109/3DV.2016.79), and the mean cross-entropy of its voxels. Dice alone gives no direction where a structure is
neither there nor predicted; cross-entropy alone is ruled by the background. Together they are nnU-Net's loss
(doi:10.1038/s41592-020-01008-z).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from storage.volume import Triple
from tasks.imaging.augment import Sample, augmented, sample_rng
from tasks.imaging.patches import PatchShape
from tasks.imaging.step import Direction
from tasks.imaging.structures import ClassMap
from tasks.train.segmentation_settings import SegmentationSettings

if TYPE_CHECKING:
    from torch import Tensor, nn

    from tasks.train.lesson import Batch

IntArray = npt.NDArray[np.int64]
MOST_VOXELS = 20_000
"""Voxels of a structure that windows are drawn around: enough to stand for the others, and few enough to be kept."""


@dataclass(frozen=True, eq=False)
class LabelledVolume:
    """An annotated case: its normalized image and the class of each voxel, on one grid.

    Attributes
    ----------
    digest, patient
        As in `storage.case.Case`.
    image
        ``(z, y, x)``; NumPy's or Zarr's, of which only windows are read.
    classes
        0 is the background, 1 … the structures.
    unit
        Of the intensities.
    """

    digest: str
    patient: str
    image: Any
    classes: ClassMap
    spacing_mm: Triple
    direction: Direction
    unit: str


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
        self._voxels = [_voxels_by_class(case, structures) for case in self._learn]

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
        """Mean loss and Dice of the held-out cases, each segmented as a whole."""
        import torch

        from tasks.deep.segmenter import standardized
        from tasks.deep.windows import predict_windows

        losses, dice = [], []
        for case in self._held_out:
            shown = standardized(case.image[...], self._mean, self._std)[None]
            windowed = predict_windows(
                network, shown, classes=self._classes, window=self._settings.window, device=self._device
            )
            found = torch.from_numpy(windowed.answer)[None]
            answers = torch.from_numpy(case.classes.astype(np.int64))[None]
            losses.append(float(window_losses(found.clamp_min(1e-7).log(), answers)))
            dice.append(float(dice_of_classes(found.argmax(dim=1), answers, self._classes)))
        return {"loss": float(np.mean(losses)), "dice": float(np.mean(dice))} if losses else {}


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


def window_losses(log_probabilities: Tensor, answers: Tensor) -> Tensor:
    """Loss of each window, ``(n,)``.

    Parameters
    ----------
    log_probabilities
        ``(n, classes, z, y, x)``.
    answers
        Class of each voxel, ``(n, z, y, x)`` int64.
    """
    from monai.losses import DiceLoss

    dice = DiceLoss(include_background=False, to_onehot_y=True, reduction="none", smooth_nr=1e-5, smooth_dr=1e-5)
    missed: Tensor = dice(log_probabilities.exp(), answers[:, None]).flatten(1).mean(dim=1)
    # gather, since nll_loss on volumes has no deterministic form on CUDA
    surprise = -log_probabilities.gather(1, answers[:, None]).flatten(1).mean(dim=1)
    return missed + surprise


def dice_of_classes(found: Tensor, answers: Tensor, classes: int) -> Tensor:
    """Mean Dice over the structures of each window, ``(n,)``; 1 for a structure that is neither there nor found."""
    import torch

    scores = []
    for number in range(1, classes):
        ours, theirs = (found == number).flatten(1), (answers == number).flatten(1)
        both, sizes = (ours & theirs).sum(dim=1), ours.sum(dim=1) + theirs.sum(dim=1)
        scores.append(torch.where(sizes > 0, 2 * both / sizes.clamp_min(1), 1.0))
    return torch.stack(scores).mean(dim=0)


def _voxels_by_class(case: LabelledVolume, structures: int) -> list[IntArray]:
    rng = sample_rng(case.digest, 0, seed=0, epoch=0)
    found = []
    for number in range(1, structures + 1):
        voxels = np.argwhere(case.classes == number)
        found.append(voxels if len(voxels) <= MOST_VOXELS else rng.permutation(voxels)[:MOST_VOXELS].copy())
    return found
