"""A network with all that changes it: one step of learning, and the state that a checkpoint keeps.

- *AdamW* (Loshchilov & Hutter 2019, arXiv:1711.05101); biases and the scales of normalizations do not decay.
- *Mixed precision* (Micikevicius et al. 2018, arXiv:1710.03740): the network multiplies in fewer bits; weights,
  losses and sums stay in float32.
- *Channels last*: the same numbers, stored as the fast convolutions want them.
- *Moving average* of the weights (Polyak & Juditsky 1992, doi:10.1137/0330046; exponential, as in arXiv:1703.01780):
  ``kept ← d · kept + (1 − d) · now`` after each step. In the beginning ``d`` is no more than ``(1 + n) / (10 + n)``
  after ``n`` steps, so that the first random weights are soon forgotten.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from tasks.deep.precision import autocast, precision_for
from tasks.train.engine_settings import EngineSettings
from tasks.train.lesson import Batch, Lesson
from tasks.train.team import ALONE, Team

if TYPE_CHECKING:
    import torch
    from torch import Tensor, nn, optim


class Learner:
    """A network that learns a lesson, step by step, in place."""

    def __init__(
        self, network: nn.Module, lesson: Lesson, settings: EngineSettings, *, device: str, team: Team = ALONE
    ) -> None:
        import torch

        self.network = network.to(device)
        self.precision = precision_for(settings.precision, device)
        self._lesson, self._settings, self._device, self._team = lesson, settings, device, team
        self._format = _format_of(network) if settings.channels_last else torch.contiguous_format
        network.to(memory_format=self._format)
        self._optimizer = optimizer_of(network, settings)
        self._scaler = torch.amp.GradScaler(torch.device(device).type, enabled=self.precision == "float16")
        self._average = averaged(network, settings.ema) if settings.ema else None

    @property
    def examined(self) -> nn.Module:
        """The network that is examined and kept: the moving average where there is one."""
        return self.network if self._average is None else self._average.module

    def learn(self, parts: Iterable[Batch], *, weight: float, rate: float) -> dict[str, Tensor]:
        """One step, made of some parts, whose gradients add up, over all of the team. Returns what the lesson tallied.

        ``weight``: what the sum of all losses is divided by; ``rate``: the learning rate.
        """
        from torch.nn.utils import clip_grad_norm_

        set_learning(self.network)
        for group in self._optimizer.param_groups:
            group["lr"] = rate
        self._optimizer.zero_grad()
        sums: dict[str, Tensor] = {}
        for part in parts:
            for name, value in self._backward(part, weight).items():
                sums[name] = sums[name] + value if name in sums else value
        self._team.add_up([one.grad for one in self.network.parameters() if one.grad is not None])
        self._scaler.unscale_(self._optimizer)
        clip_grad_norm_(self.network.parameters(), self._settings.gradient_norm)
        self._scaler.step(self._optimizer)
        self._scaler.update()
        if self._average is not None:
            self._average.update_parameters(self.network)
        return sums

    def forget(self) -> None:
        """Let go of what an unfinished step has left in memory."""
        self._optimizer.zero_grad()

    def state(self) -> dict[str, Any]:
        """All that the next step depends on."""
        return {
            "network": self.network.state_dict(),
            "optimizer": self._optimizer.state_dict(),
            "scaler": self._scaler.state_dict(),
            "average": None if self._average is None else self._average.state_dict(),
        }

    def restore(self, state: dict[str, Any]) -> None:
        """Go on from a state."""
        self.network.load_state_dict(state["network"])
        self._optimizer.load_state_dict(state["optimizer"])
        self._scaler.load_state_dict(state["scaler"])
        if self._average is not None:
            self._average.load_state_dict(state["average"])

    def end(self, weights: dict[str, Tensor]) -> None:
        """Put the weights that are kept into the network, as other code expects to find them."""
        import torch

        self.network.load_state_dict(weights)
        self.network.to(memory_format=torch.contiguous_format).eval()

    def _backward(self, part: Batch, weight: float) -> dict[str, Tensor]:
        inputs = part.inputs
        if inputs.ndim in (4, 5):
            inputs = inputs.contiguous(memory_format=self._format)
        with autocast(self.precision, self._device):
            outputs = self.network(inputs)
        outputs = _each(outputs, lambda one: one.float())
        loss = self._lesson.loss(outputs, part.answers) / weight
        self._scaler.scale(loss).backward()  # type: ignore[no-untyped-call]
        return self._lesson.tally(_each(outputs, lambda one: one.detach()), part.answers)


def optimizer_of(network: nn.Module, settings: EngineSettings) -> optim.Optimizer:
    """AdamW on what may change; biases do not decay. Raises ``ValueError`` where nothing may."""
    from torch.optim import AdamW

    trained = [parameter for parameter in network.parameters() if parameter.requires_grad]
    if not trained:
        raise ValueError("nothing can be learned: every parameter of the network is frozen")
    groups = [
        {"params": [one for one in trained if one.ndim > 1], "weight_decay": settings.weight_decay},
        {"params": [one for one in trained if one.ndim <= 1], "weight_decay": 0.0},
    ]
    return AdamW(groups, lr=settings.learning_rate, fused=True)


def averaged(network: nn.Module, decay: float) -> torch.optim.swa_utils.AveragedModel:
    """A copy of a network that keeps the moving average of its weights."""
    import torch
    from torch.optim.swa_utils import AveragedModel

    def average(kept: Any, now: Any, steps: Tensor | int) -> None:
        steps = torch.as_tensor(steps, dtype=torch.float32)
        share = 1 - ((1 + steps) / (10 + steps)).clamp(max=decay)
        for mine, theirs in zip(kept, now, strict=True):
            mine.lerp_(theirs, share.to(mine.dtype))

    return AveragedModel(network, multi_avg_fn=average)


def share_of_rate(done: float, warm_up: float) -> float:
    """Part of the highest learning rate when a part ``done`` of all steps is done: up in a line, down as a cosine.

    The cosine is of arXiv:1608.03983, without restarts.
    """
    if done < warm_up:
        return done / warm_up
    return (1 + math.cos(math.pi * (done - warm_up) / (1 - warm_up))) / 2


def set_learning(network: nn.Module) -> None:
    """Training mode, but for modules that are frozen: a batch normalization that stays must not count on either."""
    network.train()
    for module in network.modules():
        own = list(module.parameters(recurse=False))
        if own and not any(parameter.requires_grad for parameter in own):
            module.eval()


def _format_of(network: nn.Module) -> torch.memory_format:
    import torch

    volumes = any(parameter.ndim == 5 for parameter in network.parameters())
    return torch.channels_last_3d if volumes else torch.channels_last


def _each(outputs: Any, change: Any) -> Any:
    """The same change to one tensor, or to each of several."""
    return type(outputs)(map(change, outputs)) if isinstance(outputs, (list, tuple)) else change(outputs)
