"""The losses of the two ways to train a generator against a discriminator, each a few lines.

*Verdict*: what the discriminator says of an image, one number. In the **original game** it is the logit of "real", in
**Wasserstein's** a critic's value without a scale.

Where the source article is wrong, and what is done here:

- It reverses the verdicts in the original training: its discriminator learns to call generated images real. Then both
  networks want the same and there is no game. Here the discriminator learns 1 for real and 0 for generated images. What
  may be turned around is the label of generated images in the *generator's* step: that is the non-saturating loss.
- It says that the original training cures vanishing gradients. It has them: ``log(1 - D(G(z)))`` is flat where the
  discriminator is sure, at the start above all. The cure of Goodfellow et al. (2014, arXiv:1406.2661, section 3) is
  that the generator minimizes ``-log D(G(z))`` instead; what remains of the trouble is why the second way was invented.
- It describes the gradient penalty as multiplying the generator's gradient. The penalty is a term *added* to the
  *discriminator's* loss, and what it holds near 1 is the gradient of the verdict with respect to the *image*
  (Gulrajani et al. 2017, arXiv:1704.00028, equation 3). No gradient is multiplied, and the generator's loss has no
  such term.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import Tensor

Discriminator = Callable[["Tensor", "Tensor"], "Tensor"]
"""Verdicts ``(n,)`` of images ``(n, …)`` and their classes ``(n,)``."""


def original_discriminator_loss(real: Tensor, generated: Tensor) -> Tensor:
    """``-log D(x) - log(1 - D(G(z)))``, the means of both, from logits ``(n,)``."""
    from torch.nn.functional import softplus

    return softplus(-real).mean() + softplus(generated).mean()


def original_generator_loss(generated: Tensor) -> Tensor:
    """The non-saturating ``-log D(G(z))`` from logits ``(n,)``: steepest where the generator is worst."""
    from torch.nn.functional import softplus

    return softplus(-generated).mean()


def wasserstein_discriminator_loss(real: Tensor, generated: Tensor) -> Tensor:
    """Minus the critic's estimate of the distance between real and generated images, from its values ``(n,)``."""
    return generated.mean() - real.mean()


def wasserstein_generator_loss(generated: Tensor) -> Tensor:
    """Minus the critic's mean value of generated images ``(n,)``."""
    return -generated.mean()


def interpolated_penalty(
    discriminator: Discriminator, real: Tensor, generated: Tensor, labels: Tensor, share: Tensor
) -> Tensor:
    """WGAN-GP's penalty, without its weight: the mean of ``(|gradient of the verdict| - 1)²`` between the images.

    Parameters
    ----------
    real, generated
        Images ``(n, …)`` of the same classes, ``labels (n,)``.
    share
        ``(n,)`` in 0..1: how much of each real image is in the mixture at which the gradient is taken.
    """
    weight = share.view(-1, *[1] * (real.ndim - 1))
    mixed = (weight * real + (1 - weight) * generated).detach()
    penalty: Tensor = (_gradients(discriminator, mixed, labels).norm(dim=1) - 1).square().mean()
    return penalty


def real_penalty(discriminator: Discriminator, real: Tensor, labels: Tensor) -> Tensor:
    """R1, without its weight: half the mean of ``|gradient of the verdict|²`` at real images ``(n, …)``.

    It goes with the original losses, and makes them converge where they would circle (Mescheder et al. 2018,
    arXiv:1801.04406, equation 9).
    """
    return _gradients(discriminator, real.detach(), labels).square().sum(dim=1).mean() / 2


def _gradients(discriminator: Discriminator, images: Tensor, labels: Tensor) -> Tensor:
    """Gradient of each image's verdict with respect to the image, ``(n, values)``; it can be derived once more.

    In float32 whatever the rest is trained in: derived twice, half precision has too few digits.
    """
    import torch

    with torch.autocast(images.device.type, enabled=False):
        images = images.float().requires_grad_()
        verdicts = discriminator(images, labels)
        (found,) = torch.autograd.grad(verdicts.sum(), images, create_graph=True)
    return found.flatten(start_dim=1)
