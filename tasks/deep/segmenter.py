"""A fitted segmenter, and what it says of volumes: how likely each voxel is background or one of the structures."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from tasks.deep.windows import predict_windows
from tasks.discover import MODELS, part

if TYPE_CHECKING:
    from torch import Tensor, nn

Floats = npt.NDArray[np.float32]
Window = tuple[int, int, int]


@dataclass(frozen=True, eq=False)
class FittedSegmenter:
    """A segmenter after training, with all that is needed to use it.

    Attributes
    ----------
    state
        Its tensors by name, on the CPU.
    model, options
        What it is built from: a file of ``tasks/models``, and its settings.
    structures
        Value in label maps by name, in the order of the values.
    window
        Voxels that it sees at a time, ``(z, y, x)``.
    mean, std
        Of the training images.
    """

    state: Mapping[str, Tensor]
    model: str
    options: Mapping[str, Any]
    structures: Mapping[str, int]
    window: Window
    mean: float
    std: float

    @property
    def classes(self) -> int:
        """Background and structures."""
        return len(self.structures) + 1


def segment(
    fitted: FittedSegmenter, image: Any, *, overlap: float = 0.5, threads: int = 1, device: str = "cpu"
) -> Floats:
    """Probability of each class at each voxel.

    Parameters
    ----------
    image
        Normalized as the training images were, ``(z, y, x)``; NumPy's or Zarr's.
    overlap
        Part of a window that it shares with the next one along each axis.

    Returns
    -------
    ``(classes, z, y, x)``; sums to 1 over the classes.
    """
    from tasks.deep.device import torch_threads

    with torch_threads(threads):
        network = _rebuilt(fitted).to(device).eval()
        shown = Standardized(image, fitted.mean, fitted.std)
        windowed = predict_windows(
            network, shown, classes=fitted.classes, window=fitted.window, overlap=overlap, device=device
        )
        return np.asarray(windowed.answer)


@dataclass(frozen=True, eq=False)
class Standardized:
    """An image ``(1, z, y, x)`` as a network sees it: with mean 0 and standard deviation 1 of the training images.

    ``image`` is NumPy's or Zarr's, ``(z, y, x)``; only what is asked for is read.
    """

    image: Any
    mean: float
    std: float

    @property
    def shape(self) -> tuple[int, ...]:
        """One channel, and the image's voxels."""
        return (1, *self.image.shape)

    def __getitem__(self, part: tuple[slice, ...]) -> Floats:
        """A part of it, float32; the channel's slice comes first."""
        channel, *space = part
        values = np.asarray(self.image[tuple(space)], dtype=np.float32)
        return np.asarray(((values - np.float32(self.mean)) / np.float32(self.std))[None][channel])


def _rebuilt(fitted: FittedSegmenter) -> nn.Module:
    module = part(MODELS, fitted.model)
    settings = module.Settings.model_validate(fitted.options)
    network: nn.Module = module.architecture(settings, classes=fitted.classes, channels=1)
    network.load_state_dict(dict(fitted.state), assign=True)
    return network
