"""AlexNet for pictures by transfer: torchvision's features kept, the whole classifier replaced.

The network is torchvision's single-tower AlexNet (Krizhevsky 2014, arXiv:1404.5997; first Krizhevsky et al. 2012,
doi:10.1145/3065386). *Features* are its five convolutions; the *classifier* is what follows them: two hidden layers of
4096 units, each after a dropout of one half, and one output per class.

Where the source article is wrong, and what is done here:

- Its text says that only the last layer is replaced; its code, as `tasks.deep.transfer`, replaces the whole classifier.
- It says that the new fully connected layers are not updated. They start from random numbers, so they are what is
  trained; with ImageNet weights the *features* are what stays as it is.
- It puts a Sigmoid between the last layer and the cross-entropy. That squeezes the logits into 0..1, and no class of
  four can be more probable than 0.48. The network here returns logits; cross-entropy takes the softmax itself.
- It takes the arg-max over the wrong dimension. The class of a picture is the arg-max over its own row of logits.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

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

SMALLEST_PX = 63
"""Smaller pictures do not survive the strides and poolings of the features."""

LAST_MAPS = "features.11"
"""The last activation maps that still know where: what Grad-CAM looks at."""

BLOCKS = ("features.10", "features.8", "features.6", "features.3", "features.0")
"""The convolutions, from the last to the first: the order in which they are unfrozen."""


class Settings(TransferSettings):
    """Size of the new classifier, and where the features come from."""

    @property
    def original(self) -> Original:
        """AlexNet of torchvision."""
        return Original("AlexNet", cached="alexnet-*.pth")


def build_network(settings: Settings, *, classes: int, seed: int) -> BuiltNetwork:
    """AlexNet with a new classifier, and ImageNet's features when there are any. Raises as `tasks.deep.transfer`."""
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
    from torchvision.models import AlexNet

    with torch.device("meta"):
        network: nn.Module = AlexNet()
        network.classifier = new_classifier(256 * 6 * 6, settings, classes=classes)
        if settings.grey:
            look_at_grey(network)
    return network


def weights_digest(settings: Settings) -> str | None:
    """Hex SHA-256 of the weights that `build_network` will use, if any."""
    return digest_of_weights(settings)
