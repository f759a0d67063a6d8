"""Transfer: a network of torchvision keeps its features and gets a new classifier.

*Features* are the convolutions of a network; its *classifier* is all that follows them. Every network of pictures has
these two children, takes ``(n, 3, y, x)`` float32 and returns logits ``(n, classes)``. Where ImageNet's weights are at
hand, the features start with them, and stay as they are or learn on, block by block; the classifier is always new, and
always what is trained. Without such weights everything learns from random numbers. Nothing is ever downloaded: a
hospital's machine may be offline, and the model of a night must not depend on a server.

*Grey*: X-rays, CT, MR and ultrasound show the same number in red, green and blue. A network for grey pictures looks at
one channel, and its first convolution is the sum over the kernels of red, green and blue: the same answers, at a third
of that layer's cost. It takes a picture with three channels as well, and looks at their mean.

The source article says that only the last layer is replaced and that the new layers are not updated. Its code replaces
the whole classifier, as this file does, and layers of random numbers that never learn would be of no use.
"""

from __future__ import annotations

import os
from abc import abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import BeforeValidator, Field

from tasks.deep.weights import read_weights, weights_sha256
from tasks.settings import StageSettings

if TYPE_CHECKING:
    from torch import Tensor, nn


@dataclass(frozen=True)
class Original:
    """The network of torchvision that one is made from.

    Attributes
    ----------
    name
        As people call it, for messages.
    cached
        Pattern of its file in torchvision's cache, e.g. ``"alexnet-*.pth"``.
    tensor
        From the name of one of our tensors in the features to torchvision's.
    """

    name: str
    cached: str
    tensor: Callable[[str], str] = str


def _of_a_bool(value: Any) -> Any:
    """``freeze`` was yes or no once; networks that were saved then still say so."""
    return {True: "all", False: "none"}[value] if isinstance(value, bool) else value


Freeze = Annotated[Literal["all", "progressive", "none"], BeforeValidator(_of_a_bool)]


class TransferSettings(StageSettings):
    """The new classifier, and where the features come from. The defaults are the source article's."""

    hidden: int = Field(default=4096, ge=0, description="Units of each of the two hidden layers; 0: no hidden layers.")
    dropout: float = Field(default=0.5, ge=0, lt=1, description="Part of the units left out before each layer.")
    grey: bool = Field(default=False, description="Look at one channel, the mean of red, green and blue.")
    weights: Path | None = Field(
        default=None,
        description="ImageNet weights: a .safetensors or torchvision .pth file. None: torchvision's cache, if filled.",
    )
    freeze: Freeze = Field(
        default="all",
        description="Features that came with weights: all stay as they are, learn on one block after the other from "
        "the last to the first, or none stays. true and false are read as all and none.",
    )

    @property
    @abstractmethod
    def original(self) -> Original:
        """What these settings make their network from; each network says it of its own."""


@dataclass(frozen=True, eq=False)
class BuiltNetwork:
    """A network ready to be trained.

    Attributes
    ----------
    network
        Takes ``(n, 3, y, x)`` float32; returns logits ``(n, classes)``. Has the children ``features`` and
        ``classifier``.
    trained
        Names of the parameters that training may change from its start; the others do not ask for gradients.
    pretrained
        Whether the features came with weights.
    note
        One sentence on where the weights came from, for the report.
    blocks
        Submodules of the features that are frozen now and shall learn later, from the last to the first; together all
        of the features. Empty unless features with weights are to be unfrozen progressively. To unfreeze one:
        ``network.get_submodule(block).requires_grad_(True)``.
    """

    network: nn.Module
    trained: tuple[str, ...]
    pretrained: bool
    note: str
    blocks: tuple[str, ...] = ()


def new_classifier(units: int, settings: TransferSettings, *, classes: int) -> nn.Sequential:
    """The article's head: two hidden layers, dropout before each, and a last layer; or without the hidden ones.

    Parameters
    ----------
    units
        Numbers that the features give for each picture.

    Raises
    ------
    ValueError
        With fewer than two classes.
    """
    from torch import nn

    if classes < 2:
        raise ValueError(f"a classifier needs at least 2 classes; got {classes}")
    if not settings.hidden:
        return nn.Sequential(nn.Dropout(settings.dropout), nn.Linear(units, classes))
    return nn.Sequential(
        nn.Dropout(settings.dropout),
        nn.Linear(units, settings.hidden),
        nn.ReLU(inplace=True),
        nn.Dropout(settings.dropout),
        nn.Linear(settings.hidden, settings.hidden),
        nn.ReLU(inplace=True),
        nn.Linear(settings.hidden, classes),
    )


def look_at_grey(network: nn.Module) -> None:
    """Give a network without numbers yet (on ``meta``) a first convolution of one channel, the mean of those shown."""
    import torch
    from torch import nn

    first = next(layer for layer in network.modules() if isinstance(layer, nn.Conv2d))
    first.in_channels = 1
    first.weight = nn.Parameter(torch.empty_like(first.weight[:, :1]))
    first.register_forward_pre_hook(_mean_of_channels)


def start(network: nn.Module, *, seed: int, nonlinearity: Literal["relu", "tanh", "sigmoid"] = "relu") -> None:
    """Random numbers for a network without any, in place, on the CPU.

    Weights are normal, scaled as He et al. 2015 (doi:10.1109/ICCV.2015.123) have it for ReLU, and by the gain of the
    other activations; biases are zero, the last layer near zero, normalization does nothing yet. torchvision's own
    start loses two thirds of AlexNet's signal in each layer, and without batch normalization nothing brings it back.
    The numbers come from ``seed`` alone; torch's global ones are neither used nor moved.
    """
    import torch
    from torch import nn

    network.to_empty(device="cpu")
    generator = torch.Generator().manual_seed(seed)
    layers = [layer for layer in network.modules() if isinstance(layer, (nn.Conv2d, nn.Linear))]
    for layer in layers:
        nn.init.kaiming_normal_(layer.weight, nonlinearity=nonlinearity, generator=generator)
        if layer.bias is not None:
            nn.init.zeros_(layer.bias)
    nn.init.normal_(layers[-1].weight, std=0.01, generator=generator)
    for norm in network.modules():
        if isinstance(norm, nn.BatchNorm2d):
            norm.reset_parameters()


def filled(network: nn.Module, settings: TransferSettings, *, blocks: tuple[str, ...], seed: int) -> BuiltNetwork:
    """Fill an architecture: random numbers, then the features of the original where there are weights, then frozen.

    Parameters
    ----------
    network
        Without numbers (on ``meta``); filled in place.
    blocks
        Submodules of the features, from the last to the first.

    Raises
    ------
    ValueError
        When the weights file is absent, of another kind, damaged, or not of the original's shapes.
    """
    start(network, seed=seed)
    path = weights_file(settings)
    if path is None:
        note = (
            f"without ImageNet weights: no {settings.original.cached} in torchvision's cache; nothing is frozen, "
            "all layers are trained from scratch"
        )
    else:
        _load_features(network, path, settings.original)
        state = {"all": "frozen", "progressive": "unfrozen block by block", "none": "trained on"}[settings.freeze]
        note = f"features from the ImageNet weights {path.name}, {state}; the classifier is new and trained"
        if settings.freeze != "none":
            _freeze(network.get_submodule("features"))
    trained = tuple(name for name, parameter in network.named_parameters() if parameter.requires_grad)
    later = blocks if path is not None and settings.freeze == "progressive" else ()
    return BuiltNetwork(network, trained, path is not None, note, later)


def weights_file(settings: TransferSettings) -> Path | None:
    """The ImageNet weights that `filled` will use: the settings' file, else torchvision's cache, else none."""
    if settings.weights is not None:
        return settings.weights
    found = sorted(_cache_folder().glob(settings.original.cached))
    return found[-1] if found else None


def digest_of_weights(settings: TransferSettings) -> str | None:
    """Hex SHA-256 of the file that `weights_file` names; part of the key of whatever is trained with it."""
    path = weights_file(settings)
    return None if path is None or not path.is_file() else weights_sha256(path)


def _cache_folder() -> Path:
    """Where torch keeps what was downloaded, as ``torch.hub.get_dir`` says it: asked without importing torch."""
    cache = os.environ.get("XDG_CACHE_HOME", "~/.cache")
    return Path(os.environ.get("TORCH_HOME", f"{cache}/torch")).expanduser() / "hub" / "checkpoints"


def _freeze(features: nn.Module) -> None:
    """No gradients; and batch normalization keeps to ImageNet's means and variances for as long as it is frozen."""
    from torch import nn

    features.requires_grad_(False)
    for layer in features.modules():
        if isinstance(layer, nn.BatchNorm2d):
            layer.register_forward_pre_hook(_still_while_frozen)


def _still_while_frozen(layer: Any, _inputs: tuple[Tensor, ...]) -> None:
    if not layer.weight.requires_grad:
        layer.eval()  # `network.train()` says otherwise before each epoch, and knows nothing of what is frozen


def _mean_of_channels(_layer: nn.Module, inputs: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
    return (inputs[0].mean(dim=1, keepdim=True),)


def _load_features(network: nn.Module, path: Path, original: Original) -> None:
    """Put the features of the original's weights into a network; the original's classifier is not looked at."""
    found = read_weights(path)
    wanted = {
        name: value
        for name, value in network.state_dict().items()
        if name.startswith("features.") and not name.endswith("num_batches_tracked")  # old files do not count them
    }
    missing = sorted(theirs for name in wanted if (theirs := original.tensor(name)) not in found)
    if missing:
        raise ValueError(f"{path.name} holds no weights of {original.name}: {', '.join(missing)} missing")
    taken = {name: _fitting(found[original.tensor(name)], value) for name, value in wanted.items()}
    for name, value in wanted.items():
        if taken[name].shape != value.shape:
            theirs = original.tensor(name)
            raise ValueError(
                f"{path.name} holds no weights of {original.name}: {theirs} has shape {tuple(found[theirs].shape)}; "
                f"expected {tuple(value.shape)}"
            )
    network.load_state_dict(taken, strict=False)


def _fitting(found: Tensor, wanted: Tensor) -> Tensor:
    """Kernels ``(units, 3, y, x)`` summed to ``(units, 1, y, x)`` where one channel is wanted; all else as it is."""
    summed = found.ndim == 4 and found.shape[1] == 3 and wanted.shape[1] == 1
    return found.sum(dim=1, keepdim=True) if summed else found
