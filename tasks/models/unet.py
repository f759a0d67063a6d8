"""U-Net with residual units, for pictures and volumes: what each voxel is.

On the way down each level sees more of the surroundings with less detail; on the way up the detail is put back from the
same level of the way down (Ronneberger et al. 2015, arXiv:1505.04597; in 3-D Çiçek et al. 2016, arXiv:1606.06650). With
residual units a level learns what to change (Kerfoot et al. 2019, doi:10.1007/978-3-030-12029-0_40). Instance
normalization, leaky rectifiers, kernels and strides are nnU-Net's (doi:10.1038/s41592-020-01008-z); the latter two are
planned from the voxels by `tasks.deep.kernel_plan`.

It is put together from MONAI's blocks of those networks. MONAI's ``UNet`` has one kernel for all levels, so it cannot
treat thick slices as such. Its ``DynUNet`` can, but names each tensor twice in its state (files and checkpoints would
hold it twice; safetensors refuses that), draws from torch's global random numbers, and convolves the way up with the
kernel of the level below, where nnU-Net takes the level's own. Otherwise the arithmetic is DynUNet's.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from pydantic import Field

from tasks.deep.kernel_plan import KernelPlan, plan_kernels
from tasks.settings import StageSettings

if TYPE_CHECKING:
    from collections.abc import Sequence

    from torch import nn

    from tasks.deep.transfer import BuiltNetwork

__all__ = ["KernelPlan", "Settings", "architecture", "build_segmenter", "plan_kernels", "planned"]

LEAK = 0.01
"""Slope of the rectifier below zero."""


class Settings(StageSettings):
    """How wide and deep it is; ``plan`` is what `planned` makes of the study's grid, and needs no word in a study."""

    width: int = Field(default=16, ge=1, description="Maps of the first level; each level down has twice as many.")
    widest: int = Field(default=256, ge=1, description="But no level has more maps than this.")
    levels: int = Field(default=5, ge=1, description="At most; fewer where the window is small.")
    residual: bool = Field(default=True, description="Residual units on the way down; else two plain convolutions.")
    dropout: float = Field(default=0.0, ge=0, lt=1, description="Part of the numbers left out behind convolutions.")
    plan: KernelPlan | None = Field(default=None, description="Kernels and strides. None: not planned yet.")

    @property
    def widths(self) -> tuple[int, ...]:
        """Maps of each level of the plan."""
        levels = self.plan.levels if self.plan else 0
        return tuple(min(self.width * 2**level, self.widest) for level in range(levels))


def planned(settings: Settings, *, spacing_mm: Sequence[float], shape: Sequence[int]) -> Settings:
    """The settings with a plan for windows of this shape, ``(z, y, x)`` or ``(y, x)``; a given plan is kept."""
    plan = settings.plan or plan_kernels(spacing_mm, shape, most_levels=settings.levels)
    return settings.model_copy(update={"plan": plan})


def build_segmenter(settings: Settings, *, classes: int, channels: int, seed: int) -> BuiltNetwork:
    """A network ready to be trained from scratch.

    It takes ``(n, channels, z, y, x)`` or ``(n, channels, y, x)``, each axis a multiple of ``settings.plan.divisor``,
    and returns logits of the same axes, ``(n, classes, …)``. Convolutions start as He et al. 2015
    (doi:10.1109/ICCV.2015.123) have it for leaky rectifiers. The random numbers come from ``seed`` alone.

    Parameters
    ----------
    classes
        With the background.
    channels
        Images of the input.

    Raises
    ------
    ValueError
        With fewer than two classes, no channel, or settings without a plan.
    """
    import torch

    from tasks.deep.instance_norm import InstanceNorm
    from tasks.deep.transfer import BuiltNetwork

    network = architecture(settings, classes=classes, channels=channels).to_empty(device="cpu")
    generator = torch.Generator().manual_seed(seed)
    for layer in network.modules():
        if isinstance(layer, torch.nn.modules.conv._ConvNd):
            torch.nn.init.kaiming_normal_(layer.weight, a=LEAK, generator=generator)
            if layer.bias is not None:
                torch.nn.init.zeros_(layer.bias)
        elif isinstance(layer, InstanceNorm):
            layer.reset_parameters()
    names = tuple(name for name, _ in network.named_parameters())
    return BuiltNetwork(network, names, False, "all layers are trained from scratch", ())


def architecture(settings: Settings, *, classes: int, channels: int) -> nn.Module:
    """The layers without numbers (on torch's device ``meta``), for weights that are loaded next.

    Its children are ``features``, all levels, and ``classifier``, one convolution of a single voxel. Raises
    ``ValueError`` as `build_segmenter` does.
    """
    import torch
    from monai.networks.blocks.dynunet_block import UnetOutBlock
    from torch import nn

    from tasks.deep.instance_norm import with_instance_norm

    if classes < 2 or channels < 1:
        raise ValueError(f"a segmenter needs at least 2 classes and 1 channel; got {classes} and {channels}")
    if settings.plan is None:
        raise ValueError("the network is not planned yet: expected settings with kernels and strides")
    with torch.device("meta"):
        network = nn.Sequential()
        network.add_module("features", _level(0, settings, settings.plan, channels))
        network.add_module("classifier", UnetOutBlock(settings.plan.dimensions, settings.widths[0], classes))
        return with_instance_norm(network)


def _level(index: int, settings: Settings, plan: KernelPlan, inputs: int) -> nn.Module:
    """This level and all below: down, through the levels below with a shortcut past them, and up again."""
    from monai.networks.blocks.dynunet_block import UnetBasicBlock, UnetResBlock, get_conv_layer
    from monai.networks.layers.simplelayers import SkipConnection
    from torch import nn

    kernel, width = plan.kernels[index], settings.widths[index]
    usual = {
        "spatial_dims": plan.dimensions,
        "kernel_size": kernel,
        "norm_name": ("group", {"num_groups": width}),  # that is instance normalization
        "act_name": ("leakyrelu", {"inplace": True, "negative_slope": LEAK}),
        "dropout": settings.dropout or None,
    }
    block = UnetResBlock if settings.residual else UnetBasicBlock
    down: nn.Module = block(in_channels=inputs, out_channels=width, stride=plan.strides[index], **usual)
    if index == plan.levels - 1:
        return down
    step = plan.strides[index + 1]
    enlarge = get_conv_layer(
        plan.dimensions,
        settings.widths[index + 1],
        width,
        kernel_size=step,
        stride=step,
        dropout=usual["dropout"],
        act=None,
        norm=None,
        conv_only=False,
        is_transposed=True,
    )
    below = SkipConnection(nn.Sequential(_level(index + 1, settings, plan, width), enlarge))
    return nn.Sequential(down, below, UnetBasicBlock(in_channels=2 * width, out_channels=width, stride=1, **usual))
