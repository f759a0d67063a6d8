"""The parts of a residual network that torch has none of. See :mod:`tasks.models.small_resnet`."""

from __future__ import annotations

from collections import OrderedDict

import torch
from torch import Tensor, nn
from torch.nn.functional import silu


class BasicBlock(nn.Module):
    """Two convolutions, and a way around them that takes the mean of what a stride leaves out."""

    def __init__(self, inputs: int, outputs: int, *, stride: int = 1) -> None:
        super().__init__()
        self.inner = nn.Sequential(
            OrderedDict(
                first=nn.Conv2d(inputs, outputs, 3, stride=stride, padding=1, bias=False),
                first_norm=nn.BatchNorm2d(outputs),
                first_activation=nn.SiLU(),
                second=nn.Conv2d(outputs, outputs, 3, padding=1, bias=False),
                second_norm=nn.BatchNorm2d(outputs),
            )
        )
        self.around = nn.Sequential()
        if stride > 1:
            self.around.append(nn.AvgPool2d(stride, ceil_mode=True))
        if inputs != outputs:
            self.around.extend([nn.Conv2d(inputs, outputs, 1, bias=False), nn.BatchNorm2d(outputs)])

    def forward(self, maps: Tensor) -> Tensor:
        """``(n, inputs, y, x)`` to ``(n, outputs, y / stride, x / stride)``, rounded up."""
        return silu(self.around(maps) + self.inner(maps))


class MeanAndMaximum(nn.Module):
    """The mean of each map, then the maximum of each."""

    def forward(self, maps: Tensor) -> Tensor:
        """``(n, maps, y, x)`` to ``(n, 2 · maps)``."""
        return torch.cat([maps.mean(dim=(2, 3)), maps.amax(dim=(2, 3))], dim=1)
