"""A fitted network, and the class probabilities that it gives pictures.

*Logits* are the network's raw outputs; softmax of logits divided by the *temperature* gives probabilities. One
temperature for all classes cannot change which class is the most probable.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from tasks.deep.device import torch_threads
from tasks.discover import MODELS, part

if TYPE_CHECKING:
    from torch import Tensor, nn

FloatArray = npt.NDArray[np.float64]
Pictures = npt.NDArray[np.uint8]

PREDICTION_BATCH = 64
"""Pictures at a time when nothing is learned: a matter of memory alone."""


@dataclass(frozen=True)
class EpochRecord:
    """One pass over the training pictures. Losses are plain cross-entropies in nats, without smoothing or weights.

    ``training_*`` are of the augmented pictures as they were learned from, with dropout; ``held_out_*`` of the
    pictures kept out, as they are, ``None`` without such pictures.
    """

    epoch: int
    learning_rate: float
    training_loss: float
    training_accuracy: float
    held_out_loss: float | None
    held_out_accuracy: float | None


@dataclass(frozen=True, eq=False)
class FittedNetwork:
    """A network after training, with all that is needed to use it.

    Attributes
    ----------
    state
        Its tensors by name, on the CPU.
    model, options, classes, input_px
        What it is built from: a file of ``tasks/models``, its settings, the number of classes, the side it sees.
    mean, std
        Of the training pictures, per channel (red, green, blue), intensities in 0..1.
    temperature
        By which logits are divided before the softmax.
    average_flips
        Whether the logits of a picture and of its mirror image are averaged.
    pictures, held_out
        How many pictures it learned from, and how many were kept out for the temperature.
    synthetic
        How many synthetic pictures it learned from beside these.
    inner_loss
        Calibrated cross-entropy in nats on the pictures kept out; ``None`` without any.
    history
        One record per epoch.
    note
        One sentence on where its first weights came from.
    phases
        How each phase of the training ended: its epochs, the one that was kept (``None``: the last), the precision of
        its multiplications, and in how many parts a step was computed.
    """

    state: dict[str, Tensor]
    model: str
    options: dict[str, Any]
    classes: int
    input_px: int
    mean: tuple[float, ...]
    std: tuple[float, ...]
    temperature: float
    average_flips: bool
    pictures: int
    held_out: int
    history: tuple[EpochRecord, ...]
    note: str
    phases: tuple[dict[str, Any], ...] = ()
    synthetic: int = 0
    inner_loss: float | None = None

    def facts(self) -> dict[str, Any]:
        """Everything but the tensors, ready for JSON."""
        values = {name: value for name, value in vars(self).items() if name not in ("state", "history")}
        return {**values, "history": [asdict(record) for record in self.history]}

    @classmethod
    def from_facts(cls, state: dict[str, Tensor], facts: dict[str, Any]) -> FittedNetwork:
        """The network again, from its tensors and what `facts` returned (or JSON made of it)."""
        history = tuple(EpochRecord(**record) for record in facts["history"])
        tuples = {name: tuple(facts[name]) for name in ("mean", "std", "phases")}
        return cls(**{**facts, **tuples, "history": history}, state=state)


def predict_network(fitted: FittedNetwork, pictures: Pictures, *, threads: int = 1, device: str = "cpu") -> FloatArray:
    """Calibrated probability of each class.

    Parameters
    ----------
    pictures
        ``(n, y, x, 3)`` uint8, of any one size; resized to the network's square.

    Returns
    -------
    ``(n, classes)``; each row sums to 1, and its arg-max is the predicted class.
    """
    from torch.nn.functional import softmax

    with torch_threads(threads):
        planes = planes_of(pictures, fitted.input_px)
        network = rebuilt(fitted).to(device)
        logits = logits_of(
            network, planes, mean=fitted.mean, std=fitted.std, average_flips=fitted.average_flips, device=device
        )
        return np.asarray(softmax(logits.double() / fitted.temperature, dim=1).numpy(), dtype=float)


def planes_of(pictures: Pictures, input_px: int) -> Tensor:
    """Pictures ``(n, y, x, 3)`` as a network takes them: ``(n, 3, input_px, input_px)`` uint8.

    Raises
    ------
    ValueError
        For another shape or dtype, or no picture.
    """
    import torch
    from torch.nn.functional import interpolate

    if pictures.ndim != 4 or pictures.shape[-1] != 3 or pictures.dtype != np.uint8 or not len(pictures):
        raise ValueError(
            f"expected pictures (n, y, x, 3) of uint8, at least one; got {pictures.shape} of {pictures.dtype}"
        )
    planes = torch.from_numpy(np.ascontiguousarray(pictures)).permute(0, 3, 1, 2)
    size = (input_px, input_px)
    parts = [
        interpolate(some, size=size, mode="bilinear", antialias=True) for some in torch.split(planes, PREDICTION_BATCH)
    ]
    return torch.cat(parts).contiguous()


def standardized(planes: Tensor, mean: tuple[float, ...], std: tuple[float, ...]) -> Tensor:
    """Intensities in 0..1, ``(n, 3, y, x)``, to mean 0 and standard deviation 1 of the training pictures."""
    shape = (1, 3, 1, 1)
    return (planes - planes.new_tensor(mean).view(shape)) / planes.new_tensor(std).view(shape)


def logits_of(
    network: nn.Module,
    planes: Tensor,
    *,
    mean: tuple[float, ...],
    std: tuple[float, ...],
    average_flips: bool,
    device: str,
) -> Tensor:
    """Logits ``(n, classes)`` on the CPU, of uint8 planes; the network is left in evaluation mode."""
    import torch

    network.eval()
    found = []
    with torch.inference_mode():
        for some in torch.split(planes, PREDICTION_BATCH):
            inputs = standardized(some.to(device).float() / 255, mean, std)
            logits = network(inputs)
            if average_flips:
                logits = (logits + network(inputs.flip(-1))) / 2
            found.append(logits.cpu())
    return torch.cat(found)


def rebuilt(fitted: FittedNetwork) -> nn.Module:
    """The network, on the CPU; its tensors are those of ``fitted``."""
    module = part(MODELS, fitted.model)
    settings = module.Settings.model_validate(fitted.options)
    network: nn.Module = module.architecture(settings, classes=fitted.classes)
    network.load_state_dict(fitted.state, assign=True)
    return network
