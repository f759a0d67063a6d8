"""Instance normalization for pictures and volumes whose channels lie innermost in memory.

Each map of each sample gets mean 0 and variance 1, then a scale and an offset that are learned (Ulyanov et al. 2016,
arXiv:1607.08022). torch's own puts the channels outermost again, which costs the convolution behind it more than the
multiplications; its group normalization with one map in each group is the same sum and keeps the format, but on a CPU
takes sixty times as long for small maps. For a single sample batch normalization is once more the same sum, keeps the
format, and is fast and more exact; so it is used there. This file is imported where a network is built: it needs torch.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional


class InstanceNorm(nn.Module):
    """Of ``(n, channels, …)``; the format in memory stays."""

    def __init__(self, channels: int, *, eps: float = 1e-5) -> None:
        super().__init__()
        self.channels, self.eps = channels, eps
        self.weight = nn.Parameter(torch.ones(channels))
        self.bias = nn.Parameter(torch.zeros(channels))

    def reset_parameters(self) -> None:
        """Scale 1 and offset 0."""
        nn.init.ones_(self.weight)
        nn.init.zeros_(self.bias)

    def forward(self, maps: Tensor) -> Tensor:
        """The maps, normalized."""
        if len(maps) == 1 and maps.device.type == "cpu":
            return functional.batch_norm(maps, None, None, self.weight, self.bias, training=True, eps=self.eps)
        return functional.group_norm(maps, self.channels, self.weight, self.bias, self.eps)


def with_instance_norm(network: nn.Module) -> nn.Module:
    """The network with its group normalizations of one map a group replaced."""
    for parent in list(network.modules()):
        for name, child in list(parent.named_children()):
            if isinstance(child, nn.GroupNorm) and child.num_groups == child.num_channels:
                setattr(parent, name, InstanceNorm(child.num_channels, eps=child.eps))
    return network
