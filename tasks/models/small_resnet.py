"""A small residual network for a few hundred pictures: what its layers add to a picture is learned, not the picture.

Basic blocks of two convolutions with a way around them (He et al. 2016, doi:10.1109/CVPR.2016.90). What differs from
ResNet-18 is what few pictures and no GPU ask for: a twentieth of its numbers; averages before a way around halves its
maps, so that no pixel is skipped (He et al. 2019, doi:10.1109/CVPR.2019.00065, ResNet-D); each block begins almost as
if it were not there. The classifier sees the mean of every map, and its maximum: a small lesion is lost in a mean.
"""

from __future__ import annotations

from collections import OrderedDict
from typing import TYPE_CHECKING, Annotated

from pydantic import Field

from tasks.deep.transfer import BuiltNetwork, look_at_grey, start
from tasks.settings import StageSettings

if TYPE_CHECKING:
    from torch import nn

SMALLEST_PX = 32
"""The stem and three blocks halve a picture four times, and something has to be left."""

LAST_MAPS = "features"
"""The last activation maps that still know where: what Grad-CAM looks at."""


FIRST_SHARE = 0.2
"""What a block adds at first, in standard deviations; 0 would keep its convolutions from learning in the first step."""


class Settings(StageSettings):
    """How many maps. The defaults have 500 thousand numbers."""

    grey: bool = Field(default=True, description="Look at one channel, the mean of red, green and blue.")
    widths: tuple[Annotated[int, Field(ge=1)], ...] = Field(
        default=(24, 48, 96, 144),
        min_length=1,
        max_length=4,
        description="Maps of each block; of the stem as the first.",
    )
    dropout: float = Field(default=0.3, ge=0, lt=1, description="Part of the means and maxima left out.")


def build_network(settings: Settings, *, classes: int, seed: int) -> BuiltNetwork:
    """The network with random numbers of its own seed; all of it is trained."""
    from torch import nn

    network = architecture(settings, classes=classes)
    start(network, seed=seed)
    for block in network.get_submodule("features.blocks").children():
        nn.init.constant_(block.get_submodule("inner.second_norm").weight, FIRST_SHARE)  # type: ignore[arg-type]
    trained = tuple(name for name, _ in network.named_parameters())
    return BuiltNetwork(network, trained, pretrained=False, note="trained from scratch, without ImageNet weights")


def architecture(settings: Settings, *, classes: int) -> nn.Module:
    """The layers without numbers (on torch's device ``meta``), for weights that are loaded next.

    Raises
    ------
    ValueError
        With fewer than two classes.
    """
    import torch
    from torch import nn

    from tasks.models.layers.residual import BasicBlock, MeanAndMaximum

    if classes < 2:
        raise ValueError(f"a classifier needs at least 2 classes; got {classes}")
    first, *rest = settings.widths
    with torch.device("meta"):
        stem = nn.Sequential(nn.Conv2d(3, first, 5, stride=2, padding=2, bias=False), nn.BatchNorm2d(first), nn.SiLU())
        pairs = zip(settings.widths, rest, strict=False)
        blocks = nn.Sequential(BasicBlock(first, first), *(BasicBlock(one, other, stride=2) for one, other in pairs))
        classifier = nn.Sequential(nn.Dropout(settings.dropout), nn.Linear(2 * settings.widths[-1], classes))
        network = nn.Sequential(
            OrderedDict(
                features=nn.Sequential(OrderedDict(stem=stem, blocks=blocks)),
                pooled=MeanAndMaximum(),
                classifier=classifier,
            )
        )
        if settings.grey:
            look_at_grey(network)
    return network


def weights_digest(settings: Settings) -> str | None:  # noqa: ARG001 - every network is asked this way
    """``None``: nobody has ImageNet weights for this network."""
    return None
