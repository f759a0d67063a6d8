"""Separable wavelets (25BO), after the IBSI manual on filters (arXiv:2006.05470): undecimated, by "à trous".

The image keeps its size at every level: between the weights of level j lie ``2^(j-1) - 1`` zeros. The decimated
transform, whose coefficients thin out, is a feature family of its own (``haar_wavelet``); values of the two are never
the same.

References
----------
Mallat 1989, doi:10.1109/34.192463; Holschneider et al. 1989, doi:10.1007/978-3-642-97177-8_28
"""

from __future__ import annotations

from typing import Literal, Self

from pydantic import Field, field_validator, model_validator

from storage.volume import FloatArray, Triple
from tasks.imaging.filtering.filter import Filter
from tasks.imaging.filtering.pooling import Pooling
from tasks.imaging.filtering.rotations import Cascade, respond
from tasks.imaging.filtering.separable import Kernel, centred


class Settings(Filter):
    """One sub-band of one level.

    Attributes
    ----------
    wavelet
        By its name in PyWavelets: ``"haar"``, ``"db3"``, ``"coif1"``, ``"bior2.2"``.
    band
        Low- or high-pass along x, y and z, or along x and y slice by slice: ``"LLH"``.
    level
        Of the decomposition (GCEK), from 1; those before it are low-pass along all axes.
    pooling
        Over the filter's right-angle rotations, all levels turned alike.
    """

    name: Literal["separable_wavelet"] = "separable_wavelet"
    wavelet: str = "haar"
    band: str = Field("LLH", pattern="^[LH]+$")
    level: int = Field(1, ge=1, le=8)
    pooling: Pooling = "mean"

    @field_validator("wavelet")
    @classmethod
    def _known(cls, name: str) -> str:
        import pywt

        if name not in (known := pywt.wavelist(kind="discrete")):
            raise ValueError(f"no wavelet {name!r}; choose from: {', '.join(known)}")
        return name

    @model_validator(mode="after")
    def _letter_an_axis(self) -> Self:
        if len(self.band) != (axes := 2 if self.slice_wise else 3):
            raise ValueError(f"expected {axes} letters L or H, one an axis; got {self.band!r}")
        return self

    @property
    def label(self) -> str:
        """``separable_wavelet_haar_LLH_1_mean``."""
        return self.labelled(self.wavelet, self.band, self.level, self.pooling)

    @property
    def least_voxels(self) -> int:
        """As many as the weights of the level are apart, and one more."""
        return (1 << self.level - 1) + 1

    def filtered(self, image: FloatArray, spacing_mm: Triple) -> FloatArray:
        """The sub-band, of voxels whatever their spacing."""
        del spacing_mm
        return respond(image, self._cascade(), self.boundary, self.pooling)

    def _cascade(self) -> Cascade:
        import pywt

        wavelet = pywt.Wavelet(self.wavelet)
        weights = {"L": wavelet.dec_lo, "H": wavelet.dec_hi}
        bands = ["L" * len(self.band)] * (self.level - 1) + [self.band]
        return tuple(
            tuple(with_holes(weights[letter], level) for letter in reversed(band)) for level, band in enumerate(bands)
        )


def with_holes(weights: list[float], level: int) -> Kernel:
    """Weights with zeros after each of them, ``2^level`` times as many in all; the first level is 0."""
    return centred([value for weight in weights for value in (weight, *[0.0] * (2**level - 1))])
