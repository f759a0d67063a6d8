"""A slice cut into overlapping tiles, each with its spectrum, and put together again.

Tiles of even side T lie T/2 apart, on a grid that begins at the first voxel of the whole image: a block of an image has
the same tiles as the whole. Each is weighted by a sine before its transform and after it; the squares of neighbouring
weights add up to 1, so that unchanged spectra give the unchanged slice (Princen & Bradley,
doi:10.1109/TASSP.1986.1164954). Tiles over the border see the slice mirrored.

The weighted mean of each tile is kept apart: else the brightness of the ground, which all slices share, would leak into
the lowest frequencies and pass for common structure.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from tasks.imaging.spectrum.transform import half_frequencies_per_mm
from tasks.imaging.step import Array, Spacing
from tasks.threads import thread_budget

Sides = tuple[int, int]
SMALLEST, LARGEST = 8, 128
"""Voxels a side: below there is no spectrum to speak of, above a tile is no longer a place."""


def tile_sides(tile_mm: float, spacing_mm: Spacing) -> Sides:
    """Voxels along (y, x) of a tile of about this size: even, and between ``SMALLEST`` and ``LARGEST``."""
    y, x = (min(max(2 * round(tile_mm / s / 2), SMALLEST), LARGEST) for s in spacing_mm[-2:])
    return y, x


@dataclass(frozen=True)
class Tiling:
    """Where the tiles of a block lie.

    Attributes
    ----------
    sides
        Of a tile, voxels along (y, x).
    start, shape
        Of the block in the slice: first voxel, and voxels, along (y, x).
    """

    sides: Sides
    start: Sides
    shape: Sides

    @property
    def margins(self) -> tuple[Sides, Sides]:
        """Voxels before and after the block, along each axis, up to the tiles' outer edges."""
        (before_y, after_y), (before_x, after_x) = (
            (a % (t // 2) + t // 2, -(a + n) % (t // 2) + t // 2)
            for t, a, n in zip(self.sides, self.start, self.shape, strict=True)
        )
        return (before_y, after_y), (before_x, after_x)

    def weights(self) -> npt.NDArray[np.float32]:
        """The sine over a tile."""
        y, x = (np.sin(np.pi * (np.arange(t) + 0.5) / t) for t in self.sides)
        return (y[:, None] * x).astype(np.float32)

    def cut(self, image: Array) -> Array:
        """Tiles ``(rows, columns, y, x)`` of a slice, a view of its mirrored continuation."""
        padded = np.pad(image, self.margins, mode="symmetric")
        y, x = self.sides
        return np.lib.stride_tricks.sliding_window_view(padded, self.sides)[:: y // 2, :: x // 2]

    def join(self, tiles: Array) -> Array:
        """The sum of the tiles at their places, cut to the block."""
        rows, columns, y, x = tiles.shape
        whole = np.zeros(((rows + 1) * y // 2, (columns + 1) * x // 2), dtype=tiles.dtype)
        for j in (0, 1):
            for i in (0, 1):
                part = tiles[:, :, j * y // 2 : (j + 1) * y // 2, i * x // 2 : (i + 1) * x // 2]
                flat = part.transpose(0, 2, 1, 3).reshape(rows * y // 2, columns * x // 2)
                whole[j * y // 2 :, i * x // 2 :][: flat.shape[0], : flat.shape[1]] += flat
        (before_y, _), (before_x, _) = self.margins
        return whole[before_y:, before_x:][: self.shape[0], : self.shape[1]]

    def frequencies(self, spacing_mm: Spacing) -> tuple[Array, Array]:
        """Along (y, x) of a tile's half spectrum, in cycles/mm."""
        y, x = half_frequencies_per_mm(self.sides, spacing_mm[-2:])
        return y, x


@dataclass(frozen=True, eq=False)
class TileSpectra:
    """Spectra and means of a slice's tiles.

    Attributes
    ----------
    values
        ``(rows, columns, ky, kx)``, complex: half spectra of the weighted tiles less their means.
    means
        ``(rows, columns)``.
    """

    values: Array
    means: Array


def tile_spectra(image: Array, tiling: Tiling) -> TileSpectra:
    """The spectra of a slice ``(y, x)``, complex64, or complex128 of float64."""
    from scipy import fft

    tiles = tiling.cut(image)
    weights = tiling.weights().astype(image.dtype)
    means = np.einsum("abij,ij->ab", tiles, weights, dtype=np.float64) / weights.sum(dtype=np.float64)
    means = means.astype(image.dtype)
    weighted = (tiles - means[..., None, None]) * weights
    return TileSpectra(np.asarray(fft.rfft2(weighted, workers=thread_budget(), overwrite_x=True)), means)


def slice_of(spectra: TileSpectra, tiling: Tiling, *, with_means: bool = True) -> Array:
    """The slice that spectra belong to; without the tiles' means: what varies within tiles."""
    from scipy import fft

    weights = tiling.weights().astype(spectra.means.dtype)
    tiles = np.asarray(fft.irfft2(spectra.values, s=tiling.sides, workers=thread_budget()))
    if with_means:
        tiles += spectra.means[..., None, None] * weights
    return tiling.join(tiles * weights)
