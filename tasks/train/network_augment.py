"""Training pictures changed at random, so that a network cannot learn them by heart.

Every sample of every epoch draws from its own generator, of (seed, epoch, sample): the same picture comes out whatever
batch or order it is in.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import numpy.typing as npt

from tasks.train.network_settings import Augmentation

if TYPE_CHECKING:
    from torch import Tensor

Floats = npt.NDArray[np.float64]

POINTS = 5
"""Along each side of a picture: what is moved when it is bent."""


def augmented(planes: Tensor, samples: Sequence[int], settings: Augmentation, *, seed: int, epoch: int) -> Tensor:
    """Each picture flipped, turned, scaled, sheared, bent, shifted, brightened and made noisy at random.

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

    if torch.equal(planes[:, 1:], planes[:, :-1]):  # grey: one plane is a third of the work
        return _changed(planes[:, :1], samples, settings, seed=seed, epoch=epoch).expand_as(planes)
    return _changed(planes, samples, settings, seed=seed, epoch=epoch)


def _changed(planes: Tensor, samples: Sequence[int], settings: Augmentation, *, seed: int, epoch: int) -> Tensor:
    import torch
    from torch.nn.functional import affine_grid, grid_sample, interpolate

    def tensor(values: Sequence[Floats | float]) -> Tensor:
        return torch.as_tensor(np.asarray(values), dtype=planes.dtype, device=planes.device)

    size = list(planes.shape[2:])
    drawn = [_drawn(settings, size, np.random.default_rng([seed, epoch, sample])) for sample in samples]
    grid = affine_grid(tensor([one.matrix for one in drawn]), list(planes.shape), align_corners=False)
    if settings.bend:
        bends = tensor([one.bend for one in drawn])
        grid = grid + interpolate(bends, size=size, mode="bicubic", align_corners=True).permute(0, 2, 3, 1)
    moved = grid_sample(planes, grid, mode="bilinear", padding_mode="zeros", align_corners=False)
    if settings.gamma:
        moved = moved.clamp(0, 1) ** tensor([one.gamma for one in drawn]).view(-1, 1, 1, 1)
    moved = moved * tensor([one.brightness for one in drawn]).view(-1, 1, 1, 1)
    if settings.noise:
        moved = moved + tensor([one.noise for one in drawn])[:, None]
    return moved.clamp_(0, 1)


class _Drawn(NamedTuple):
    """How one picture is changed.

    ``matrix``: ``(2, 3)``, from places in the result to places in the picture (x, y in -1..1). ``bend``: added to
    these, ``(2, 5, 5)``. ``noise``: ``(y, x)``. The last two are empty where the settings ask for none.
    """

    matrix: Floats
    brightness: float
    gamma: float
    bend: Floats
    noise: Floats


def _drawn(settings: Augmentation, size: Sequence[int], rng: np.random.Generator) -> _Drawn:
    mirrored = -1.0 if rng.random() < 0.5 and settings.flip else 1.0
    angle = np.deg2rad(rng.uniform(-settings.rotation_degrees, settings.rotation_degrees))
    scale = 1 + rng.uniform(-settings.scale, settings.scale)
    shift = 2 * rng.uniform(-settings.shift, settings.shift, size=2)  # the side of a picture is 2 in these coordinates
    brightness = 1 + rng.uniform(-settings.brightness, settings.brightness)
    wide = 1 + rng.uniform(-settings.stretch, settings.stretch)
    shear = rng.uniform(-settings.shear, settings.shear)
    gamma = 1 + rng.uniform(-settings.gamma, settings.gamma)
    turned = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]]) / scale
    shaped = turned @ np.array([[1 / wide, shear], [0.0, wide]]) @ np.diag([mirrored, 1.0])
    bend = rng.normal(0, 2 * settings.bend, (2, POINTS, POINTS)) if settings.bend else np.empty(0)
    noise = rng.normal(0, settings.noise, size) if settings.noise else np.empty(0)
    return _Drawn(np.column_stack([shaped, shift]), brightness, gamma, bend, noise)
