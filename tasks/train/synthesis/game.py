"""The game of two networks: a discriminator learns to tell real from generated, a generator to make that hard.

In each step the discriminator learns once or some times, then the generator once (Goodfellow et al. 2014,
arXiv:1406.2661, algorithm 1; with a penalty Gulrajani et al. 2017, arXiv:1704.00028, algorithm 1). The losses, and what
the source article gets wrong about them, are in `tasks.train.synthesis.losses`. The images are made by a moving average
of the generator's weights (arXiv:1806.04498): the two networks circle each other, and an average lies in the middle.

On the CPU the same images, settings, seed and number of threads give the same weights, bit for bit, whether the
training was interrupted or not.
"""

from __future__ import annotations

import copy
import math
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from storage.keys import digest
from tasks.deep.precision import autocast
from tasks.train.checkpoint import read_checkpoint, write_checkpoint
from tasks.train.synthesis import losses
from tasks.train.synthesis.draws import Draw, IntArray, disturbed, draw, mirrored
from tasks.train.synthesis.settings import SynthesisSettings

if TYPE_CHECKING:
    from torch import Tensor, nn, optim


@dataclass(frozen=True)
class Moment:
    """One point of the curves: means over the steps since the one before.

    ``verdict_*``: mean verdict on real and generated images. ``penalty``: without its weight; 0 in the original game.
    """

    step: int
    discriminator_loss: float
    generator_loss: float
    penalty: float
    verdict_real: float
    verdict_generated: float


@dataclass(frozen=True, eq=False)
class Game:
    """Both networks with their optimizers, the average of the generator, and what is played with."""

    generator: nn.Module
    discriminator: nn.Module
    average: nn.Module
    learns_generator: optim.Optimizer
    learns_discriminator: optim.Optimizer
    images: Tensor
    labels: Tensor
    rows_of: tuple[IntArray, ...]
    latent: int
    settings: SynthesisSettings
    seed: int
    device: str

    def draw(self, step: int, turn: int) -> Draw:
        """What chance decides in a turn of a step."""
        return draw(self.rows_of, self.settings, self.latent, place=(self.seed, step, turn), device=self.device)


def play(
    generator: nn.Module,
    discriminator: nn.Module,
    images: Tensor,
    labels: Tensor,
    settings: SynthesisSettings,
    *,
    latent: int,
    seed: int,
    device: str = "cpu",
    checkpoint: Path | None = None,
    checkpoint_every_s: float = 60.0,
    on_moment: Callable[[Moment], None] | None = None,
) -> tuple[nn.Module, tuple[Moment, ...]]:
    """Train both networks in place; returns the average of the generator, in evaluation mode, and the curves.

    Parameters
    ----------
    generator
        From ``latent (n, latent)`` and ``labels (n,)`` to images.
    discriminator
        From images and labels to verdicts ``(n,)``.
    images, labels
        What is learned from: ``(n, …)`` float32, ``(n,)`` int64.
    checkpoint
        File that outlives a killed process; what it holds of this very training is not done again. ``None``: none.

    Raises
    ------
    FloatingPointError
        When a loss is no longer a number.
    """
    game = _prepared(generator, discriminator, images, labels, settings, latent, seed, device)
    identity = _identity(game)
    first, history = _resumed(game, checkpoint, identity)
    for moment in history:
        if on_moment is not None:
            on_moment(moment)
    seen: list[tuple[float, ...]] = []
    written = time.monotonic()
    for step in range(first, settings.steps):
        for turn in range(settings.verdicts_each):
            found = _teach_discriminator(game, game.draw(step, turn))
        seen.append((*found, _teach_generator(game, game.draw(step, settings.verdicts_each))))
        _follow(game.average, game.generator, settings.average, step)
        last = step + 1 == settings.steps
        if last or (step + 1) % settings.record_every == 0:
            history.append(_moment(step + 1, seen))
            seen = []
            if on_moment is not None:
                on_moment(history[-1])
            if checkpoint is not None and (last or time.monotonic() - written > checkpoint_every_s):
                write_checkpoint(checkpoint, _content(game, identity, step + 1, history))
                written = time.monotonic()
    return game.average.eval(), tuple(history)


def _teach_discriminator(game: Game, chance: Draw) -> tuple[float, float, float, float]:
    """One step of the discriminator: its loss without penalty, the penalty, and both mean verdicts."""
    import torch

    settings = game.settings
    real, labels = game.images[chance.rows], game.labels[chance.rows]
    real = mirrored(real, chance.mirrored) if settings.flip else real
    with torch.no_grad(), autocast(settings.precision, game.device):
        generated = game.generator(chance.latent, labels).float()
    shown = disturbed(torch.cat([real, generated]), settings, chance.rng)
    with autocast(settings.precision, game.device):
        verdicts = game.discriminator(shown, torch.cat([labels, labels])).float()
    real, generated = shown.chunk(2)
    on_real, on_generated = verdicts.chunk(2)
    if settings.method == "wgan_gp":
        loss = losses.wasserstein_discriminator_loss(on_real, on_generated)
        penalty = losses.interpolated_penalty(game.discriminator, real, generated, labels, chance.share)
    else:
        loss = losses.original_discriminator_loss(on_real, on_generated)
        penalty = (
            losses.real_penalty(game.discriminator, real, labels) if settings.method == "r1" else torch.zeros_like(loss)
        )
    game.learns_discriminator.zero_grad()
    (loss + settings.weight * penalty).backward()  # type: ignore[no-untyped-call]
    game.learns_discriminator.step()
    return (
        float(loss.detach()),
        float(penalty.detach()),
        float(on_real.detach().mean()),
        float(on_generated.detach().mean()),
    )


def _teach_generator(game: Game, chance: Draw) -> float:
    """One step of the generator, against the discriminator as it is now: its loss."""
    settings, labels = game.settings, game.labels[chance.rows]
    with autocast(settings.precision, game.device):
        generated = disturbed(game.generator(chance.latent, labels), settings, chance.rng)
        verdicts = game.discriminator(generated, labels).float()
    wasserstein = settings.method == "wgan_gp"
    loss = (losses.wasserstein_generator_loss if wasserstein else losses.original_generator_loss)(verdicts)
    game.learns_generator.zero_grad()
    loss.backward(inputs=list(game.generator.parameters()))  # type: ignore[no-untyped-call]
    game.learns_generator.step()
    return float(loss.detach())


def _follow(average: nn.Module, generator: nn.Module, share: float, step: int) -> None:
    """Move the average towards the generator; faster at first, so that it forgets the start."""
    import torch

    share = min(share, (1 + step) / (10 + step))
    with torch.no_grad():
        for mean, now in zip(average.parameters(), generator.parameters(), strict=True):
            mean.lerp_(now, 1 - share)


def _moment(step: int, seen: list[tuple[float, ...]]) -> Moment:
    loss, penalty, real, generated, generator_loss = (float(np.mean(values)) for values in zip(*seen, strict=True))
    if not math.isfinite(loss + generator_loss):
        raise FloatingPointError(f"the training of the generator diverged before step {step}; lower its learning_rate")
    return Moment(step, loss, generator_loss, penalty, real, generated)


def _prepared(
    generator: nn.Module,
    discriminator: nn.Module,
    images: Tensor,
    labels: Tensor,
    settings: SynthesisSettings,
    latent: int,
    seed: int,
    device: str,
) -> Game:
    from torch.optim import Adam

    generator, discriminator = generator.to(device).train(), discriminator.to(device).train()
    known: npt.NDArray[np.int64] = labels.cpu().numpy()

    def optimizer(network: nn.Module) -> optim.Optimizer:
        return Adam(network.parameters(), lr=settings.learning_rate, betas=settings.betas, fused=True)

    return Game(
        generator=generator,
        discriminator=discriminator,
        average=copy.deepcopy(generator).requires_grad_(False),
        learns_generator=optimizer(generator),
        learns_discriminator=optimizer(discriminator),
        images=images.to(device),
        labels=labels.to(device),
        rows_of=tuple(np.flatnonzero(known == label) for label in np.unique(known)),
        latent=latent,
        settings=settings,
        seed=seed,
        device=device,
    )


def _identity(game: Game) -> str:
    """What tells this training from any other: images, classes, settings, seed, and the networks' first weights."""
    import hashlib

    found = hashlib.sha256()
    for network in (game.generator, game.discriminator):
        for value in network.state_dict().values():
            found.update(value.cpu().numpy().tobytes())
    for data in (game.images, game.labels):
        found.update(data.cpu().numpy().tobytes())
    return digest([game.settings, game.seed, found.hexdigest()])


def _parts(game: Game) -> dict[str, Any]:
    names = ("generator", "discriminator", "average", "learns_generator", "learns_discriminator")
    return {name: getattr(game, name) for name in names}


def _content(game: Game, identity: str, step: int, history: list[Moment]) -> dict[str, Any]:
    states = {name: one.state_dict() for name, one in _parts(game).items()}
    return {"identity": identity, "step": step, "history": [asdict(one) for one in history], **states}


def _resumed(game: Game, checkpoint: Path | None, identity: str) -> tuple[int, list[Moment]]:
    """The first step that is left to do, and the curves so far; networks and optimizers are as they were then."""
    content = read_checkpoint(checkpoint, identity=identity) if checkpoint is not None else None
    if content is None:
        return 0, []
    for name, one in _parts(game).items():
        one.load_state_dict(content[name])
    return int(content["step"]), [Moment(**one) for one in content["history"]]
