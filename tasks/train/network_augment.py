"""Training pictures changed at random, so that a network cannot learn them by heart.

Every sample of every epoch draws from its own generator, of (seed, epoch, sample): the same picture comes out whatever
batch or order it is in.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from tasks.train.network_settings import Augmentation

if TYPE_CHECKING:
    from torch import Tensor


def augmented(planes: Tensor, samples: Sequence[int], settings: Augmentation, *, seed: int, epoch: int) -> Tensor:
    """Each picture flipped, turned, scaled, shifted and brightened at random.

    Parameters
    ----------
    planes
        ``(n, 3, y, x)``, intensities in 0..1.
    samples
        Number of each picture in the training set, ``(n,)``.

    Returns
    -------
    As ``planes``, cut to 0..1.
    """
    import torch
    from torch.nn.functional import affine_grid, grid_sample

    drawn = [_drawn(settings, np.random.default_rng([seed, epoch, sample])) for sample in samples]
    matrices = torch.as_tensor(np.stack([matrix for matrix, _ in drawn]), dtype=planes.dtype, device=planes.device)
    factors = torch.as_tensor([factor for _, factor in drawn], dtype=planes.dtype, device=planes.device)
    grid = affine_grid(matrices, list(planes.shape), align_corners=False)
    moved = grid_sample(planes, grid, mode="bilinear", padding_mode="zeros", align_corners=False)
    return (moved * factors.view(-1, 1, 1, 1)).clamp_(0, 1)


def _drawn(settings: Augmentation, rng: np.random.Generator) -> tuple[npt.NDArray[np.float64], float]:
    """A matrix ``(2, 3)`` from places in the result to places in the picture (x, y in -1..1), and a brightness."""
    mirrored = -1.0 if rng.random() < 0.5 and settings.flip else 1.0
    angle = np.deg2rad(rng.uniform(-settings.rotation_degrees, settings.rotation_degrees))
    size = 1 + rng.uniform(-settings.scale, settings.scale)
    shift = 2 * rng.uniform(-settings.shift, settings.shift, size=2)  # the side of a picture is 2 in these coordinates
    turned = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]]) / size
    matrix = np.column_stack([turned @ np.diag([mirrored, 1.0]), shift])
    return matrix, 1 + rng.uniform(-settings.brightness, settings.brightness)
