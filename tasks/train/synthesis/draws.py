"""What chance decides in one step of the game: which images are looked at, from which random numbers others are made.

Everything is drawn from (seed, step, turn) and nothing from a generator with a past. So a training that was killed goes
on with exactly the draws that it would have had.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from tasks.train.synthesis.settings import SynthesisSettings

if TYPE_CHECKING:
    from torch import Tensor

IntArray = npt.NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Draw:
    """The chances of one batch of ``n``, on the device.

    Attributes
    ----------
    rows
        Real images, ``(n,)``; generated ones are made of the same classes.
    latent
        Random numbers of the generated images, ``(n, latent)``.
    share
        Of each real image in the mixture where the penalty is taken, ``(n,)``.
    mirrored
        Real images that are shown left-right, ``(n,)``.
    rng
        What disturbs them draws from here.
    """

    rows: Tensor
    latent: Tensor
    share: Tensor
    mirrored: Tensor
    rng: np.random.Generator


def draw(
    rows_of: tuple[IntArray, ...], settings: SynthesisSettings, latent: int, *, place: tuple[int, ...], device: str
) -> Draw:
    """The chances of a batch.

    Parameters
    ----------
    rows_of
        Rows of each class that there is.
    place
        Seed, step and turn.
    """
    import torch

    rng = np.random.default_rng(place)
    count = settings.batch
    sizes = np.array([len(rows) for rows in rows_of])
    kinds = rng.choice(len(sizes), size=count, p=None if settings.balanced else sizes / sizes.sum())
    within = (rng.random(count) * sizes[kinds]).astype(np.int64)
    rows = np.concatenate(rows_of)[np.cumsum(sizes)[kinds] - sizes[kinds] + within]
    return Draw(
        rows=torch.from_numpy(rows).to(device),
        latent=torch.from_numpy(rng.standard_normal((count, latent), dtype=np.float32)).to(device),
        share=torch.from_numpy(rng.random(count, dtype=np.float32)).to(device),
        mirrored=torch.from_numpy(rng.random(count) < 0.5).to(device),
        rng=rng,
    )


def disturbed(images: Tensor, settings: SynthesisSettings, rng: np.random.Generator) -> Tensor:
    """Images ``(n, channels, …)`` each shifted by whole samples and brightened; gradients pass through."""
    import torch

    how = settings.disturbance
    count = len(images)
    for axis in range(2, images.ndim):
        size = images.shape[axis]
        most = round(how.shift * size)
        if most:
            places = np.arange(size) + rng.integers(-most, most + 1, size=(count, 1))
            index = torch.from_numpy(places.clip(0, size - 1)).to(images.device)
            index = index.view(count, *(size if one == axis else 1 for one in range(1, images.ndim)))
            images = images.gather(axis, index.expand_as(images))
    if how.brightness:
        added = torch.from_numpy(rng.uniform(-how.brightness, how.brightness, size=count).astype(np.float32))
        images = images + added.to(images.device).view(-1, *[1] * (images.ndim - 1))
    return images


def mirrored(images: Tensor, which: Tensor) -> Tensor:
    """Those images ``(n, channels, …, x)`` left-right that ``which (n,)`` names; points ``(n, values)`` as they are."""
    import torch

    if images.ndim < 3:
        return images
    return torch.where(which.view(-1, *[1] * (images.ndim - 1)), images.flip(-1), images)
