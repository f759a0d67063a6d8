"""A fitted network for patches of volumes, and what it says of them: how likely each holds a lesion.

A network sees patches in one of four forms (`tasks.imaging.patches.PatchShape`): a block is one channel with three
axes; a slice, neighbouring slices, or the three planes through a point are channels of a picture. Where the candidate
is shown too, there are as many channels again.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from storage.volume import Triple
from tasks.discover import MODELS, part
from tasks.imaging.patches import PatchShape

if TYPE_CHECKING:
    from torch import Tensor, nn

Floats = npt.NDArray[np.float32]

PREDICTION_BATCH = 32
"""Patches at a time when nothing is learned: a matter of memory alone."""


@dataclass(frozen=True, eq=False)
class FittedPatchNetwork:
    """A network for patches after training, with all that is needed to use it: a `tasks.patch_model.PatchModel`.

    Attributes
    ----------
    state
        Its tensors by name, on the CPU.
    model, options
        What it is built from: a file of ``tasks/models``, and its settings.
    shape, spacing_mm
        Of the patches that it learned from: images have to have this spacing, ``(z, y, x)``.
    mean, std
        Of these patches.
    shows_candidate
        Whether it also asks for the candidate in each patch.
    """

    state: Mapping[str, Tensor]
    model: str
    options: Mapping[str, Any]
    shape: PatchShape
    spacing_mm: Triple
    mean: float
    std: float
    shows_candidate: bool = False

    def scores(self, patches: npt.NDArray[Any], *, threads: int = 1, device: str = "cpu") -> npt.NDArray[np.float64]:
        """How likely each patch ``(n, …)``, or ``(n, 2, …)`` with its candidate, holds a lesion in its middle."""
        return lesion_probability(self, patches, threads=threads, device=device)


def seen_axes(
    shape: PatchShape, spacing_mm: Triple, *, shows_candidate: bool
) -> tuple[int, tuple[float, ...], tuple[int, ...]]:
    """Channels of a patch, and spacing in mm and voxels along the axes that a network's kernels move along."""
    channels = {"2-D": 1, "slices": shape.size[0], "planes": 3, "3-D": 1}[shape.form] * (1 + shows_candidate)
    first = 0 if shape.form == "3-D" else 1
    return channels, spacing_mm[first:], shape.size[first:]


def network_input(patches: npt.NDArray[Any], shape: PatchShape, *, mean: float, std: float) -> Tensor:
    """Patches ``(n, …)`` or ``(n, 2, …)`` as a network takes them, ``(n, channels, …)`` float32.

    Intensities are standardized; the candidate is 1, and what is around it -1.
    """
    import torch

    shown = np.array(patches, dtype=np.float32).reshape(len(patches), -1, *shape.array_shape)
    shown[:, 0] = (shown[:, 0] - np.float32(mean)) / np.float32(std)
    shown[:, 1:] = 2 * shown[:, 1:] - 1
    return torch.from_numpy(shown).flatten(1, 2) if shape.form in ("slices", "planes") else torch.from_numpy(shown)


def lesion_probability(
    fitted: FittedPatchNetwork, patches: npt.NDArray[Any], *, threads: int = 1, device: str = "cpu"
) -> npt.NDArray[np.float64]:
    """How likely each patch holds a lesion in its middle, ``(n,)``; not calibrated.

    Parameters
    ----------
    patches
        ``(n, …)`` of the fitted shape, or ``(n, 2, …)`` with the candidates where it asks for them; intensities as
        those it learned from.
    """
    from tasks.deep.device import torch_threads

    expected = (*([2] if fitted.shows_candidate else []), *fitted.shape.array_shape)
    if patches.shape[1:] != expected:
        raise ValueError(f"expected patches of {expected}; got {patches.shape[1:]}")
    with torch_threads(threads):
        network = _rebuilt(fitted).to(device).eval()
        logits = patch_logits(network, patches, fitted.shape, mean=fitted.mean, std=fitted.std, device=device)
        return np.asarray(logits.double().softmax(dim=1)[:, 1].numpy(), dtype=np.float64)


def patch_logits(
    network: nn.Module, patches: npt.NDArray[Any], shape: PatchShape, *, mean: float, std: float, device: str
) -> Tensor:
    """Logits ``(n, classes)`` on the CPU of a network in evaluation mode, a batch at a time."""
    import torch

    with torch.inference_mode():
        starts = range(0, len(patches), PREDICTION_BATCH)
        parts = [network_input(patches[i : i + PREDICTION_BATCH], shape, mean=mean, std=std) for i in starts]
        return torch.cat([network(some.to(device)).float().cpu() for some in parts])


def _rebuilt(fitted: FittedPatchNetwork) -> nn.Module:
    module = part(MODELS, fitted.model)
    settings = module.Settings.model_validate(fitted.options)
    channels = seen_axes(fitted.shape, fitted.spacing_mm, shows_candidate=fitted.shows_candidate)[0]
    network: nn.Module = module.architecture(settings, classes=2, channels=channels)
    network.load_state_dict(dict(fitted.state), assign=True)
    return network
