"""Candidate regions by several thresholds: connected pieces of what is brighter.

One threshold cannot fit a cohort: in PET a cool sarcoma ends at SUV 1.5 where a hot one reaches 20. So the pieces above
each of several thresholds are all candidates, and a later model ranks them. Each piece is made solid (necrotic centres
and grooves belong to a tumour's contour): holes are filled slice by slice and a closing may be applied.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import numpy.typing as npt
from pydantic import Field
from scipy import ndimage

from storage.volume import Triple
from tasks.imaging.candidate_set import Piece
from tasks.imaging.morphology import BoolArray, Box, close_mask, fill_slices, label_components, mask_box
from tasks.settings import StageSettings


class Settings(StageSettings):
    """Which pieces are candidates. ``None`` is filled by unit, see `by_unit`.

    Attributes
    ----------
    thresholds
        In the image's unit.
    quantiles
        Instead of thresholds, for images without a unit: quantiles (0–1) of the intensities inside the searched region.
    smoothing_sigma_mm
        Gaussian before thresholding, in mm.
    fill
        Whether holes are filled slice by slice.
    closing_mm
        Radius of the closing ball in mm; 0 for none.
    min_ml, max_ml
        Limits of the volume in ml, before filling and closing; what becomes larger than ``max_ml`` by these is dropped
        too.
    """

    thresholds: tuple[float, ...] | None = None
    quantiles: tuple[float, ...] | None = None
    smoothing_sigma_mm: float | None = Field(None, ge=0)
    fill: bool = True
    closing_mm: float | None = Field(None, ge=0)
    min_ml: float | None = Field(None, ge=0)
    max_ml: float | None = Field(None, gt=0)

    def by_unit(self, unit: str) -> Settings:
        """These settings with every ``None`` replaced by the unit's default (``UNIT_DEFAULTS``)."""
        defaults = UNIT_DEFAULTS.get(unit, UNIT_DEFAULTS["arbitrary"])
        update = {name: value for name, value in defaults.items() if getattr(self, name) is None}
        if self.thresholds is not None or self.quantiles is not None:
            update = {name: value for name, value in update.items() if name not in ("thresholds", "quantiles")}
        return self.model_copy(update=update)


UNIT_DEFAULTS: dict[str, dict[str, Any]] = {
    "SUV": {
        "thresholds": (0.8, 1.0, 1.25, 1.5, 1.75, 2.0, 2.5, 3.0, 3.5, 4.0, 5.0, 6.0, 8.0),
        "smoothing_sigma_mm": 3.0,
        "closing_mm": 12.0,
        "min_ml": 5.0,
        "max_ml": 4000.0,
    },
    "HU": {
        "thresholds": (-500.0, -300.0, -100.0),
        "smoothing_sigma_mm": 0.0,
        "closing_mm": 0.0,
        "min_ml": 0.06,
        "max_ml": 40.0,
    },
    "arbitrary": {
        "quantiles": (0.8, 0.9, 0.95, 0.98, 0.99),
        "smoothing_sigma_mm": 1.0,
        "closing_mm": 0.0,
        "min_ml": 0.1,
        "max_ml": 1000.0,
    },
}


def threshold_components(
    array: npt.NDArray[Any], within: BoolArray, *, spacing_mm: Triple, unit: str, settings: Settings | None = None
) -> list[Piece]:
    """Connected pieces above each threshold.

    Parameters
    ----------
    array
        Image ``(z, y, x)``.
    within
        Boolean, same shape: where to search, e.g. the body. Pieces do not leave it.
    spacing_mm
        Voxel spacing ``(z, y, x)`` in mm.
    unit
        ``"HU"``, ``"SUV"`` or ``"arbitrary"``: chooses the defaults.
    settings
        ``None``: the defaults.

    Returns
    -------
    list of Piece
        Thresholds ascending; within one, in scan order. Pieces of different thresholds are nested.
    """
    chosen = (settings or Settings()).by_unit(unit)
    if not within.any():
        return []
    smooth = np.asarray(array, dtype=np.float32)
    if chosen.smoothing_sigma_mm:
        smooth = ndimage.gaussian_filter(smooth, [chosen.smoothing_sigma_mm / s for s in spacing_mm], mode="nearest")
    voxel_ml = float(np.prod(spacing_mm)) / 1000.0
    pieces = []
    for threshold in _thresholds(smooth, within, chosen):
        for box, mask in _components((smooth > threshold) & within, chosen, voxel_ml):
            solid = _solid(box, mask, within, chosen, spacing_mm)
            if chosen.max_ml is None or solid[1].sum() * voxel_ml <= chosen.max_ml:
                pieces.append(Piece("component", threshold, *solid))
    return pieces


def _thresholds(smooth: npt.NDArray[Any], within: BoolArray, settings: Settings) -> list[float]:
    if settings.thresholds is not None:
        return sorted(set(settings.thresholds))
    return sorted({float(q) for q in np.quantile(smooth[within], settings.quantiles or ())})


def _components(above: BoolArray, settings: Settings, voxel_ml: float) -> Iterator[tuple[Box, BoolArray]]:
    labels, boxes = label_components(above)
    ml = np.bincount(labels.ravel()) * voxel_ml
    low, high = settings.min_ml or 0.0, settings.max_ml or np.inf
    for label in np.flatnonzero((ml[1:] >= low) & (ml[1:] <= high)) + 1:
        box = boxes[label - 1]
        yield box, labels[box] == label


def _solid(
    box: Box, mask: BoolArray, within: BoolArray, settings: Settings, spacing_mm: Triple
) -> tuple[Box, BoolArray]:
    """Fill, close, fill again, inside the searched region. A closing stays inside the box of what it closes."""
    solid = fill_slices(mask) if settings.fill else mask
    if settings.closing_mm:
        solid = close_mask(solid, radius_mm=settings.closing_mm, spacing_mm=spacing_mm)
        solid = fill_slices(solid) if settings.fill else solid
    solid = solid & within[box]
    tight = mask_box(solid)
    z, y, x = (slice(b.start + t.start, b.start + t.stop) for b, t in zip(box, tight, strict=True))
    return (z, y, x), solid[tight]
