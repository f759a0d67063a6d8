"""Wavelet shrinkage: small wavelet coefficients are noise, large ones structure.

Each band of an orthogonal wavelet transform is shrunk by a threshold of its own, noise² over the standard deviation of
what the band holds beside noise: BayesShrink (Chang, Yu and Vetterli, doi:10.1109/83.862633). The noise's level is
measured in the finest diagonal band of the Haar transform (see :mod:`tasks.imaging.noise`). In colour each channel is
for itself.

Thresholds come from whole bands, and coarse coefficients from large parts of the image: it is not done in blocks. A few
copies of the image are held.
"""

from __future__ import annotations

from typing import ClassVar, Literal

import numpy as np
from pydantic import Field

from tasks.imaging.noise import noise_level
from tasks.imaging.step import Array, Blocks, Facts, Index, Spacing, Step, View, floating, per_channel

Wavelet = Literal["haar", "db2", "db4", "db8", "sym4", "sym8", "coif1", "coif2"]
"""Orthogonal ones: noise stays white in their bands."""
MOST_LEVELS = 4
"""Bands coarser than 16 voxels hold next to no noise."""


def wavelet_shrinkage(
    array: Array, *, spacing_mm: Spacing, noise: float, wavelet: Wavelet = "sym4", in_plane: bool = False
) -> Array:
    """Shrink the wavelet coefficients.

    Parameters
    ----------
    array
        ``(y, x)`` or ``(z, y, x)``, perhaps with colour last.
    spacing_mm
        Along the spatial axes; says how many there are.
    noise
        Its standard deviation, in the image's unit; of 0 nothing is changed.
    wavelet
        By its name in PyWavelets.
    in_plane
        Whether slices are transformed each for itself. They are in any case where there are too few of them.

    Returns
    -------
    numpy.ndarray
        float32, or float64 of float64. Images too small for one level of the transform are not changed.
    """
    if noise <= 0:
        return floating(array)
    axes = len(spacing_mm)

    def of_grey(grey: Array) -> Array:
        if axes == 3 and (in_plane or not _levels(grey.shape[:1], wavelet)):
            return np.stack([_shrunk(slice_, noise, wavelet) for slice_ in grey])
        return _shrunk(grey, noise, wavelet)

    return per_channel(of_grey, floating(array), axes)


def _shrunk(grey: Array, noise: float, wavelet: Wavelet) -> Array:
    from skimage.restoration import denoise_wavelet

    levels = min(_levels(grey.shape, wavelet), MOST_LEVELS)
    if not levels:
        return grey
    shrunk = denoise_wavelet(
        grey, sigma=noise, wavelet=wavelet, wavelet_levels=levels, method="BayesShrink", mode="soft"
    )
    return np.asarray(shrunk, dtype=grey.dtype)


def _levels(shape: Index, wavelet: Wavelet) -> int:
    """How often an image of this shape can be halved before the wavelet is longer than what is left."""
    import pywt

    return int(pywt.dwtn_max_level(shape, wavelet))


class Settings(Step):
    """Wavelet shrinkage of ``times_noise`` the noise that is measured in the image."""

    whole: ClassVar[bool] = True

    name: Literal["wavelet_shrinkage"] = "wavelet_shrinkage"
    times_noise: float = Field(default=1.0, gt=0, le=10, description="How much the measured noise counts.")
    wavelet: Wavelet = Field(default="sym4", description="By its name in PyWavelets.")
    in_plane: bool = Field(default=False, description="Slices each for itself.")

    def measure(self, blocks: Blocks, view: View) -> Facts:
        """The noise."""
        return {"noise": self.times_noise * noise_level(blocks, view)}

    def apply(self, block: Array, view: View) -> Array:
        """Shrink the whole image's coefficients."""
        return wavelet_shrinkage(
            block,
            spacing_mm=view.spacing_mm,
            noise=view.measured["noise"],
            wavelet=self.wavelet,
            in_plane=self.in_plane,
        )
