"""Statistics of the sub-bands of any PyWavelets wavelet, decimated or stationary, by level and direction.

In the order of the source: smoothing by a Gaussian, transform, decomposition into levels and bands
(:mod:`tasks.imaging.sub_bands`), and the energies of the bands combined by weights.

- The *decimated* transform keeps every second coefficient, so that none belongs to a voxel: it is taken of the cube
  around the candidate (:mod:`tasks.extract.cube`), where levels mean fractions of a lesion.
- The *stationary* transform keeps a coefficient for every voxel: it is taken on the region's own grid, where levels
  mean millimetres, and statistics look at the intensity mask alone. A coefficient belongs to the voxel in the middle of
  its filter, to within half a voxel.

Coefficients are scaled to differences of means (the orthonormal ones over ``2**(level / 2)`` per axis), so that levels
can be compared. What lies beyond the surroundings is mirrored.

The family ``haar_wavelet`` is the decimated transform of one wavelet, with logarithms and its own combination, as the
studies have it. The wavelets of the IBSI are filters (:mod:`tasks.imaging.responses`), with the standard's borders and
pooling.

References
----------
Mallat 1989, doi:10.1109/34.192463; Nason & Silverman 1995, doi:10.1007/978-1-4612-2544-7_17; Lee et al. 2019
(PyWavelets), doi:10.21105/joss.01237
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Literal, Self

import numpy as np
import numpy.typing as npt
from pydantic import Field, field_validator, model_validator

from storage.volume import Triple
from tasks.extract.cube import CubeSettings, Floats, cube, cube_margin_mm
from tasks.extract.feature import FeatureInfo
from tasks.extract.region import Region, widened
from tasks.imaging.morphology import mask_box
from tasks.imaging.sub_bands import combined_energy, detail_axes, detail_keys

Statistic = Literal["energy", "mean_absolute", "deviation", "entropy"]
STATISTICS: dict[Statistic, FeatureInfo] = {
    "energy": FeatureInfo(None, "intensity2", "Mean squared coefficient"),
    "mean_absolute": FeatureInfo(None, "intensity", "Mean absolute coefficient"),
    "deviation": FeatureInfo(None, "intensity", "Standard deviation of the coefficients"),
    "entropy": FeatureInfo(
        None,
        "1",
        "How evenly the energy is spread over the coefficients, Shannon entropy over its maximum: 0 in one, 1 evenly",
        nan_when="a band of one coefficient or without energy",
    ),
}
ROUNDING = 1e-10
"""Coefficients below this share of the largest intensity are what rounding leaves of none."""


class Settings(CubeSettings):
    """Which transform of what, and what is said of it.

    The settings of the cube are those of the decimated transform; ``smoothing_samples`` is of both: a sample of the
    stationary one is a voxel.

    Attributes
    ----------
    transform
        ``"decimated"`` or ``"stationary"``.
    wavelet
        Name of a discrete wavelet of PyWavelets, e.g. ``"haar"``, ``"db4"``, ``"bior2.2"``.
    levels
        Levels of the decomposition; of the decimated transform at most as many as the cube's samples bear.
    slice_wise
        Whether each slice is transformed by itself, in two dimensions.
    surroundings_mm
        How much around the candidate the stationary transform sees.
    statistics
        Of each band.
    weights
        Of bands (``level_1_x``, ``approximation``) in the combined energy; one that is not named weighs 1, but for the
        approximation: 0.
    """

    transform: Literal["decimated", "stationary"] = "stationary"
    wavelet: str = "coif1"
    levels: int = Field(2, ge=1, le=6)
    slice_wise: bool = False
    surroundings_mm: float = Field(10.0, ge=0)
    statistics: tuple[Statistic, ...] = ("energy", "mean_absolute", "deviation", "entropy")
    weights: dict[str, float] = Field(default_factory=dict)

    @field_validator("wavelet")
    @classmethod
    def _discrete(cls, name: str) -> str:
        import pywt

        if name not in (names := pywt.wavelist(kind="discrete")):
            raise ValueError(f"no discrete wavelet {name!r}; choose from: {', '.join(names)}")
        return name

    @model_validator(mode="after")
    def _fitting(self) -> Self:
        if unknown := sorted(set(self.weights) - set(self.bands)):
            raise ValueError(f"no band {', '.join(unknown)}; choose from: {', '.join(self.bands)}")
        if self.transform == "decimated":
            import pywt

            if self.levels > (most := pywt.dwt_max_level(self.samples, pywt.Wavelet(self.wavelet).dec_len)):
                raise ValueError(
                    f"expected at most {most} levels of {self.wavelet!r} in {self.samples} samples; got {self.levels}"
                )
        return self

    @property
    def axes(self) -> int:
        """How many axes are transformed."""
        return 2 if self.slice_wise else 3

    @property
    def bands(self) -> tuple[str, ...]:
        """Names of the bands, the finest first."""
        levels, keys = range(1, self.levels + 1), detail_keys(self.axes)
        return (*(f"level_{level}_{detail_axes(key)}" for level in levels for key in keys), "approximation")


def features(settings: Settings) -> dict[str, FeatureInfo]:
    """Statistics of each band (``level_1_x_energy``), and the ``combined_energy``."""
    infos = {}
    for band in settings.bands:
        for name in settings.statistics:
            kind = STATISTICS[name]
            text = f"{kind.description}, {band.replace('_', ' ')}."
            infos[f"{band}_{name}"] = FeatureInfo(None, kind.unit, text, nan_when=kind.nan_when)
    return infos | {"combined_energy": FeatureInfo(None, "intensity2", "Weighted sum of the energies of the bands.")}


def margin_mm(extent_mm: Triple, settings: Settings) -> Triple:
    """The surroundings that the transform sees."""
    if settings.transform == "decimated":
        return cube_margin_mm(extent_mm, settings)
    around = settings.surroundings_mm
    return (0.0 if settings.slice_wise else around, around, around)


def compute(region: Region, settings: Settings) -> dict[str, float]:
    """Statistics of the bands, and their energies combined, by the names of `features`."""
    decompose = _decimated if settings.transform == "decimated" else _stationary
    values: dict[str, float] = {}
    energies: dict[str, float] = {}
    bands = dict(decompose(region, settings))
    for band in settings.bands:
        known = _statistics(bands[band])
        energies[band] = known["energy"]
        values |= {f"{band}_{name}": known[name] for name in settings.statistics}
    weights = {band: 0.0 if band == "approximation" else 1.0 for band in settings.bands} | settings.weights
    return values | {"combined_energy": float(combined_energy(energies, weights))}


def _decimated(region: Region, settings: Settings) -> Iterator[tuple[str, Floats]]:
    """Bands of the cube, ``(name, coefficients)``."""
    import pywt

    image = cube(region, settings)
    axes = tuple(range(3 - settings.axes, 3))
    coefficients = pywt.wavedecn(image, settings.wavelet, mode="symmetric", level=settings.levels, axes=axes)
    tiny = ROUNDING * float(np.abs(image).max())
    yield "approximation", _scaled(coefficients[0], settings.levels, settings.axes, tiny)
    for level, bands in zip(range(settings.levels, 0, -1), coefficients[1:], strict=True):
        for key, band in bands.items():
            yield f"level_{level}_{detail_axes(key)}", _scaled(band, level, settings.axes, tiny)


def _stationary(region: Region, settings: Settings) -> Iterator[tuple[str, Floats]]:
    """Bands inside the intensity mask, ``(name, coefficients)``."""
    import pywt

    image, inside = _surrounded(region, settings)
    tiny = ROUNDING * float(np.abs(image).max())
    axes = tuple(range(3 - settings.axes, 3))
    reach = pywt.Wavelet(settings.wavelet).dec_len * 2 ** (settings.levels - 1)
    widths = [
        (reach, reach + -(n + 2 * reach) % 2**settings.levels) if a in axes else (0, 0)
        for a, n in enumerate(image.shape)
    ]
    smooth = np.pad(image, widths, mode="symmetric")
    for level in range(1, settings.levels + 1):
        [bands] = pywt.swtn(smooth, settings.wavelet, level=1, start_level=level - 1, axes=axes)
        # A coefficient stands half of 2**level - 1 voxels before the middle of its filter.
        first = reach - (2**level - 1) // 2
        part = tuple(slice(first, first + n) if a in axes else slice(n) for a, n in enumerate(image.shape))
        smooth = bands.pop("a" * settings.axes)
        for key, band in bands.items():
            yield f"level_{level}_{detail_axes(key)}", _scaled(band[part][inside], level, settings.axes, tiny)
    yield "approximation", _scaled(smooth[part][inside], settings.levels, settings.axes, tiny)


def _surrounded(region: Region, settings: Settings) -> tuple[Floats, npt.NDArray[np.bool_]]:
    """The candidate with its surroundings, smoothed, and the intensity mask: what others see besides is cut."""
    from scipy import ndimage

    box = mask_box(region.mask)
    z, y, x = ((side.stop - side.start) * s for side, s in zip(box, region.spacing_mm, strict=True))
    part = widened(box, margin_mm((z, y, x), settings), region.mask.shape, region.spacing_mm)
    image = np.asarray(region.image[part], dtype=np.float64)
    if settings.smoothing_samples:
        along_z = 0.0 if settings.slice_wise else settings.smoothing_samples
        sigma = (along_z, settings.smoothing_samples, settings.smoothing_samples)
        image = ndimage.gaussian_filter(image, sigma, mode="nearest")
    return image, region.counted[part]


def _scaled(band: npt.NDArray[Any], level: int, axes: int, tiny: float) -> Floats:
    """Coefficients as differences of means, without what rounding leaves."""
    scaled = band.ravel() / 2.0 ** (axes * level / 2)
    return np.where(np.abs(scaled) > tiny, scaled, 0.0)


def _statistics(band: Floats) -> dict[str, float]:
    squares = band**2
    total = float(squares.sum())
    shares = squares[squares > 0] / (total or 1.0)
    defined = total > 0 and band.size > 1
    return {
        "energy": total / band.size,
        "mean_absolute": float(np.abs(band).mean()),
        "deviation": float(band.std()),
        "entropy": float(-(shares * np.log(shares)).sum() / np.log(band.size)) if defined else float("nan"),
    }
