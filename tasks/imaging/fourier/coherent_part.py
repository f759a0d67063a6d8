"""Each slice reconstructed from what its neighbouring slices have as well: noise goes, and what is in one slice only.

Noise of neighbouring slices is unrelated, anatomy is not. In tiles of the slice, each band of frequencies and
directions is weighted by how coherent it is with the same band one slice before and behind (Wiener's weight: γ). The
mathematics, and why coherence needs averaging: `tasks.imaging.spectrum.coherence`. The slices themselves are not mixed:
nothing is blurred along z.

What a lesion shows in one slice alone is weakened as well; ``coherence_anomaly`` is where to look for it.
"""

from __future__ import annotations

from typing import ClassVar, Literal

from pydantic import Field

from tasks.imaging.spectrum.coherence import common_gain, slices_within, split
from tasks.imaging.spectrum.tiles import tile_sides
from tasks.imaging.step import Array, Index, Kind, Spacing, Step, View


def coherent_part(
    volume: Array,
    *,
    spacing_mm: Spacing,
    distance_mm: float = 0.0,
    tile_mm: float = 24.0,
    start: Index = (0, 0, 0),
) -> Array:
    """What slices have in common with those ``distance_mm`` before and behind.

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
    start
        Of a block in the whole image.

    Returns
    -------
    numpy.ndarray
        float32, or float64 of float64.

    Raises
    ------
    CaseError
        There is one slice only.
    """
    lag = slices_within(distance_mm, spacing_mm)
    return split(
        volume, spacing_mm=spacing_mm, tile_mm=tile_mm, lag=lag, gain=common_gain, with_means=True, start=start
    )


class Settings(Step):
    """What slices have in common with those ``distance_mm`` before and behind."""

    kinds: ClassVar[frozenset[Kind]] = frozenset({"3-D"})
    name: Literal["coherent_part"] = "coherent_part"
    distance_mm: float = Field(default=0.0, ge=0, le=50, description="To the slices compared; at least one slice.")
    tile_mm: float = Field(default=24.0, gt=0, description="Side of the tiles in mm.")

    def halo(self, spacing_mm: Spacing) -> Index:
        """The slices compared, and the tiles beside each tile that a voxel lies in."""
        y, x = tile_sides(self.tile_mm, spacing_mm)
        return slices_within(self.distance_mm, spacing_mm), 2 * y, 2 * x

    def apply(self, block: Array, view: View) -> Array:
        """Reconstruct the block."""
        return coherent_part(
            block,
            spacing_mm=view.spacing_mm,
            distance_mm=self.distance_mm,
            tile_mm=self.tile_mm,
            start=view.start,
        )
