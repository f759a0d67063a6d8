"""Deep features: what a network that was trained on other pictures sees in a candidate.

The candidate's cube (:mod:`tasks.extract.cube`) is cut into a picture of three channels, either one slice three times
or three orthogonal slices, and shown to a classifier of torchvision, e.g. AlexNet or VGG; its activations before the
last linear layer are the features (:mod:`tasks.extract.activations`).

Weights come from a file that the settings name. Nothing is downloaded, and without a file every value is NaN. The
file's digest is part of the settings, so that another file gives another key. It runs on the GPU where the worker has
one; there the last digits differ from those of a CPU.
"""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import numpy as np
import numpy.typing as npt
from pydantic import Field, ValidationInfo, field_validator

from storage.volume import Triple
from tasks.deep.weights import weights_sha256
from tasks.extract.cube import CubeSettings, cube, cube_margin_mm
from tasks.extract.feature import FeatureInfo
from tasks.extract.region import Region

OF_RESPONSES = False
LIBRARIES = ("torch", "torchvision", "safetensors")
PERCENTILES = (1.0, 99.0)
"""Of the cube, which are black and white where no window is given."""


class Settings(CubeSettings):
    """How the cube is cut, how it becomes a picture, and who looks at it.

    Attributes
    ----------
    model
        Name of a classifier in torchvision, e.g. ``"alexnet"``, ``"vgg16"``.
    units
        How many activations it has before its last linear layer: 4096 of AlexNet and VGG, 512 of ``"resnet18"``.
    weights
        Its weights: a .safetensors file, or a .pth file of named tensors; ``None``: every value is NaN.
    weights_sha256
        Digest of that file. It is filled in; if it is given, the file must have it.
    channels
        ``"slice"``: the cube's middle slice; ``"orthogonal"``: the middle planes across z, y and x.
    window
        Intensities that become black and white, in the image's unit; ``None``: the 1st and 99th percentile of the cube.
    input_px
        Side of the picture that the network is shown.
    mean, std
        Of the pictures that it was trained on, per channel in 0..1; the default is ImageNet's.
    """

    samples: int = Field(64, ge=2, le=64)
    smoothing_samples: float = Field(0.0, ge=0)
    model: str = "alexnet"
    units: int = Field(4096, ge=1)
    weights: Path | None = None
    weights_sha256: str | None = Field(None, validate_default=True)
    channels: Literal["slice", "orthogonal"] = "slice"
    window: tuple[float, float] | None = None
    input_px: int = Field(224, ge=32, le=1024)
    mean: tuple[float, float, float] = (0.485, 0.456, 0.406)
    std: tuple[float, float, float] = (0.229, 0.224, 0.225)

    @field_validator("weights_sha256")
    @classmethod
    def _digested(cls, given: str | None, info: ValidationInfo) -> str | None:
        weights = info.data.get("weights")
        if weights is None:
            return given
        found = weights_sha256(weights)
        if given not in (None, found):
            raise ValueError(f"the weights have the SHA-256 {found}; expected {given}")
        return found


def features(settings: Settings) -> dict[str, FeatureInfo]:
    """``unit_0000`` and so on: known without asking torch."""
    text = f"Activation of a unit of {settings.model} before its last linear layer."
    info = FeatureInfo(None, "1", text, nan_when="no file of weights is given")
    return {f"unit_{number:04d}": info for number in range(settings.units)}


def margin_mm(extent_mm: Triple, settings: Settings) -> Triple:
    """Surroundings that the cube needs."""
    return cube_margin_mm(extent_mm, settings)


def compute(region: Region, settings: Settings) -> dict[str, float]:
    """Activations by the names of :func:`features`.

    Raises
    ------
    ValueError
        When torchvision has no such network, it has not so many units, or the file does not hold its weights.
    """
    names = features(settings)
    if settings.weights is None or settings.weights_sha256 is None:
        return dict.fromkeys(names, float("nan"))
    from tasks.extract.activations import activations

    found = activations(
        _picture(cube(region, settings), settings),
        model=settings.model,
        path=settings.weights,
        sha256=settings.weights_sha256,
        input_px=settings.input_px,
        mean=settings.mean,
        std=settings.std,
    )
    if len(found) != settings.units:
        raise ValueError(f"{settings.model} has {len(found)} activations, not {settings.units}: set 'units'")
    return dict(zip(names, found.tolist(), strict=True))


def _picture(sampled: npt.NDArray[np.float64], settings: Settings) -> npt.NDArray[np.float32]:
    """Three channels ``(3, y, x)`` of the cube, in 0..1."""
    middle = settings.samples // 2
    planes = [sampled[middle]] * 3
    if settings.channels == "orthogonal":
        planes = [np.take(sampled, middle, axis) for axis in range(3)]
    low, high = settings.window or (float(p) for p in np.percentile(sampled, PERCENTILES))
    scale = high - low if high > low else 1.0
    return np.clip((np.stack(planes) - low) / scale, 0.0, 1.0).astype(np.float32)
