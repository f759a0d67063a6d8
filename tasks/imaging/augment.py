"""Training samples changed at random, so that a model learns what does not matter: place, size, scanner, noise.

A sample's changes come from its own generator, made by `sample_rng` of the seed, the digest of its image, its number
and the epoch: the same sample comes out in whatever batch, order or worker it is made. Each kind of change draws from a
generator of its own, so that switching one off leaves the others as they were.

A mask moves exactly as the image does, and intensities leave it alone. The label of a sample
stays true: left and right are not exchanged unless the settings allow it, and where a movement would take one of the
mask's labels out of the sample, only its flips are done.

Pictures for networks are changed in batches, on the network's device, by `tasks.train.network_augment`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from tasks.imaging.augmentation.appearance import bias_field, bias_terms, thick_slices, with_contrast
from tasks.imaging.augmentation.movement import Movement, drawn_movement, log_uniform, outside_value
from tasks.imaging.augmentation.settings import Settings
from tasks.imaging.placement import BACKGROUND
from tasks.imaging.step import Array, Direction, Spacing, View, floating, per_channel

Mask = npt.NDArray[np.integer[Any]] | npt.NDArray[np.bool_]
LIMITS: dict[str, tuple[float, float]] = {
    "grey": (0.0, 255.0),
    "share": (0.0, 1.0),
    "SUV": (0.0, np.inf),
    "HU": (-1024.0, np.inf),
}
"""Values that an image in a unit can have; what would leave them is cut."""
CHANGES = ("flip", "rotation", "scale", "elastic", "thick_slices", "blur", "bias_field", "intensity", "noise")
"""Each draws from a generator of its own; new ones are added at the end."""


@dataclass(frozen=True, eq=False)
class Sample:
    """A sample: its image, and its mask on the same grid, or ``None``."""

    image: Array
    mask: Mask | None = None


def sample_rng(digest: str, number: int, *, seed: int, epoch: int) -> np.random.Generator:
    """The generator of one sample in one epoch.

    Parameters
    ----------
    digest
        Hex SHA-256 of the bytes of the case's image; no pseudonym, which another hospital would have otherwise.
    number
        Of the sample among those of its case.
    """
    words = [int(digest[i : i + 8], 16) for i in range(0, 32, 8)]
    return np.random.default_rng(np.random.SeedSequence([seed, epoch, number, *words]))


def augmented(
    sample: Sample,
    settings: Settings,
    rng: np.random.Generator,
    *,
    spacing_mm: Spacing,
    unit: str = "arbitrary",
    direction: Direction | None = None,
    spread: float | None = None,
) -> Sample:
    """A sample changed at random.

    Parameters
    ----------
    sample
        Its image is ``(y, x)`` or ``(z, y, x)``, perhaps with colour last; its mask has the spatial axes.
    spacing_mm
        Along the spatial axes, in mm.
    unit
        Of the image: what lies around the patient, and which values there can be.
    direction
        As of `storage.volume.Volume`: tells which axis is left and right.
    spread
        What amounts of intensity are parts of, in the image's unit; ``None``: the standard deviation of this image.

    Returns
    -------
    Sample
        Of the same shape; the image float32, or float64 of float64; the mask of its own type.

    Raises
    ------
    ValueError
        When image, mask and spacing do not fit each other.
    """
    view = View.of(sample.image, spacing_mm, unit=unit, direction=direction)
    if sample.mask is not None and sample.mask.shape != view.shape:
        raise ValueError(f"expected a mask of shape {view.shape}; got {sample.mask.shape}")
    rngs = dict(zip(CHANGES, rng.spawn(len(CHANGES)), strict=True))
    moved = _moved(sample, settings, view, rngs)
    image = _retaken(moved.image, settings, view, rngs, spread)
    return Sample(image, moved.mask)


def _moved(sample: Sample, settings: Settings, view: View, rngs: dict[str, np.random.Generator]) -> Sample:
    movement = drawn_movement(settings, view, rngs)
    mask = sample.mask
    if mask is not None and movement.moves:
        moved = _moved_mask(mask, movement, view)
        if movement.bends and set(np.unique(moved)) - {0} != set(np.unique(mask)) - {0}:
            movement = movement.flips_alone
            moved = _moved_mask(mask, movement, view)
        mask = moved
    image = floating(sample.image)
    if not movement.moves:
        return Sample(image.copy(), mask)
    return Sample(movement.apply(image, view, settings.interpolation, outside_value(settings, view)), mask)


def _moved_mask(mask: Mask, movement: Movement, view: View) -> Mask:
    """Each voxel has the label that makes up most of it, by linear interpolation: borders lie where the image's do."""
    result, most = np.zeros_like(mask), np.zeros(mask.shape, np.float32)
    rest = np.ones(mask.shape, np.float32)
    for label in np.unique(mask[mask != 0]):
        share = movement.apply((mask == label).astype(np.float32), view, "linear", 0.0)
        result[share > most] = label
        np.maximum(most, share, out=most)
        rest -= share
    result[rest > most] = 0
    return result


def _retaken(
    image: Array, settings: Settings, view: View, rngs: dict[str, np.random.Generator], spread: float | None
) -> Array:
    """The image as another scanner would have taken it."""
    scale = float(image.std(dtype=np.float64)) if spread is None else spread
    before = image
    if len(view.shape) == 3 and (rng := rngs["thick_slices"]).random() < settings.thick_slices.probability:
        factor = int(rng.integers(2, settings.thick_slices.factor + 1))
        first = int(rng.integers(factor))
        image = per_channel(lambda grey: thick_slices(grey, factor, first=first), image, 3)
    if (rng := rngs["blur"]).random() < settings.blur.probability:
        from tasks.imaging.denoise.gaussian import gaussian

        image = gaussian(image, spacing_mm=view.spacing_mm, sigma_mm=float(rng.uniform(0, settings.blur.sigma_mm)))
    if (rng := rngs["bias_field"]).random() < settings.bias_field.probability:
        image = _biased(image, settings.bias_field.amount, view, rng)
    if (rng := rngs["intensity"]).random() < settings.intensity.probability:
        image = _recontrasted(image, settings, scale, rng)
    if (rng := rngs["noise"]).random() < settings.noise.probability:
        sigma = rng.uniform(0, settings.noise.amount) * scale
        image = image + rng.normal(0.0, sigma, image.shape).astype(image.dtype)
    if image is not before and view.unit in LIMITS:
        image = np.clip(image, *LIMITS[view.unit])
    return image


def _biased(image: Array, amount: float, view: View, rng: np.random.Generator) -> Array:
    """Times a smooth field, counted from what has no signal."""
    coefficients = rng.uniform(-amount, amount, len(bias_terms(len(view.shape))))
    field = bias_field(view.shape, coefficients).astype(image.dtype)
    ground = image.dtype.type(BACKGROUND.get(view.unit, 0.0))
    return per_channel(lambda grey: (grey - ground) * field + ground, image, len(view.shape))


def _recontrasted(image: Array, settings: Settings, scale: float, rng: np.random.Generator) -> Array:
    from tasks.imaging.contrast.gamma import gamma

    chosen = settings.intensity
    gain, exponent = log_uniform(chosen.gain, rng), log_uniform(chosen.gamma, rng)
    offset = rng.uniform(-chosen.offset, chosen.offset) * scale
    bent = gamma(image, exponent=exponent, low=float(image.min()), high=float(image.max()))
    return with_contrast(bent, gain=gain, offset=offset)
