"""ResNet-18 by transfer (He et al. 2016, doi:10.1109/CVPR.2016.90): torchvision's features, a new classifier.

Its convolutions learn what is to be added to the maps before them. The classifier is one linear layer on the mean of
each map, as in the original; ``hidden = 4096`` puts the article's two hidden layers in its place.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from pydantic import Field

from tasks.deep.transfer import (
    BuiltNetwork,
    Original,
    TransferSettings,
    digest_of_weights,
    filled,
    look_at_grey,
    new_classifier,
)

if TYPE_CHECKING:
    from torch import nn

SMALLEST_PX = 32
"""Smaller pictures end in maps of a single pixel, or less."""

LAST_MAPS = "features"
"""The last activation maps that still know where: what Grad-CAM looks at."""

STAGES = ("layer4", "layer3", "layer2", "layer1")

BLOCKS = tuple(f"features.{name}" for name in (*STAGES, "stem"))
"""From the last to the first: the order in which they are unfrozen."""


class Settings(TransferSettings):
    """Size of the new classifier, and where the features come from."""

    hidden: int = Field(default=0, ge=0, description="Units of each of the two hidden layers; 0: no hidden layers.")
    dropout: float = Field(default=0.2, ge=0, lt=1, description="Part of the units left out before each layer.")

    @property
    def original(self) -> Original:
        """ResNet-18 of torchvision, whose stem is no child of its own, and whose features have no name together."""
        return Original("ResNet-18", "resnet18-*.pth", lambda ours: re.sub(r"^features\.(stem\.)?", "", ours))


def build_network(settings: Settings, *, classes: int, seed: int) -> BuiltNetwork:
    """ResNet-18 with a new classifier, and ImageNet's features when there are any. Raises as `tasks.deep.transfer`."""
    network = architecture(settings, classes=classes)
    return filled(network, settings, blocks=BLOCKS, seed=seed)


def architecture(settings: Settings, *, classes: int) -> nn.Module:
    """The layers without numbers (on torch's device ``meta``), for weights that are loaded next.

    Raises
    ------
    ValueError
        With fewer than two classes.
    """
    from collections import OrderedDict

    import torch
    from torch import nn
    from torchvision.models import resnet18

    with torch.device("meta"):
        theirs = resnet18()
        stem = nn.Sequential(
            OrderedDict((name, theirs.get_submodule(name)) for name in ("conv1", "bn1", "relu", "maxpool"))
        )
        stages = [(name, theirs.get_submodule(name)) for name in reversed(STAGES)]
        network = nn.Sequential(
            OrderedDict(
                features=nn.Sequential(OrderedDict([("stem", stem), *stages])),
                mean=nn.AdaptiveAvgPool2d(1),
                flat=nn.Flatten(),
                classifier=new_classifier(512, settings, classes=classes),
            )
        )
        if settings.grey:
            look_at_grey(network)
    return network


def weights_digest(settings: Settings) -> str | None:
    """Hex SHA-256 of the weights that `build_network` will use, if any."""
    return digest_of_weights(settings)
