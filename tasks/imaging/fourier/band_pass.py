"""Only what lies between two spatial frequencies is kept, in cycles/mm.

A structure of d mm across has its main frequency near ``1 / (2 d)``: the default band, 0.02 to 0.2 cycles/mm, holds
structures of 2.5 to 25 mm, as most focal lesions are. Both ends roll off smoothly, for a sharp end would ring.

The discrete cosine transform (type II) is the Fourier transform of the image mirrored at its faces
(``d c b a | a b c d``), so that opposite faces do not leak into one another, and nothing needs to be padded. The
response of a sharp roll-off has no end in space: the whole image is needed.

Source: Butterworth, "On the theory of filter amplifiers", Wireless Engineer 7, 1930, as Gonzalez & Woods, "Digital
Image Processing", use it for images: without the square root, so that the gain at a cut is one half. Mirrored by the
cosine transform: Martucci, doi:10.1109/78.295213.
"""

from __future__ import annotations

from typing import Literal, Self

import numpy as np
from pydantic import Field, model_validator

from tasks.imaging.spectrum.transform import Floats
from tasks.imaging.step import Array, Spacing, Step, View, floating, per_channel
from tasks.threads import over_slabs, thread_budget

RollOff = Literal["butterworth", "gaussian"]


def band_pass(
    array: Array,
    *,
    spacing_mm: Spacing,
    low_cut_per_mm: float | None,
    high_cut_per_mm: float | None,
    roll_off: RollOff = "butterworth",
    order: int = 2,
) -> Array:
    """Keep the frequencies between two cuts, in all directions alike.

    Parameters
    ----------
    array
        ``(y, x)`` or ``(z, y, x)``, perhaps with colour last: each colour for itself.
    spacing_mm
        Along the spatial axes, in mm.
    low_cut_per_mm, high_cut_per_mm
        In cycles/mm; the gain there is one half. ``None``: no cut. With a low cut the mean is gone as well.
    roll_off
        Gain of what lies below a cut c: ``butterworth``: ``1 / (1 + (f / c)^(2 order))``; ``gaussian``:
        ``2^-(f / c)²``. What lies above: one less that.
    order
        Of ``butterworth``: 1 is soft, 4 rings visibly.

    Returns
    -------
    numpy.ndarray
        float32, or float64 of float64.
    """
    from scipy import fft

    def below(square: Floats, cut: float) -> Floats:
        ratio = square / cut**2
        return np.exp2(-ratio) if roll_off == "gaussian" else 1.0 / (1.0 + ratio**order)

    def one(grey: Array) -> Array:
        spectrum = np.asarray(fft.dctn(floating(grey), norm="ortho", workers=thread_budget()))
        axes = [(np.arange(n) / (2 * n * s)) ** 2 for n, s in zip(grey.shape, spacing_mm, strict=True)]
        rest = sum(np.meshgrid(*axes[1:], indexing="ij", sparse=True))

        def weigh(start: int, stop: int) -> None:
            for i in range(start, stop):
                square = (axes[0][i] + rest).astype(spectrum.dtype)
                if high_cut_per_mm is not None:
                    spectrum[i] *= below(square, high_cut_per_mm)
                if low_cut_per_mm is not None:
                    spectrum[i] *= 1.0 - below(square, low_cut_per_mm)

        over_slabs(weigh, len(spectrum))
        return np.asarray(fft.idctn(spectrum, norm="ortho", workers=thread_budget(), overwrite_x=True))

    return per_channel(one, array, len(spacing_mm))


class Settings(Step):
    """Frequencies from ``low_cut_per_mm`` to ``high_cut_per_mm``; the whole image is needed."""

    whole = True
    name: Literal["band_pass"] = "band_pass"
    low_cut_per_mm: float | None = Field(default=0.02, gt=0, description="In cycles/mm; None: no cut.")
    high_cut_per_mm: float | None = Field(default=0.2, gt=0, description="In cycles/mm; None: no cut.")
    roll_off: RollOff = "butterworth"
    order: int = Field(default=2, ge=1, le=8, description="Of the Butterworth roll-off.")

    @model_validator(mode="after")
    def _is_a_band(self) -> Self:
        low, high = self.low_cut_per_mm, self.high_cut_per_mm
        if low is None and high is None:
            raise ValueError("band_pass: expected low_cut_per_mm or high_cut_per_mm")
        if low is not None and high is not None and low >= high:
            raise ValueError(f"band_pass: low_cut_per_mm must be below high_cut_per_mm; got {low} and {high}")
        return self

    def unit_after(self, unit: str) -> str:
        """None where the low cut takes the mean away: 0 is no longer what it was."""
        return unit if self.low_cut_per_mm is None else "arbitrary"

    def apply(self, block: Array, view: View) -> Array:
        """Filter the image."""
        return band_pass(block, spacing_mm=view.spacing_mm, **self.model_dump(exclude={"name"}))
