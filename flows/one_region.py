"""The features of one region of one image, each with its unit, its IBSI code, and why it has no value."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from pydantic import BaseModel, ConfigDict, Field

from flows.reading import read_image, read_mask
from storage.errors import CaseError
from storage.volume import Volume
from tasks.extract.settings import Settings

STANDARD = (
    "shape",
    "local_intensity",
    "first_order",
    "intensity_histogram",
    "intensity_volume",
    "glcm",
    "glrlm",
    "glszm",
    "gldzm",
    "ngtdm",
    "ngldm",
)
"""The families of the IBSI in the order of its manual, but ``autocorrelation``, which costs more than all of these."""


class FeaturesFile(BaseModel):
    """A settings file: the block ``[extract]`` of a study file, alone."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    extract: Settings = Field(default_factory=lambda: Settings(families=STANDARD))


@dataclass(frozen=True)
class Value:
    """A feature of the region; ``value`` is ``None`` where it is not defined, and ``reason`` says why."""

    name: str
    value: float | None
    unit: str
    ibsi_code: str | None
    reason: str | None = None


@dataclass(frozen=True)
class Described:
    """The region and its features.

    Attributes
    ----------
    voxels, counted
        Of the mask on the grid of the features, and those of them whose intensities count.
    spacing_mm
        Of that grid, ``(z, y, x)``.
    """

    unit: str
    spacing_mm: tuple[float, float, float]
    voxels: int
    counted: int
    values: list[Value]
    settings: Settings

    def as_json(self) -> dict[str, Any]:
        """For scripts."""
        return {
            "unit": self.unit,
            "spacing_mm": list(self.spacing_mm),
            "voxels": self.voxels,
            "voxels_counted": self.counted,
            "features": {
                one.name: {"value": one.value, "unit": one.unit, "ibsi_code": one.ibsi_code, "reason": one.reason}
                for one in self.values
            },
            "settings": self.settings.model_dump(mode="json"),
        }


def features_of_files(
    image: Path,
    mask: Path,
    settings: Settings,
    *,
    unit: str | None = None,
    roi: tuple[str, ...] = (),
    label: int | None = None,
) -> Described:
    """The features of the region that a mask file draws on an image file, as :mod:`flows.reading` reads them.

    Raises
    ------
    CaseError
        When a file cannot be used.
    """
    volume = read_image(image, unit=unit)
    return describe_region(volume, read_mask(mask, volume, roi=roi, label=label), settings)


def describe_region(image: Volume, mask: Volume, settings: Settings) -> Described:
    """The features of a region; the mask is on the grid of its image, and may be empty.

    Raises
    ------
    CaseError
        When the image holds values that are not finite.
    """
    from tasks.extract.describe import Describer, why_undefined
    from tasks.extract.region import RESPONSE
    from tasks.imaging.morphology import Box, mask_box

    if not np.isfinite(image.array).all():
        raise CaseError("the image holds values that are not finite numbers: repair it first")
    inside = mask.array > 0
    nowhere: Box = (slice(0, 0), slice(0, 0), slice(0, 0))
    box = mask_box(inside) if inside.any() else nowhere
    describer = Describer(image, settings)
    region, outer = describer.region(box, inside[box])
    found = describer.describe(region, outer)
    values = []
    for name, info in describer.columns.items():
        value = found[name]
        reason = why_undefined(region, info) if math.isnan(value) else None
        shown = info.unit.replace("intensity", image.unit if name.count(".") == 1 else RESPONSE)
        values.append(Value(name, None if reason else value, shown, info.ibsi_code, reason))
    spacing = describer.grid.spacing_mm
    return Described(image.unit, spacing, int(np.sum(region.mask)), int(region.values.size), values, settings)
