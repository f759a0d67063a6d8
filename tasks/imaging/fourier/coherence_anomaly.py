"""A map of what a slice shows and its neighbours do not: the strength of the unshared part.

Anatomy goes on from slice to slice. In tiles, the part of each band of frequencies that the slices ``distance_mm``
before and behind cannot predict has the power ``(1 - γ²) S`` (see `tasks.imaging.spectrum.coherence`); the map is the
root of its local mean square, in the image's own unit. It is high where something begins, ends or turns within that
distance: a small lesion, and just so a vessel that crosses, a fold of the bowel, a slice that moved. It is evidence,
and no verdict.

The slices compared must lie further away than half the lesion, or it is its own neighbour; and not so far that
everything is new.
"""

from __future__ import annotations

from typing import ClassVar, Literal

import numpy as np
from pydantic import Field

from tasks.imaging.spectrum.coherence import slices_within, split, unshared_gain
from tasks.imaging.spectrum.tiles import tile_sides
from tasks.imaging.step import Array, Index, Kind, Spacing, Step, View

TRUNCATE = 4.0
"""The Gaussian of the local mean ends so many standard deviations from its centre."""


def coherence_anomaly(
    volume: Array,
    *,
    spacing_mm: Spacing,
    distance_mm: float = 5.0,
    tile_mm: float = 24.0,
    sigma_mm: float = 3.0,
    start: Index = (0, 0, 0),
) -> Array:
    """Strength of what slices do not share with those ``distance_mm`` before and behind.

    Parameters
    ----------
    volume
        ``(z, y, x)``.
    spacing_mm
        ``(z, y, x)`` in mm.
    distance_mm
        Rounded to slices; never less than one.
    tile_mm
        Side of the tiles, which have 8 to 128 voxels.
    sigma_mm
        Standard deviation of the Gaussian within the slice, over which the mean square is taken.
    start
        Of a block in the whole image.

    Returns
    -------
    numpy.ndarray
        At least 0, in the unit of ``volume``; float32, or float64 of float64.

    Raises
    ------
    CaseError
        There is one slice only.
    """
    from scipy import ndimage

    lag = slices_within(distance_mm, spacing_mm)
    unshared = split(
        volume, spacing_mm=spacing_mm, tile_mm=tile_mm, lag=lag, gain=unshared_gain, with_means=False, start=start
    )
    sigma = [0.0, *(sigma_mm / s for s in spacing_mm[1:])]
    mean = ndimage.gaussian_filter(unshared**2, sigma, mode="reflect", truncate=TRUNCATE)
    return np.asarray(np.sqrt(np.maximum(mean, 0)))


class Settings(Step):
    """Strength of what slices do not share with those ``distance_mm`` before and behind."""

    kinds: ClassVar[frozenset[Kind]] = frozenset({"3-D"})
    name: Literal["coherence_anomaly"] = "coherence_anomaly"
    distance_mm: float = Field(default=5.0, ge=0, le=50, description="To the slices compared; at least one slice.")
    tile_mm: float = Field(default=24.0, gt=0, description="Side of the tiles in mm.")
    sigma_mm: float = Field(default=3.0, gt=0, le=50, description="Of the local mean within the slice, in mm.")

    def halo(self, spacing_mm: Spacing) -> Index:
        """The slices compared, the tiles beside each tile, and the local mean."""
        sides = tile_sides(self.tile_mm, spacing_mm)
        y, x = (2 * t + int(TRUNCATE * self.sigma_mm / s + 0.5) for t, s in zip(sides, spacing_mm[1:], strict=True))
        return slices_within(self.distance_mm, spacing_mm), y, x

    def unit_after(self, unit: str) -> str:
        """None: it is a strength, 0 where slices share everything."""
        del unit
        return "arbitrary"

    def apply(self, block: Array, view: View) -> Array:
        """The map of the block."""
        return coherence_anomaly(
            block, spacing_mm=view.spacing_mm, start=view.start, **self.model_dump(exclude={"name"})
        )
