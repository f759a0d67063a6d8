"""A convolutional network built from its parts: the one to read first.

LeCun et al. 1998 (doi:10.1109/5.726791) put these parts together; batch normalization (Ioffe & Szegedy 2015,
arXiv:1502.03167) and the mean of each last map before the classifier (Lin et al. 2014, arXiv:1312.4400) came later, and
are what lets so small a network learn from a few hundred pictures.

The parts, in the order in which a picture passes them:

convolution
    Each unit weighs a neighbourhood of 3 × 3 in all maps before it, adds its *bias*, and does the same at every place.
normalization
    Brings each unit's answers to mean 0 and variance 1 over the pictures of a step, then scales and shifts them by two
    numbers that are learned.
activation
    What bends the line: without it two layers would be no more than one. ReLU, tanh or sigmoid.
pooling
    The highest (max) or the mean (average) of each 2 × 2 pixels: half the size, and what moved by a pixel looks the
    same.
fully connected layers
    Weigh all that is left: one output for each class.
softmax
    Makes probabilities of these outputs. It is not in the network: cross-entropy takes it itself, exactly, from the
    plain outputs, and `tasks.deep.networks` takes it when a picture is classified. The source article takes a sigmoid
    here, after which no class of four can be more probable than 0.48.
"""

from __future__ import annotations

from collections import OrderedDict
from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import Field

from tasks.deep.transfer import BuiltNetwork, look_at_grey, start
from tasks.settings import StageSettings

if TYPE_CHECKING:
    from torch import nn

SMALLEST_PX = 16
"""Five blocks halve a picture four times, and something has to be left."""

LAST_MAPS = "features"
"""The last activation maps that still know where: what Grad-CAM looks at."""


class Settings(StageSettings):
    """Which parts, how many, and how large. The defaults have 293 thousand numbers, for a few hundred pictures."""

    grey: bool = Field(default=True, description="Look at one channel, the mean of red, green and blue.")
    widths: tuple[Annotated[int, Field(ge=1)], ...] = Field(
        default=(16, 32, 64, 128), min_length=1, max_length=5, description="Units of each convolution, block by block."
    )
    depth: int = Field(default=2, ge=1, le=4, description="Convolutions in each block.")
    normalization: Literal["batch", "none"] = "batch"
    activation: Literal["relu", "tanh", "sigmoid"] = "relu"
    pooling: Literal["max", "average"] = Field(default="max", description="Between the blocks.")
    hidden: tuple[Annotated[int, Field(ge=1)], ...] = Field(
        default=(), max_length=3, description="Units of fully connected layers before the last one."
    )
    dropout: float = Field(default=0.2, ge=0, lt=1, description="Part of the units left out before each of them.")


def build_network(settings: Settings, *, classes: int, seed: int) -> BuiltNetwork:
    """The network with random numbers of its own seed; all of it is trained."""
    network = architecture(settings, classes=classes)
    start(network, seed=seed, nonlinearity=settings.activation)
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

    if classes < 2:
        raise ValueError(f"a classifier needs at least 2 classes; got {classes}")
    with torch.device("meta"):
        network = nn.Sequential(
            OrderedDict(
                features=_features(settings),
                mean=nn.AdaptiveAvgPool2d(1),
                flat=nn.Flatten(),
                classifier=_classifier(settings, classes),
            )
        )
        if settings.grey:
            look_at_grey(network)
    return network


def weights_digest(settings: Settings) -> str | None:  # noqa: ARG001 - every network is asked this way
    """``None``: nobody has ImageNet weights for this network."""
    return None


def _features(settings: Settings) -> nn.Sequential:
    """Blocks of convolutions, with a pooling before each but the first."""
    from torch import nn

    features = nn.Sequential()
    maps = 3
    for place, width in enumerate(settings.widths, start=1):
        block = nn.Sequential()
        if place > 1:
            block.append(nn.MaxPool2d(2) if settings.pooling == "max" else nn.AvgPool2d(2))
        for _ in range(settings.depth):
            block.append(nn.Conv2d(maps, width, kernel_size=3, padding=1, bias=True))
            if settings.normalization == "batch":
                block.append(nn.BatchNorm2d(width))
            block.append(_activation(settings))
            maps = width
        features.add_module(f"block{place}", block)
    return features


def _classifier(settings: Settings, classes: int) -> nn.Sequential:
    """Fully connected layers, the last one to the classes and without an activation: its outputs are the logits."""
    from torch import nn

    classifier = nn.Sequential()
    units = settings.widths[-1]
    for width in settings.hidden:
        classifier.extend([nn.Dropout(settings.dropout), nn.Linear(units, width), _activation(settings)])
        units = width
    classifier.extend([nn.Dropout(settings.dropout), nn.Linear(units, classes)])
    return classifier


def _activation(settings: Settings) -> nn.Module:
    from torch import nn

    kinds: dict[str, type[nn.Module]] = {"relu": nn.ReLU, "tanh": nn.Tanh, "sigmoid": nn.Sigmoid}
    return kinds[settings.activation]()
