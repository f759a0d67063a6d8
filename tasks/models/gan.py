"""Generator and discriminator for patches: in DCGAN's manner, in 2-D and 3-D, told the class.

The *generator* turns random numbers and a class into an image; the *discriminator* says of an image and a class how
real the pair looks. Both are made of convolutions alone (DCGAN: Radford et al. 2016, arXiv:1511.06434). How they are
trained against each other is in `tasks.train.synthesis`. This is no classifier, so it has neither ``build`` nor
``build_network``.

Where this departs from the source, and why:

- The discriminator has no batch normalization: a gradient penalty is about each sample on its own (Gulrajani et al.
  2017, arXiv:1704.00028, section 4). The generator normalizes within each sample (group normalization,
  arXiv:1803.08494), so that a sample does not depend on those made beside it, nor on running means.
- The generator enlarges and then convolves. Transposed convolutions, as the source has them, leave a chequered grain
  that takes long to unlearn (Odena et al. 2016, doi:10.23915/distill.00003).
- The class enters the generator as an embedding beside the random numbers (arXiv:1411.1784), the discriminator as a
  projection: its answer is ``w·f(x) + e(class)·f(x) + b`` (Miyato & Koyama 2018, arXiv:1802.05637).
- Any size is possible. The longest axes are halved first, so that a flat stack of slices keeps its slices until its
  rows and columns are as few. What the doublings of an odd size leave over is cut away evenly.
"""

from __future__ import annotations

from math import prod
from typing import TYPE_CHECKING, Any

from pydantic import Field

from tasks.settings import StageSettings

if TYPE_CHECKING:
    from torch import Tensor, nn

Shape = tuple[int, ...]

SMALLEST = 8
"""An axis with fewer samples is not halved."""
SLOPE = 0.2
"""Of the leaky ReLUs in the discriminator, as in DCGAN."""


class Settings(StageSettings):
    """Size of both networks."""

    latent: int = Field(default=64, ge=1, description="Random numbers that an image is made from.")
    embedding: int = Field(default=16, ge=1, description="Numbers that tell the generator the class.")
    width: int = Field(default=32, ge=8, multiple_of=8, description="Channels next to the image; doubled in each step.")
    widest: int = Field(default=256, ge=8, multiple_of=8, description="Never more channels than this.")


def halvings(shape: Shape) -> list[Shape]:
    """By what each axis is divided in each step from the image down, e.g. ``[(1, 2, 2), (2, 2, 2)]``.

    Raises
    ------
    ValueError
        Unless the shape is ``(y, x)`` or ``(z, y, x)`` with at least 8 samples along an axis.
    """
    if len(shape) not in (2, 3) or max(shape) < SMALLEST or min(shape) < 1:
        raise ValueError(f"expected patches (y, x) or (z, y, x), {SMALLEST} or more along an axis; got {shape}")
    steps = []
    while max(shape) >= SMALLEST:
        longest = max(shape)
        steps.append(tuple(2 if size >= SMALLEST and 2 * size > longest else 1 for size in shape))
        shape = tuple(-(-size // by) for size, by in zip(shape, steps[-1], strict=True))
    return steps


def build_generator(settings: Settings, *, shape: Shape, channels: int, classes: int, seed: int) -> nn.Module:
    """A generator with random weights that depend on the seed alone. Raises as `halvings`.

    Called with ``latent (n, settings.latent)`` float32 and ``labels (n,)`` int64, it returns images
    ``(n, channels, *shape)`` in -1..1.
    """
    import torch

    with torch.random.fork_rng(devices=[]):  # layers start at random when they are made; these numbers are replaced
        return _started(_generator(settings, shape, channels, classes), seed)


def build_discriminator(settings: Settings, *, shape: Shape, channels: int, classes: int, seed: int) -> nn.Module:
    """A discriminator with random weights that depend on the seed alone. Raises as `halvings`.

    Called with images ``(n, channels, *shape)`` and ``labels (n,)`` int64, it returns ``(n,)``: the logit of "real" in
    the original game, the critic's value in Wasserstein's.
    """
    import torch

    with torch.random.fork_rng(devices=[]):
        return _started(_discriminator(settings, shape, channels, classes), seed)


def _generator(settings: Settings, shape: Shape, channels: int, classes: int) -> nn.Module:
    import torch
    from torch import nn

    steps = halvings(shape)
    widths = [channels, *_widths(settings, len(steps))]
    grid = shape
    for step in steps:
        grid = tuple(-(-size // by) for size, by in zip(grid, step, strict=True))
    layers: list[nn.Module] = [nn.Unflatten(1, (widths[-1], *grid)), *_normalized(widths[-1])]
    for level in range(len(steps), 0, -1):
        layers += _doubling(widths[level], widths[level - 1], steps[level - 1])
        layers += _normalized(widths[level - 1]) if level > 1 else [nn.Tanh()]

    class ConditionalGenerator(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.embed = nn.Embedding(classes, settings.embedding)
            self.start = nn.Linear(settings.latent + settings.embedding, widths[-1] * prod(grid))
            self.layers = nn.Sequential(*layers)

        def forward(self, latent: Tensor, labels: Tensor) -> Tensor:
            images: Tensor = self.layers(self.start(torch.cat([latent, self.embed(labels)], dim=1)))
            for axis, size in enumerate(shape, start=2):
                images = images.narrow(axis, (images.shape[axis] - size) // 2, size)
            return images

    return ConditionalGenerator()


def _discriminator(settings: Settings, shape: Shape, channels: int, classes: int) -> nn.Module:
    from torch import nn

    steps = halvings(shape)
    widths = [channels, *_widths(settings, len(steps))]
    layers: list[nn.Module] = []
    grid = shape
    for level, step in enumerate(steps):
        layers += [_halving(widths[level], widths[level + 1], step), nn.LeakyReLU(SLOPE)]
        grid = tuple(size // by for size, by in zip(grid, step, strict=True))

    class ProjectionDiscriminator(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.layers = nn.Sequential(*layers, nn.Flatten())
            self.verdict = nn.Linear(widths[-1] * prod(grid), 1)
            self.embed = nn.Embedding(classes, widths[-1] * prod(grid))

        def forward(self, images: Tensor, labels: Tensor) -> Tensor:
            seen: Tensor = self.layers(images)
            found: Tensor = self.verdict(seen)[:, 0] + (self.embed(labels) * seen).sum(dim=1)
            return found

    return ProjectionDiscriminator()


def _widths(settings: Settings, steps: int) -> list[int]:
    return [min(settings.width * 2**level, settings.widest) for level in range(steps)]


def _halving(inputs: int, outputs: int, step: Shape) -> nn.Module:
    """A convolution that divides each axis by its step."""
    from torch import nn

    kernel = tuple(4 if by == 2 else 3 for by in step)
    convolution: Any = nn.Conv2d if len(step) == 2 else nn.Conv3d
    layer: nn.Module = convolution(inputs, outputs, kernel, stride=step, padding=1)
    return layer


def _doubling(inputs: int, outputs: int, step: Shape) -> list[nn.Module]:
    """Layers that multiply each axis by its step."""
    from torch import nn

    enlarged = nn.Upsample(scale_factor=step, mode="bilinear" if len(step) == 2 else "trilinear")
    return [enlarged, (nn.Conv2d if len(step) == 2 else nn.Conv3d)(inputs, outputs, 3, padding=1)]


def _normalized(channels: int) -> list[nn.Module]:
    from torch import nn

    return [nn.GroupNorm(8, channels), nn.ReLU()]


def _started(network: nn.Module, seed: int) -> nn.Module:
    """The network with He et al.'s start (doi:10.1109/ICCV.2015.123), biases at zero, all drawn from the seed."""
    import torch
    from torch import nn

    generator = torch.Generator().manual_seed(seed)
    for layer in network.modules():
        if isinstance(layer, nn.Embedding):
            nn.init.normal_(layer.weight, std=layer.embedding_dim**-0.5, generator=generator)
        elif isinstance(layer, (nn.Conv2d, nn.Conv3d, nn.Linear)):
            nn.init.normal_(layer.weight, std=(2 / prod(layer.weight.shape[1:])) ** 0.5, generator=generator)
            if layer.bias is not None:
                nn.init.zeros_(layer.bias)
    return network
