"""VGG-11, 13, 16 or 19 by transfer (Simonyan & Zisserman 2015, arXiv:1409.1556), with batch normalization or without.

Small convolutions of 3 × 3 in five blocks, a max pooling after each; torchvision's features, and the article's
classifier with its two hidden layers of 4096. The blocks keep torchvision's numbers for their layers, so that its
weights fit. The last pooling stands behind the features here: Grad-CAM looks at the maps before it, twice as fine.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import TYPE_CHECKING, Literal

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
"""Smaller pictures do not survive the five poolings."""

LAST_MAPS = "features"
"""The last activation maps that still know where: what Grad-CAM looks at."""

BLOCKS = ("features.block5", "features.block4", "features.block3", "features.block2", "features.block1")
"""From the last to the first: the order in which they are unfrozen."""


class Settings(TransferSettings):
    """How deep, the size of the new classifier, and where the features come from."""

    layers: Literal[11, 13, 16, 19] = Field(default=11, description="Of convolutions, and the three of the classifier.")
    batch_norm: bool = Field(
        default=True, description="After each convolution. From scratch, VGG hardly learns without."
    )

    @property
    def original(self) -> Original:
        """VGG of torchvision with as many layers, whose features are not in blocks."""
        name = f"VGG-{self.layers}{' with batch normalization' if self.batch_norm else ''}"
        return Original(name, f"{_name(self)}-*.pth", lambda ours: re.sub(r"block\d\.", "", ours))


def build_network(settings: Settings, *, classes: int, seed: int) -> BuiltNetwork:
    """VGG with a new classifier, and ImageNet's features when there are any. Raises as `tasks.deep.transfer`."""
    network = architecture(settings, classes=classes)
    return filled(network, settings, blocks=BLOCKS, seed=seed)


def architecture(settings: Settings, *, classes: int) -> nn.Module:
    """The layers without numbers (on torch's device ``meta``), for weights that are loaded next.

    Raises
    ------
    ValueError
        With fewer than two classes.
    """
    import torch
    from torch import nn
    from torchvision import models

    with torch.device("meta"):
        theirs = getattr(models, _name(settings))()
        network: nn.Module = theirs
        *features, (_, last_pooling) = theirs.features.named_children()
        network.features = _in_blocks(features)
        network.avgpool = nn.Sequential(last_pooling, theirs.avgpool)
        network.classifier = new_classifier(512 * 7 * 7, settings, classes=classes)
        if settings.grey:
            look_at_grey(network)
    return network


def weights_digest(settings: Settings) -> str | None:
    """Hex SHA-256 of the weights that `build_network` will use, if any."""
    return digest_of_weights(settings)


def _name(settings: Settings) -> str:
    """As torchvision calls it: ``"vgg11"``, ``"vgg11_bn"``."""
    return f"vgg{settings.layers}{'_bn' if settings.batch_norm else ''}"


def _in_blocks(layers: Iterable[tuple[str, nn.Module]]) -> nn.Sequential:
    """The layers in blocks, each but the first beginning with the pooling that ends the one before it."""
    from torch import nn

    blocks = [nn.Sequential()]
    for number, layer in layers:
        if isinstance(layer, nn.MaxPool2d):
            blocks.append(nn.Sequential())
        blocks[-1].add_module(number, layer)
    named = nn.Sequential()
    for place, block in enumerate(blocks, start=1):
        named.add_module(f"block{place}", block)
    return named
