"""A convolutional network for patches of volumes: is there a lesion, or only something that looks like one.

In 3-D a patch is one channel ``(z, y, x)``, and kernels and strides are planned from the voxels, so that thick slices
are not treated like thin ones (`tasks.deep.kernel_plan`). In 2.5-D neighbouring slices, or the three planes through a
point (Roth et al. 2014, arXiv:1406.2639), are the channels of a picture: each kernel sees all slices at once, at a
fraction of the cost. Setio et al. 2016 (doi:10.1109/TMI.2016.2536809) and Dou et al. 2017
(doi:10.1109/TBME.2016.2613502) put such networks behind a sensitive finder of candidates, to take away its false
positives.

Batch normalization, not instance normalization: how bright a patch is tells much, and the latter takes it away.
"""

from __future__ import annotations

from collections import OrderedDict
from typing import TYPE_CHECKING

from pydantic import Field

from tasks.deep.kernel_plan import KernelPlan, plan_kernels
from tasks.settings import StageSettings

if TYPE_CHECKING:
    from collections.abc import Sequence

    from torch import nn

    from tasks.deep.transfer import BuiltNetwork

LAST_MAPS = "features"
"""The last activation maps that still know where."""


class Settings(StageSettings):
    """How wide and deep it is; ``plan`` is what `planned` makes of the patches, and needs no word in a study."""

    width: int = Field(default=8, ge=1, description="Maps of the first level; each level down has twice as many.")
    widest: int = Field(default=128, ge=1, description="But no level has more maps than this.")
    levels: int = Field(default=4, ge=1, description="At most; fewer where the patch is small.")
    depth: int = Field(default=2, ge=1, le=4, description="Convolutions of each level.")
    dropout: float = Field(default=0.3, ge=0, lt=1, description="Part of the last means left out while learning.")
    plan: KernelPlan | None = Field(default=None, description="Kernels and strides. None: not planned yet.")


def planned(settings: Settings, *, spacing_mm: Sequence[float], shape: Sequence[int]) -> Settings:
    """The settings with a plan for patches of this shape, ``(z, y, x)`` or ``(y, x)``; a given plan is kept."""
    plan = settings.plan or plan_kernels(spacing_mm, shape, most_levels=settings.levels)
    return settings.model_copy(update={"plan": plan})


def build_patch_network(settings: Settings, *, classes: int, channels: int, seed: int) -> BuiltNetwork:
    """A network ready to be trained from scratch.

    It takes ``(n, channels, z, y, x)`` or ``(n, channels, y, x)``, as its plan has it, and returns logits
    ``(n, classes)``. Convolutions start as He et al. 2015 (doi:10.1109/ICCV.2015.123) have it, the last layer near
    zero. The random numbers come from ``seed`` alone.

    Raises
    ------
    ValueError
        With fewer than two classes, no channel, or settings without a plan.
    """
    import torch
    from torch.nn.modules.batchnorm import _BatchNorm
    from torch.nn.modules.conv import _ConvNd

    from tasks.deep.transfer import BuiltNetwork

    network = architecture(settings, classes=classes, channels=channels).to_empty(device="cpu")
    generator = torch.Generator().manual_seed(seed)
    for layer in network.modules():
        if isinstance(layer, _ConvNd):
            torch.nn.init.kaiming_normal_(layer.weight, nonlinearity="relu", generator=generator)
        elif isinstance(layer, _BatchNorm):
            layer.reset_parameters()
        elif isinstance(layer, torch.nn.Linear):
            torch.nn.init.normal_(layer.weight, std=0.01, generator=generator)
            torch.nn.init.zeros_(layer.bias)
    names = tuple(name for name, _ in network.named_parameters())
    return BuiltNetwork(network, names, pretrained=False, note="all layers are trained from scratch")


def architecture(settings: Settings, *, classes: int, channels: int) -> nn.Module:
    """The layers without numbers (on torch's device ``meta``), for weights that are loaded next.

    Raises ``ValueError`` as `build_patch_network` does.
    """
    import torch
    from torch import nn

    if classes < 2 or channels < 1:
        raise ValueError(f"a classifier needs at least 2 classes and 1 channel; got {classes} and {channels}")
    if settings.plan is None:
        raise ValueError("the network is not planned yet: expected settings with kernels and strides")
    with torch.device("meta"):
        features, maps = _features(settings, settings.plan, channels)
        mean: nn.Module = nn.AdaptiveAvgPool3d(1) if settings.plan.dimensions == 3 else nn.AdaptiveAvgPool2d(1)
        classifier = nn.Sequential(nn.Dropout(settings.dropout), nn.Linear(maps, classes))
        parts: OrderedDict[str, nn.Module] = OrderedDict(
            features=features, mean=mean, flat=nn.Flatten(), classifier=classifier
        )
        return nn.Sequential(parts)


def _features(settings: Settings, plan: KernelPlan, channels: int) -> tuple[nn.Sequential, int]:
    """Levels of convolutions, the first of each with the level's stride, and how many maps come out of them."""
    from torch import nn

    three = plan.dimensions == 3
    convolution = nn.Conv3d if three else nn.Conv2d
    normalization = nn.BatchNorm3d if three else nn.BatchNorm2d
    features, maps = nn.Sequential(), channels
    for number, (kernel, stride) in enumerate(zip(plan.kernels, plan.strides, strict=True)):
        level, width = nn.Sequential(), min(settings.width * 2**number, settings.widest)
        for place in range(settings.depth):
            step = stride if place == 0 else (1,) * plan.dimensions
            padding = tuple(size // 2 for size in kernel)
            level.append(convolution(maps, width, kernel, stride=step, padding=padding, bias=False))  # type: ignore[arg-type]
            level.append(normalization(width))
            level.append(nn.ReLU(inplace=True))
            maps = width
        features.add_module(f"level{number + 1}", level)
    return features, maps
