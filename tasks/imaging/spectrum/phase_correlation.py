"""By how much one image is shifted against another, found from the phases of their cross-power spectrum.

If ``fixed(r) = moved(r - d)``, their spectra differ by a phase alone: ``F · conj(M) = |F M| exp(-2 pi i f·d)``. With
the magnitudes divided out (Kuglin & Hines 1975, "The phase correlation image alignment method", Proc. IEEE Conf.
Cybernetics and Society, 163–165) the inverse transform is a single peak at d; between the voxels it has the known shape
of a Dirichlet kernel (Foroosh et al., doi:10.1109/TIP.2002.800894). Near its highest voxel the peak is computed on a
finer grid by the Fourier sum itself, as a product of small matrices (Guizar-Sicairos et al., doi:10.1364/OL.33.000156).

Real transforms and single precision: half the spectrum, and a quarter of the memory of complex double precision.
Frequencies that hold no more than rounding have no phase and are left out, where a whitened spectrum would count them
like all others.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from tasks.imaging.step import Array, Index, floating
from tasks.threads import over_slabs, thread_budget


@dataclass(frozen=True)
class Shift:
    """Where the peak lies.

    Attributes
    ----------
    voxels
        ``d`` along each axis: moved by so many voxels, ``moved`` lies on ``fixed``.
    peak
        Height of the peak at a whole voxel, from 0 to 1: the share of the frequencies that agree on the shift.
    by_chance
        About how high the highest of as many peaks would be between images that have nothing in common:
        ``sqrt(2 ln N / N)`` for N voxels.
    """

    voxels: tuple[float, ...]
    peak: float
    by_chance: float

    @property
    def is_certain(self) -> bool:
        """Whether the peak is more than chance: at least twice as high."""
        return self.peak > 2 * self.by_chance


@dataclass(frozen=True, eq=False)
class Half:
    """The half spectrum of a real image, as ``rfftn`` gives it.

    Attributes
    ----------
    values
        Complex.
    shape
        Of the image.
    noise
        Magnitude of rounding in ``values``: what is no larger has no phase.
    """

    values: Array
    shape: Index
    noise: float


def phase_correlation(fixed: Array, moved: Array, *, upsample: int = 1) -> Shift:
    """The shift that brings ``moved`` onto ``fixed``, modulo their size: images continue periodically.

    Parameters
    ----------
    fixed, moved
        Same shape, ``(y, x)`` or ``(z, y, x)``, any real type.
    upsample
        The shift is found to within ``1 / upsample`` voxel.

    Raises
    ------
    ValueError
        When the shapes differ.
    """
    if fixed.shape != moved.shape:
        raise ValueError(f"expected images of the same shape; got {fixed.shape} and {moved.shape}")
    return shift_between(spectrum_of(fixed), spectrum_of(moved), upsample=upsample)


def spectrum_of(image: Array, *, taper: bool = False) -> Half:
    """The half spectrum of the image less its mean.

    Parameters
    ----------
    taper
        Whether the image fades out to its borders (Hann), so that they do not count as an edge that never moves.
    """
    from scipy import fft

    values = np.subtract(image, image.mean(dtype=np.float64), dtype=floating(image[:0]).dtype)
    if taper:
        for axis, n in enumerate(image.shape):
            fade = np.hanning(n + 2)[1:-1].astype(values.dtype)
            values *= fade.reshape([-1 if a == axis else 1 for a in range(image.ndim)])
    energy = float(np.vdot(values, values))
    spectrum = np.asarray(fft.rfftn(values, workers=thread_budget(), overwrite_x=True))
    return Half(spectrum, image.shape, 4 * float(np.finfo(values.dtype).eps) * energy**0.5)


def shift_between(fixed: Half, moved: Half, *, upsample: int = 1) -> Shift:
    """As `phase_correlation`, of spectra that are used more than once."""
    from scipy import fft

    phases = _phases(fixed, moved)
    kept = phases if upsample == 1 else phases.copy()
    surface = np.asarray(fft.irfftn(kept, s=fixed.shape, workers=thread_budget(), overwrite_x=True))
    # The lowest as well as the highest: where bright is dark in the other image, the peak is negative.
    ends = [np.unravel_index(int(place), fixed.shape) for place in (surface.argmax(), surface.argmin())]
    top = max(ends, key=lambda at: abs(float(surface[at])))
    shift = np.array([p - n if p > n // 2 else p for p, n in zip(top, fixed.shape, strict=True)], dtype=float)
    if upsample > 1:
        shift = _refined(phases, fixed.shape, shift, upsample)
    shift[np.asarray(fixed.shape) == 1] = 0.0
    count = max(2, int(np.prod(fixed.shape)))
    chance = float(np.sqrt(2 * np.log(count) / count))
    return Shift(tuple(float(d) for d in shift), abs(float(surface[top])), chance)


def _phases(fixed: Half, moved: Half) -> Array:
    """``F conj(M) / |F M|``, and near 0 where that is rounding; in pieces that stay in the cache."""
    result = np.empty_like(fixed.values)
    tiny = np.finfo(result.real.dtype).tiny
    floor = np.asarray(max(fixed.noise * moved.noise, float(tiny)), dtype=result.real.dtype)

    def rows(start: int, stop: int) -> None:
        for i in range(start, stop):
            product = np.conjugate(moved.values[i], out=result[i])
            product *= fixed.values[i]
            size = np.abs(product)
            product /= np.maximum(size, floor, out=size)

    over_slabs(rows, len(result))
    return result


def _refined(phases: Array, shape: Index, shift: Array, upsample: int) -> Array:
    """The highest place of a grid of ``1 / upsample`` voxel within 0.75 voxel of a shift."""
    shift = np.round(shift * upsample) / upsample
    count = int(np.ceil(1.5 * upsample))
    offsets = (np.arange(count) - count // 2) / upsample
    columns = np.arange(phases.shape[-1])
    # Each column but the first, and the last of an even length, stands for its mirror image as well.
    twice = np.where((columns == 0) | (2 * columns == shape[-1]), 1.0, 2.0)
    surface = phases
    for axis in reversed(range(len(shape))):
        k = columns if axis == len(shape) - 1 else np.fft.fftfreq(shape[axis], 1 / shape[axis])
        waves = np.exp(2j * np.pi / shape[axis] * np.outer(k, shift[axis] + offsets))
        if axis == len(shape) - 1:
            waves *= twice[:, None]
        # The last axis goes, and the finer one comes first: after all axes they stand in order again.
        surface = np.moveaxis(surface @ waves.astype(phases.dtype), -1, 0)
    best = np.unravel_index(int(np.argmax(np.abs(surface.real))), surface.shape)
    return np.asarray(shift + offsets[list(best)])
