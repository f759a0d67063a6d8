"""The loss of a segmenter, and its Dice: of windows while it learns, and of whole volumes from sums over their planes.

The loss is the mean over the structures of one minus their soft Dice (Milletari et al. 2016,
doi:10.1109/3DV.2016.79), and the mean cross-entropy of the voxels. Dice alone gives no direction where a structure is
neither there nor predicted; cross-entropy alone is ruled by the background. Together they are nnU-Net's loss
(doi:10.1038/s41592-020-01008-z).
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    from torch import Tensor

SMOOTH = 1e-5
"""Added to both halves of a soft Dice: a structure that is neither there nor predicted has 1."""
LEAST_PROBABILITY = 1e-7
"""Nothing is held for less likely: its logarithm would rule all others."""


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

    dice = DiceLoss(include_background=False, to_onehot_y=True, reduction="none", smooth_nr=SMOOTH, smooth_dr=SMOOTH)
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


def overlap_sums(planes: Iterator[npt.NDArray[np.float32]], answers: Any) -> npt.NDArray[np.float64]:
    """What `loss_and_dice` needs of a volume, added up while its planes come.

    Parameters
    ----------
    planes
        Probabilities ``(classes, some, y, x)`` of some planes after the other, from the first plane to the last.
    answers
        Class of each voxel ``(z, y, x)``, NumPy's or Zarr's, of which as many planes are read.

    Returns
    -------
    ``(6, classes)``: probability on the voxels of a class, and on all; voxels that are of it, that are found to be, and
    that are both; and the sum of what its voxels cost in cross-entropy.
    """
    sums: Any = 0.0
    first = 0
    for shares in planes:
        last = first + shares.shape[1]
        truth, found = np.asarray(answers[first:last]), shares.argmax(axis=0)
        first = last
        sums = sums + np.stack([_sums_of(share, truth == n, found == n) for n, share in enumerate(shares)], axis=1)
    return np.asarray(sums)


def _sums_of(share: npt.NDArray[np.float32], here: npt.NDArray[np.bool_], ours: npt.NDArray[np.bool_]) -> list[float]:
    share = np.maximum(share, np.float32(LEAST_PROBABILITY))
    on = share[here].astype(np.float64)
    voxels = [np.count_nonzero(mask) for mask in (here, ours, here & ours)]
    return [on.sum(), share.sum(dtype=np.float64), *voxels, -np.log(on).sum()]


def loss_and_dice(sums: npt.NDArray[np.float64]) -> tuple[float, float]:
    """Loss and mean Dice of a volume, as `window_losses` and `dice_of_classes` say of it as one window."""
    on, everywhere, there, found, both, surprise = sums
    missed = 1 - (2 * on + SMOOTH) / (everywhere + there + SMOOTH)
    sizes = found + there
    dice = np.where(sizes > 0, 2 * both / np.maximum(sizes, 1), 1.0)
    return float(missed[1:].mean() + surprise.sum() / there.sum()), float(dice[1:].mean())
