"""How much slices have in common: the magnitude-squared coherence, and slices split by it.

"Mapping of Fourier coefficients between slices" is loose talk. What can be meant, and is done here: the linear map that
predicts the coefficients of slice i from those of slice j best in the mean square is ``X_i ≈ (S_ij / S_jj) X_j``, and
the share of the power of slice i that it explains is the magnitude-squared coherence
``γ² = |S_ij|² / (S_ii S_jj)``, 0 to 1, where ``S_ij = E[X_i conj(X_j)]`` is the cross-power spectrum (Bendat & Piersol,
"Random Data", 6.1; Carter, doi:10.1109/PROC.1987.13723).

*The mean E is indispensable*: of one coefficient of one pair of slices γ² is ``|X_i conj X_j|² / (|X_i|² |X_j|²) = 1``,
whatever the slices. It is taken over tiles of the slices (Welch, doi:10.1109/TAU.1967.1161901), and where a place
matters over 3 × 3 tiles and the frequencies of a band. Of n independent terms, γ² of slices that share nothing is 1 / n
in the mean, not 0; ``unbiased`` takes that away.

*Bands* of a tile are rings of frequencies, all but the innermost cut into sectors of direction: within a sector, the
phase that a shift of the anatomy from slice to slice makes is nearly one, so that slanting structures stay coherent.

*The split*: if two slices show a common part with unrelated noise of the same power each, the best linear estimate of
the common part (Wiener) weights each coefficient by ``S_common / (S_common + S_noise)``, which is ``γ``, not ``γ²``.
What a neighbour cannot explain has the power ``(1 - γ²) S_ii``.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from storage.errors import CaseError
from tasks.imaging.spectrum.tiles import Sides, TileSpectra, Tiling, slice_of, tile_sides, tile_spectra
from tasks.imaging.spectrum.transform import Floats
from tasks.imaging.step import Array, Index, Spacing, floating

RINGS = (0.0, 3.0, 6.0, 10.0, 16.0, 26.0, 42.0)
"""Inner radii of the rings of a tile's spectrum, in periods per tile."""
SECTORS = 8
"""Directions that the outer rings are cut into."""
_SPREAD = 1.23**2
"""Coefficients under a sine weight that count as one independent, over two axes (equivalent noise bandwidth)."""
_OVERLAP = 1.44
"""Tiles that overlap by half count as one independent, over two axes (the weights' correlation is 1/π)."""
_NEIGHBOURS = 7.0
"""So many independent ones count 3 × 3 of them."""


@dataclass(frozen=True)
class BandCoherence:
    """Coherence of two slices by spatial frequency.

    Attributes
    ----------
    edges_per_mm
        Of the bands in cycles/mm, one more than bands.
    values
        Mean γ² of the frequencies in each band, bias taken away; 0 where a band holds none.
    tiles
        How many tiles the mean was taken over.
    """

    edges_per_mm: tuple[float, ...]
    values: tuple[float, ...]
    tiles: int


def unbiased(squared: Floats, count: Floats | float) -> Floats:
    """γ² less what ``count`` independent terms give by chance, ``(γ² - 1/n) / (1 - 1/n)``, cut to 0 … 1.

    One term tells nothing, and gives 0.
    """
    chance = 1.0 / np.maximum(count, 1.0 + 1e-6)
    return np.asarray(np.where(np.asarray(count) > 1, np.clip((squared - chance) / (1.0 - chance), 0.0, 1.0), 0.0))


def coherence_by_band(
    first: Array, second: Array, *, spacing_mm: Spacing, edges_per_mm: tuple[float, ...], tile_mm: float = 32.0
) -> BandCoherence:
    """Welch's estimate over all tiles of two slices.

    Parameters
    ----------
    first, second
        ``(y, x)``, same shape.
    spacing_mm
        Of which the last two are (y, x).
    edges_per_mm
        Of the bands, ascending, in cycles/mm.
    tile_mm
        Side of a tile; the finest frequency that is told apart is one period of it.
    """
    tiling = Tiling(tile_sides(tile_mm, spacing_mm), (0, 0), (first.shape[0], first.shape[1]))
    return bands_of_pair(
        tile_spectra(floating(first), tiling), tile_spectra(floating(second), tiling), tiling, spacing_mm, edges_per_mm
    )


def bands_of_pair(
    first: TileSpectra, second: TileSpectra, tiling: Tiling, spacing_mm: Spacing, edges_per_mm: tuple[float, ...]
) -> BandCoherence:
    """As `coherence_by_band`, of spectra that are used more than once."""
    cross = np.einsum("abij,abij->ij", first.values, second.values.conj(), dtype=np.complex128)
    own = [np.einsum("abij,abij->ij", s.values, s.values.conj(), dtype=np.complex128).real for s in (first, second)]
    tiles = first.means.size
    squared = unbiased(_share(np.abs(cross) ** 2, own[0] * own[1]), tiles / _OVERLAP)
    fy, fx = tiling.frequencies(spacing_mm)
    band = np.digitize(np.hypot(fy[:, None], fx), edges_per_mm) - 1
    values = [float(squared[band == b].mean()) if (band == b).any() else 0.0 for b in range(len(edges_per_mm) - 1)]
    return BandCoherence(tuple(edges_per_mm), tuple(values), tiles)


def coherence_map(first: Array, second: Array, *, spacing_mm: Spacing, tile_mm: float = 16.0) -> Array:
    """Where two slices have structure in common: γ² of the places, ``(y, x)``, bias taken away, weighted by power.

    Each tile has one value: the share of its power (less its mean) that the other slice explains. Between the tiles the
    values go over smoothly. Where both slices are constant there is nothing in common: 0.
    """
    tiling = Tiling(tile_sides(tile_mm, spacing_mm), (0, 0), (first.shape[0], first.shape[1]))
    bands = Bands.of(tiling.sides)
    spectra = [tile_spectra(floating(image), tiling) for image in (first, second)]
    power = bands.power(spectra[0])
    explained = bands.coherence(spectra[0], spectra[1], power, bands.power(spectra[1])) * power
    share = _share(explained.sum(axis=-1), power.sum(axis=-1)).astype(floating(first[:0]).dtype)
    return tiling.join(share[..., None, None] * tiling.weights() ** 2)


@dataclass(frozen=True, eq=False)
class Bands:
    """The bands of a tile's half spectrum.

    Attributes
    ----------
    number
        Of the band, for each coefficient ``(ky, kx)``.
    independent
        How many independent terms the mean over each band and 3 × 3 tiles has.
    """

    number: npt.NDArray[np.int64]
    independent: Floats

    @classmethod
    def of(cls, sides: Sides) -> Bands:
        """Bands of tiles of these sides."""
        height, width = sides
        ky, kx = np.fft.fftfreq(height, 1 / height)[:, None], np.arange(width // 2 + 1)
        ring = np.digitize(np.hypot(ky, kx), RINGS) - 1
        sector = np.floor((np.arctan2(ky, kx) / np.pi + 0.5) * SECTORS).astype(np.int64) % SECTORS
        number = np.where(ring == 0, 0, 1 + (ring - 1) * SECTORS + sector)
        return cls(number, np.bincount(number.ravel()) / _SPREAD * _NEIGHBOURS)

    def powers(self, first: TileSpectra, second: TileSpectra) -> tuple[Array, Array]:
        """``S_ij`` and ``S_ii`` of each band of each tile: sums over the band and 3 × 3 tiles, up to one factor."""
        from scipy import ndimage

        from tasks.imaging.kernels.band_sums import add_powers

        shape = (*first.means.shape, len(self.independent))
        cross, own = np.zeros(shape, dtype=np.complex128), np.zeros(shape)
        add_powers(first.values, second.values, self.number, cross, own)
        around = (3, 3, 1)
        return ndimage.uniform_filter(cross, around, mode="nearest"), ndimage.uniform_filter(
            own, around, mode="nearest"
        )

    def power(self, spectra: TileSpectra) -> Array:
        """``S_ii`` alone."""
        return self.powers(spectra, spectra)[1]

    def coherence(self, first: TileSpectra, second: TileSpectra, power: Array, second_power: Array) -> Array:
        """γ² of each band of each tile, bias taken away."""
        cross, _ = self.powers(first, second)
        return unbiased(_share(cross.real**2 + cross.imag**2, power * second_power), self.independent)


Gain = Callable[[Floats], Floats]


def common_gain(squared: Floats) -> Floats:
    """Wiener's weight of the common part, γ."""
    return np.asarray(np.sqrt(squared))


def unshared_gain(squared: Floats) -> Floats:
    """What gives the power that the neighbours do not explain, ``sqrt(1 - γ²)``."""
    return np.asarray(np.sqrt(1.0 - squared))


def split(
    volume: Array,
    *,
    spacing_mm: Spacing,
    tile_mm: float,
    lag: int,
    gain: Gain,
    with_means: bool,
    start: Index = (0, 0, 0),
) -> Array:
    """Every slice with its coefficients weighted by what it has in common with the slices before and behind.

    Parameters
    ----------
    volume
        ``(z, y, x)``; at its ends, the slice at the end is the neighbour, or only one side has any.
    lag
        Slices to the neighbours.
    gain
        Weight of a coefficient by the mean γ² to both neighbours: `common_gain`, `unshared_gain`.
    with_means
        Whether the tiles' means are in the result.
    start
        Of the block in the whole image.

    Returns
    -------
    numpy.ndarray
        float32, or float64 of float64.

    Raises
    ------
    CaseError
        There is one slice only.
    """
    if len(volume) == 1:
        raise CaseError("one slice has no neighbours to be compared with")
    tiling = Tiling(tile_sides(tile_mm, spacing_mm), (start[1], start[2]), (volume.shape[1], volume.shape[2]))
    bands = Bands.of(tiling.sides)
    result = np.empty(volume.shape, dtype=floating(volume[:0]).dtype)
    known: dict[int, tuple[TileSpectra, Array]] = {}
    for z in range(len(volume)):
        near = sorted({max(z - lag, 0), min(z + lag, len(volume) - 1)} - {z})
        for i in {z, *near} - known.keys():
            spectra = tile_spectra(floating(volume[i]), tiling)
            known[i] = spectra, bands.power(spectra)
        own, power = known[z]
        pairs = [bands.coherence(own, known[i][0], power, known[i][1]) for i in near]
        weight = gain(np.mean(pairs, axis=0)).astype(result.dtype)[:, :, bands.number]
        result[z] = slice_of(TileSpectra(own.values * weight, own.means), tiling, with_means=with_means)
        known.pop(z - lag, None)
    return result


def slices_within(distance_mm: float, spacing_mm: Spacing) -> int:
    """How many slices a distance is, at least 1."""
    return max(1, round(distance_mm / spacing_mm[0]))


def _share(part: Floats, whole: Floats) -> Floats:
    """``part / whole``, and 0 where there is nothing."""
    return np.divide(part, whole, out=np.zeros_like(whole), where=whole > 0)
