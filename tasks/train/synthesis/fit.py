"""Fitting a generator to labelled images, and making images with it.

Nothing outside the images that are given is known to the generator: give it the training folds alone. Intensities are
mapped to -1..1 from the range of these images, and back.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from tasks.deep.device import torch_threads
from tasks.imaging.synthetic_mark import marked
from tasks.models.gan import Settings as NetworkSettings
from tasks.models.gan import build_discriminator, build_generator
from tasks.train.synthesis.game import Moment, play
from tasks.train.synthesis.settings import SynthesisSettings

if TYPE_CHECKING:
    from torch import Tensor

MAKING_BATCH = 64
"""Images at a time when nothing is learned: a matter of memory alone."""


@dataclass(frozen=True, eq=False)
class FittedGenerator:
    """A generator after training, with all that is needed to use it.

    Attributes
    ----------
    state
        Its tensors by name, on the CPU.
    options
        Settings of the network, as JSON has them.
    shape, channels, classes
        Of the images: ``(y, x)`` or ``(z, y, x)``.
    dtype, low, high
        ``"uint8"`` or ``"float32"``; the intensities that -1 and 1 stand for.
    method, seed, images
        How it was trained, from how many images.
    history
        The curves.
    """

    state: dict[str, Tensor]
    options: dict[str, Any]
    shape: tuple[int, ...]
    channels: int
    classes: int
    dtype: str
    low: float
    high: float
    method: str
    seed: int
    images: int
    history: tuple[Moment, ...]

    def facts(self) -> dict[str, Any]:
        """Everything but the tensors, ready for JSON. ``synthetic`` says for ever what its images are."""
        values = {name: value for name, value in vars(self).items() if name not in ("state", "history")}
        return {
            "synthetic": True,
            **values,
            "shape": list(self.shape),
            "history": [asdict(one) for one in self.history],
        }

    @classmethod
    def from_facts(cls, state: dict[str, Tensor], facts: dict[str, Any]) -> FittedGenerator:
        """The generator again, from its tensors and what `facts` returned (or JSON made of it)."""
        values = {name: value for name, value in facts.items() if name != "synthetic"}
        history = tuple(Moment(**one) for one in facts["history"])
        return cls(**{**values, "shape": tuple(facts["shape"]), "history": history}, state=state)


def fit_generator(
    images: npt.NDArray[Any],
    labels: npt.ArrayLike,
    settings: SynthesisSettings,
    *,
    classes: int,
    seed: int,
    threads: int = 1,
    device: str = "cpu",
    checkpoint: Path | None = None,
    on_moment: Callable[[Moment], None] | None = None,
) -> FittedGenerator:
    """Train a generator on images of several classes.

    Parameters
    ----------
    images
        ``(n, channels, y, x)`` or ``(n, channels, z, y, x)``, uint8 or float32.
    labels
        ``(n,)``: the class, 0 to ``classes - 1``.
    checkpoint
        File that outlives a killed process.

    Raises
    ------
    ValueError
        When images and labels do not belong together, the type is another, or all intensities are equal.
    FloatingPointError
        When a loss is no longer a number.
    """
    import torch

    target = _checked(images, labels, classes)
    low, high = (0.0, 255.0) if images.dtype == np.uint8 else (float(images.min()), float(images.max()))
    if not high > low:
        raise ValueError(f"all intensities are {low}: there is nothing to learn")
    shape, channels = tuple(images.shape[2:]), images.shape[1]
    scaled = torch.from_numpy(((images.astype(np.float32) - low) * (2 / (high - low)) - 1).astype(np.float32))
    form: dict[str, Any] = {"shape": shape, "channels": channels, "classes": classes, "seed": seed}
    with torch_threads(threads):
        average, history = play(
            build_generator(settings.network, **form),
            build_discriminator(settings.network, **form),
            scaled,
            torch.from_numpy(target),
            settings,
            latent=settings.network.latent,
            seed=seed,
            device=device,
            checkpoint=checkpoint,
            on_moment=on_moment,
        )
    return FittedGenerator(
        state={name: value.detach().cpu().contiguous() for name, value in average.state_dict().items()},
        options=settings.network.model_dump(mode="json"),
        shape=shape,
        channels=channels,
        classes=classes,
        dtype=str(images.dtype),
        low=low,
        high=high,
        method=settings.method,
        seed=seed,
        images=len(images),
        history=history,
    )


def synthesize(
    fitted: FittedGenerator, labels: npt.ArrayLike, *, seed: int, threads: int = 1, device: str = "cpu"
) -> npt.NDArray[Any]:
    """Make one image for each label; image ``i`` depends on (seed, i) and its label alone.

    Returns
    -------
    numpy.ndarray
        ``(n, channels, *shape)`` of the type that was learned from, with the mark of
        `tasks.imaging.synthetic_mark` in the lowest bits of every pixel.
    """
    import torch

    wanted = np.asarray(labels, dtype=np.int64)
    if wanted.ndim != 1 or (wanted.size and not 0 <= wanted.min() <= wanted.max() < fitted.classes):
        raise ValueError(f"expected labels (n,) in 0..{fitted.classes - 1}; got {np.unique(wanted).tolist()}")
    options = NetworkSettings.model_validate(fitted.options)
    network = build_generator(
        options, shape=fitted.shape, channels=fitted.channels, classes=fitted.classes, seed=fitted.seed
    )
    network.load_state_dict(fitted.state)
    network.to(device).eval()
    latent = np.zeros((len(wanted), options.latent), np.float32)
    for number in range(len(wanted)):
        latent[number] = np.random.default_rng([seed, number]).standard_normal(options.latent)
    made = [np.zeros((0, fitted.channels, *fitted.shape), np.float32)]
    with torch_threads(threads), torch.inference_mode():
        for start in range(0, len(wanted), MAKING_BATCH):
            some = slice(start, start + MAKING_BATCH)
            found = network(torch.from_numpy(latent[some]).to(device), torch.from_numpy(wanted[some]).to(device))
            made.append(found.float().cpu().numpy())
    images = (np.concatenate(made) + 1) * ((fitted.high - fitted.low) / 2) + fitted.low
    return marked(np.rint(images).astype(np.uint8) if fitted.dtype == "uint8" else images.astype(np.float32))


def _checked(images: npt.NDArray[Any], labels: npt.ArrayLike, classes: int) -> npt.NDArray[np.int64]:
    target = np.asarray(labels)
    if images.ndim not in (4, 5) or images.dtype not in (np.uint8, np.float32) or not len(images):
        raise ValueError(
            f"expected images (n, channels, [z,] y, x) of uint8 or float32, at least one; got {images.shape} "
            f"of {images.dtype}"
        )
    if target.shape != (len(images),) or not np.issubdtype(target.dtype, np.integer):
        raise ValueError(f"expected an integer label for each of {len(images)} images; got {target.shape}")
    if not 0 <= target.min() <= target.max() < classes:
        raise ValueError(f"expected labels in 0..{classes - 1}; got {np.unique(target).tolist()}")
    if not np.isfinite(images).all():
        raise ValueError("images hold values that are not finite")
    return target.astype(np.int64)
