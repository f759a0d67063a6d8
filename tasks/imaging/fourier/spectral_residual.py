"""A map of what stands out in a picture: the spectral residual.

The logarithmic magnitudes of pictures' spectra look much alike: smooth. What departs from its own local mean there, the
residual, belongs to what is unusual in the picture; with the picture's phases it shows where that is:
``S = G * | F⁻¹[ exp(R + iP) ] |²``, ``R = log|F| − mean(log|F|)``, on a picture of few pixels (Hou & Zhang, "Saliency
detection: a spectral residual approach", doi:10.1109/CVPR.2007.383267).

The size of those pixels sets what can stand out: things of a few pixels. The source takes 64 pixels a side whatever is
seen; here it is a length in mm, by default 5, about 64 pixels over a chest or belly. Later work (Guo et al.,
doi:10.1109/CVPR.2008.4587715) showed that the phases alone give nearly the same map: it is a detector of edges and
blobs at one scale, more than of rarity, and to be judged so.
"""

from __future__ import annotations

from typing import Literal

import numpy as np
from pydantic import Field

from tasks.imaging.step import Array, Spacing, Step, View, floating
from tasks.threads import over_slabs

_MEAN_OVER = 3
"""Elements of the spectrum that the local mean is taken over, a side."""


def spectral_residual(array: Array, *, spacing_mm: Spacing, pixel_mm: float, sigma_mm: float) -> Array:
    """Saliency within the slices.

    Parameters
    ----------
    array
        ``(y, x)`` or ``(z, y, x)``, perhaps with colour last: by the mean of the colours.
    spacing_mm
        Along the spatial axes, in mm.
    pixel_mm
        Size of the pixels that the slices are made coarse to; finer than the image: the image's own.
    sigma_mm
        Standard deviation of the Gaussian over the map, in mm.

    Returns
    -------
    numpy.ndarray
        Shape of ``array``, the same in each colour; float32, or float64 of float64. 1 is the mean of the slice; the
        source calls 3 and more an object. A constant slice is 0.
    """
    in_plane = spacing_mm[-2:]
    axes = len(spacing_mm)
    grey = array if array.ndim == axes else array.mean(axis=-1)
    grey = grey.reshape(-1, *grey.shape[-2:])
    result = np.empty(grey.shape, dtype=floating(array[:0]).dtype)

    def slices(start: int, stop: int) -> None:
        for z in range(start, stop):
            result[z] = _of_slice(grey[z], in_plane, pixel_mm, sigma_mm)

    over_slabs(slices, len(grey))
    result = result.reshape(array.shape[:axes])
    return result if array.ndim == axes else np.repeat(result[..., None], array.shape[-1], axis=-1)


def _of_slice(image: Array, spacing_mm: Spacing, pixel_mm: float, sigma_mm: float) -> Array:
    from scipy import fft, ndimage
    from skimage.transform import resize

    shape = tuple(max(1, round(n * min(1.0, s / pixel_mm))) for n, s in zip(image.shape, spacing_mm, strict=True))
    coarse = resize(image.astype(np.float64), shape, order=1, mode="symmetric", anti_aliasing=shape != image.shape)
    coarse -= coarse.mean()
    spread = float(np.abs(coarse).max())
    if spread <= 1e-6 * float(np.abs(image).max()):
        return np.zeros(image.shape)
    spectrum = fft.fft2(coarse)
    magnitude = np.abs(spectrum)
    logs = np.log(magnitude + 1e-9 * magnitude.max())
    residual = logs - ndimage.uniform_filter(logs, _MEAN_OVER, mode="wrap")
    phases = spectrum / np.maximum(magnitude, 1e-9 * magnitude.max())
    energy = np.abs(fft.ifft2(np.exp(residual) * phases)) ** 2
    sigma = [sigma_mm * m / (n * s) for m, n, s in zip(shape, image.shape, spacing_mm, strict=True)]
    saliency = ndimage.gaussian_filter(energy, sigma, mode="reflect")
    return np.asarray(resize(saliency / saliency.mean(), image.shape, order=1, mode="symmetric", anti_aliasing=False))


class Settings(Step):
    """What stands out at the scale of ``pixel_mm``; every slice is needed as a whole."""

    whole = True
    name: Literal["spectral_residual"] = "spectral_residual"
    pixel_mm: float = Field(default=5.0, gt=0, description="Pixels that the slices are made coarse to, in mm.")
    sigma_mm: float = Field(default=4.0, gt=0, description="Smoothing of the map in mm.")

    def unit_after(self, unit: str) -> str:
        """Multiples of the slice's mean."""
        del unit
        return "arbitrary"

    def apply(self, block: Array, view: View) -> Array:
        """The map."""
        return spectral_residual(block, spacing_mm=view.spacing_mm, pixel_mm=self.pixel_mm, sigma_mm=self.sigma_mm)
