"""What a trained network sees in a picture: the activations before its last linear layer.

The network is any classifier of torchvision, by its name there, with weights from a file. Whatever classes it was
trained for, what the layer before the decision answers describes a picture (Donahue et al. 2014, arXiv:1310.1531).
"""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from tasks.deep.device import best_device, torch_threads
from tasks.deep.weights import read_weights

if TYPE_CHECKING:
    from torch import Tensor, nn


@cache
def network_of(model: str, path: Path, sha256: str, device: str) -> nn.Module:  # noqa: ARG001 - another file is another network
    """The network with its weights, ready to look at pictures, kept for the next one.

    Raises
    ------
    ValueError
        When torchvision has no such classifier, its last layer is no linear one, or the file holds no weights of it.
    """
    found = read_weights(path)
    name, _ = _last_linear(_architecture(model), model)
    if f"{name}.weight" not in found:
        raise ValueError(f"{path.name} holds no weights of {model}: {name}.weight missing")
    network = _architecture(model, num_classes=len(found[f"{name}.weight"]))
    try:
        network.load_state_dict(found, assign=True)
    except RuntimeError as error:
        raise ValueError(f"{path.name} holds no weights of {model}: {error}") from error
    return network.to(device).eval()


def activations(
    picture: npt.NDArray[np.float32],
    *,
    model: str,
    path: Path,
    sha256: str,
    input_px: int,
    mean: tuple[float, ...],
    std: tuple[float, ...],
) -> npt.NDArray[np.float64]:
    """What a network answers to a picture, ``(units,)``, on the GPU where there is one.

    Parameters
    ----------
    picture
        ``(3, y, x)`` in 0..1, resized to a square of ``input_px``.
    path, sha256
        Of the file of weights.
    mean, std
        Of the pictures that the network was trained on, per channel.
    """
    import torch
    from torch.nn.functional import interpolate

    # One thread: sums of another order would be other features.
    with torch_threads(1), torch.inference_mode():
        device = best_device()
        network = network_of(model, path, sha256, device)
        planes = torch.from_numpy(np.ascontiguousarray(picture))[None]
        planes = interpolate(planes, size=(input_px, input_px), mode="bilinear", antialias=True, align_corners=False)
        shape = (1, 3, 1, 1)
        planes = (planes - planes.new_tensor(mean).view(shape)) / planes.new_tensor(std).view(shape)
        seen: list[Tensor] = []
        _, last = _last_linear(network, model)
        handle = last.register_forward_pre_hook(lambda _module, inputs: seen.append(inputs[0]))
        try:
            network(planes.to(device))
        finally:
            handle.remove()
        return np.asarray(seen[0].flatten().double().cpu().numpy())


def _architecture(model: str, **options: Any) -> nn.Module:
    """A classifier of torchvision without numbers (on torch's device ``meta``)."""
    import torch
    from torchvision import models

    if model not in models.list_models(module=models):
        raise ValueError(f"torchvision has no classifier {model!r}; it has, e.g., alexnet, vgg16, resnet50")
    with torch.device("meta"):
        network: nn.Module = models.get_model(model, weights=None, **options)
    return network


def _last_linear(network: nn.Module, model: str) -> tuple[str, nn.Linear]:
    from torch import nn

    layers = [(name, layer) for name, layer in network.named_modules() if isinstance(layer, nn.Linear)]
    if not layers:
        raise ValueError(f"{model} does not end in a linear layer")
    return layers[-1]
