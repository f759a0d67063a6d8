"""Where training starts from: layers that pass a signal on from the first step, and features before a classifier.

A network without batch normalization learns slowly, or not at all, when its first random numbers let the signal fade,
grow, or come out nearly the same for every picture. *Even* layers answer a sample of the training pictures with mean 0
and variance 1 in each unit (Mishkin & Matas 2016, arXiv:1511.06422; Salimans & Kingma 2016, arXiv:1602.07868, section
3).
"""

from __future__ import annotations

from collections.abc import Collection
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from torch import Tensor, nn

CLOSEST = 1e-3
"""A unit whose answers differ by less, as a standard deviation, says nothing of pictures: it is not blown up."""


def even_out(network: nn.Module, inputs: Tensor, *, layers: Collection[nn.Module]) -> None:
    """Change weights and biases in place, so that each unit of the layers answers with mean 0 and variance 1.

    Parameters
    ----------
    inputs
        Some training pictures as the network takes them, ``(n, 3, y, x)``.
    layers
        Convolutions and linear layers of the network; each is measured behind those before it. One without a bias is
        left alone: a normalization follows it, which does the same.
    """
    import torch

    def even(layer: Any, _inputs: tuple[Tensor, ...], answers: Tensor) -> Tensor:
        everything_else = [axis for axis in range(answers.ndim) if axis != 1]
        mean, std = answers.mean(everything_else), answers.std(everything_else)
        std = torch.where(std < CLOSEST, 1.0, std)
        layer.weight.div_(std.view(-1, *[1] * (layer.weight.ndim - 1)))
        layer.bias.sub_(mean).div_(std)
        unit = (1, -1) + (1,) * (answers.ndim - 2)
        return (answers - mean.view(unit)) / std.view(unit)

    handles = [layer.register_forward_hook(even) for layer in layers if layer.bias is not None]
    with torch.no_grad():
        network.eval()(inputs)
    for handle in handles:
        handle.remove()


def plain_head(features: nn.Module, inputs: Tensor, *, classes: int, dropout: float) -> nn.Module:
    """The features under a single linear layer that starts at zero: a light network to learn features with.

    It shares the features; what they learn, they keep. ``inputs``: any pictures ``(n, 3, y, x)``, for the sizes; no
    normalization counts them.
    """
    import torch
    from torch import nn

    with torch.no_grad():
        units = features.eval()(inputs[:1]).numel()
    last = nn.Linear(units, classes, device=inputs.device)
    nn.init.zeros_(last.weight)
    nn.init.zeros_(last.bias)
    return nn.Sequential(features, nn.Flatten(), nn.Dropout(dropout), last)
