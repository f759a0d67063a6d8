"""AlexNet for pictures by transfer: torchvision's features kept, the whole classifier replaced.

The network is torchvision's single-tower AlexNet (Krizhevsky 2014, arXiv:1404.5997; first Krizhevsky et al. 2012,
doi:10.1145/3065386). *Features* are its five convolutions; the *classifier* is what follows them: two hidden layers of
4096 units, each after a dropout of one half, and one output per class.

Where the source article is wrong, and what is done here:

- Its text says that only the last layer is replaced; its code, as this file, replaces the whole classifier.
- It says that the new fully connected layers are not updated. They start from random numbers, so they are what is
  trained; with ImageNet weights the *features* are what stays as it is.
- It puts a Sigmoid between the last layer and the cross-entropy. That squeezes the logits into 0..1, and no class of
  four can be more probable than 0.48. The network here returns logits; cross-entropy takes the softmax itself.
- It takes the arg-max over the wrong dimension. The class of a picture is the arg-max over its own row of logits.

Without ImageNet weights everything is trained from scratch. Nothing is ever downloaded: a hospital's machine may be
offline, and the model of a night must not depend on a server.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from pydantic import Field

from tasks.settings import StageSettings
from tasks.weights import read_weights, weights_sha256

if TYPE_CHECKING:
    from torch import Generator, nn

SMALLEST_PX = 63
"""Smaller pictures do not survive the strides and poolings of the features."""

LAST_MAPS = "features.11"
"""The last activation maps that still know where: what Grad-CAM looks at."""


class Settings(StageSettings):
    """Size of the new classifier, and where the features come from."""

    hidden: int = Field(default=4096, ge=1, description="Units of each of the two hidden layers.")
    dropout: float = Field(default=0.5, ge=0, lt=1, description="Part of the units left out in each training step.")
    weights: Path | None = Field(
        default=None,
        description="ImageNet weights: a .safetensors or torchvision .pth file. None: torchvision's cache, if filled.",
    )
    freeze: bool = Field(default=True, description="Leave features that came with weights as they are.")


@dataclass(frozen=True, eq=False)
class BuiltNetwork:
    """A network ready to be trained.

    Attributes
    ----------
    network
        Takes ``(n, 3, y, x)`` float32, at least 63 × 63; returns logits ``(n, classes)``.
    trained
        Names of the parameters that training may change; the others do not ask for gradients.
    pretrained
        Whether the features came with weights.
    note
        One sentence on where the weights came from, for the report.
    """

    network: nn.Module
    trained: tuple[str, ...]
    pretrained: bool
    note: str


def build_network(settings: Settings, *, classes: int, seed: int) -> BuiltNetwork:
    """AlexNet with a new classifier, and ImageNet's features when there are any.

    New layers start as He et al. 2015 (doi:10.1109/ICCV.2015.123) have it, biases at zero, the last layer near zero:
    torchvision's own start loses two thirds of the signal in each layer, and without batch normalization nothing brings
    it back. The random numbers come from ``seed`` alone; torch's global ones are neither used nor moved.

    Raises
    ------
    ValueError
        When the weights file is absent, of another kind, damaged, or not of AlexNet's shapes.
    """
    import torch

    network = architecture(settings, classes=classes).to_empty(device="cpu")
    _start(network, torch.Generator().manual_seed(seed))
    path = weights_file(settings)
    if path is None:
        note = "no ImageNet weights in torchvision's cache; nothing is frozen, all layers are trained from scratch"
    else:
        _load_features(network, path)
        state = "frozen" if settings.freeze else "trained on"
        note = f"features from the ImageNet weights {path.name}, {state}; the classifier is new and trained"
        network.features.requires_grad_(not settings.freeze)
    trained = tuple(name for name, parameter in network.named_parameters() if parameter.requires_grad)
    return BuiltNetwork(network, trained, path is not None, note)


def architecture(settings: Settings, *, classes: int) -> nn.Module:
    """The layers without numbers (on torch's device ``meta``), for weights that are loaded next.

    Raises
    ------
    ValueError
        With fewer than two classes.
    """
    import torch
    from torch import nn
    from torchvision.models import AlexNet

    if classes < 2:
        raise ValueError(f"a classifier needs at least 2 classes; got {classes}")
    with torch.device("meta"):
        network: nn.Module = AlexNet()
        network.classifier = nn.Sequential(
            nn.Dropout(settings.dropout),
            nn.Linear(256 * 6 * 6, settings.hidden),
            nn.ReLU(inplace=True),
            nn.Dropout(settings.dropout),
            nn.Linear(settings.hidden, settings.hidden),
            nn.ReLU(inplace=True),
            nn.Linear(settings.hidden, classes),
        )
    return network


def weights_file(settings: Settings) -> Path | None:
    """The ImageNet weights that `build_network` will use: the settings' file, else torchvision's cache, else none."""
    if settings.weights is not None:
        return settings.weights
    found = sorted(_cache_folder().glob("alexnet-*.pth"))
    return found[-1] if found else None


def weights_digest(settings: Settings) -> str | None:
    """Hex SHA-256 of the file that `weights_file` names; part of the key of whatever is trained with it."""
    path = weights_file(settings)
    return None if path is None or not path.is_file() else weights_sha256(path)


def _cache_folder() -> Path:
    """Where torch keeps what was downloaded, as ``torch.hub.get_dir`` says it: asked without importing torch."""
    cache = os.environ.get("XDG_CACHE_HOME", "~/.cache")
    return Path(os.environ.get("TORCH_HOME", f"{cache}/torch")).expanduser() / "hub" / "checkpoints"


def _start(network: nn.Module, generator: Generator) -> None:
    from torch import nn

    layers = [layer for layer in network.modules() if isinstance(layer, (nn.Conv2d, nn.Linear))]
    for layer in layers:
        nn.init.kaiming_normal_(layer.weight, nonlinearity="relu", generator=generator)
        if layer.bias is not None:
            nn.init.zeros_(layer.bias)
    nn.init.normal_(layers[-1].weight, std=0.01, generator=generator)


def _load_features(network: nn.Module, path: Path) -> None:
    """Put the features of a whole AlexNet's weights into a network; its classifier is not looked at."""
    found = read_weights(path)
    wanted = {name: value for name, value in network.state_dict().items() if name.startswith("features.")}
    missing = sorted(set(wanted) - set(found))
    if missing:
        raise ValueError(f"{path.name} holds no weights of AlexNet: {', '.join(missing)} missing")
    for name, value in wanted.items():
        if found[name].shape != value.shape:
            raise ValueError(
                f"{path.name} holds no weights of AlexNet: {name} has shape {tuple(found[name].shape)}; "
                f"expected {tuple(value.shape)}"
            )
    network.load_state_dict({name: found[name] for name in wanted}, strict=False)
