"""Narrow peaks in the spectrum of a picture: stripes and other noise that repeats; how it is found and taken away.

*Found*: anatomy has no period that holds over the whole picture, so that its spectrum falls smoothly with the length of
the frequency. A peak is a local maximum whose logarithmic power exceeds the median of its ring (the frequencies of the
same length) by many robust standard deviations, and that of its own surroundings as well: a ridge, as from the edge of
a table, is no peak. The picture is tapered (Hann) before, so that its borders make no cross.

*Taken away*: around each peak, a Gaussian of the spectrum. The missing surroundings of the picture are accounted for as
in normalized convolution (Knutsson & Westin, doi:10.1109/CVPR.1993.341081): the picture is continued by 0, and what
the Gaussian gives is divided by what it gives of a picture of ones. Without that a stripe of a broken number of periods
would stay near the borders. Notch filters with Gaussian flanks: Gonzalez & Woods, "Digital Image Processing", 4.10.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from tasks.imaging.spectrum.transform import Floats, frequencies_per_mm, half_frequencies_per_mm, length
from tasks.imaging.step import Array, Spacing, floating

Frequency = tuple[float, float]
"""Along (y, x), in cycles/mm; the sign tells the direction of the stripes. The opposite one is always meant as well."""

SMALLEST_SIDE = 16
"""Pixels: in smaller pictures a peak cannot be told from its surroundings."""
_AROUND = 5
"""Elements of the spectrum on each side of a peak that are its surroundings, without the inner two (Hann's lobe)."""


def find_peaks(
    image: Array, *, spacing_mm: Spacing, above_per_mm: float, threshold: float, most: int
) -> list[Frequency]:
    """The frequencies of what repeats, strongest first.

    Parameters
    ----------
    image
        ``(y, x)``.
    spacing_mm
        ``(y, x)`` in mm.
    above_per_mm
        Frequencies below are anatomy's own, in cycles/mm.
    threshold
        In robust standard deviations (1.4826 times the median absolute deviation) of the ring's logarithmic power.
    most
        No more peaks than these.
    """
    from scipy import fft, ndimage

    if min(image.shape) < SMALLEST_SIDE:
        return []
    taper = np.hanning(image.shape[0])[:, None] * np.hanning(image.shape[1])
    flat = (image - image.mean(dtype=np.float64)) * taper
    power = np.abs(np.asarray(fft.fftshift(fft.fft2(flat)))) ** 2
    if power.max() == 0:
        return []
    logs = np.log(power + 1e-20 * power.max())
    axes = frequencies_per_mm(image.shape, spacing_mm)
    radius = length(axes)
    excess, scale = _against_ring(logs, radius, spacing_mm)
    is_top = logs == ndimage.maximum_filter(logs, size=2 * _AROUND + 1, mode="wrap")
    found = [
        (float(excess[at]), _refined(logs, at, axes))
        for at in map(tuple, np.argwhere(is_top & (excess > threshold) & (radius > above_per_mm)))
        if logs[at] - _surroundings(logs, at) > threshold * scale[at]
    ]
    kept = [(strength, f) for strength, f in found if f > (0.0, 0.0)]
    return [f for _, f in sorted(kept, reverse=True)[:most]]


def remove_frequencies(
    image: Array, frequencies: list[Frequency], *, spacing_mm: Spacing, width_per_mm: float
) -> Array:
    """The picture ``(y, x)`` without what lies near the given frequencies.

    Parameters
    ----------
    width_per_mm
        Standard deviation of each notch in cycles/mm.
    """
    from scipy import fft

    values = floating(image)
    if not frequencies:
        return values.copy()
    slow = min(np.hypot(*f) for f in frequencies) / 4
    detail = values - _below(values, slow, spacing_mm)
    reach = [int(np.ceil(3 / (2 * np.pi * width_per_mm * s))) for s in spacing_mm]
    shape = tuple(fft.next_fast_len(n + r, real=True) for n, r in zip(image.shape, reach, strict=True))
    fy, fx = half_frequencies_per_mm(shape, spacing_mm)

    def passed(picture: Array, centres: Iterator[Frequency]) -> Array:
        gain = np.zeros((len(fy), len(fx)), dtype=values.dtype)
        for y, x in centres:
            square = (fy[:, None] - y) ** 2 + (fx - x) ** 2
            gain += np.exp(-square / (2 * width_per_mm**2)).astype(values.dtype)
        spectrum = fft.rfft2(picture, s=shape)
        back = fft.irfft2(spectrum * gain, s=shape, overwrite_x=True)
        return np.asarray(back[: image.shape[0], : image.shape[1]])

    both = ((sign * y, sign * x) for y, x in frequencies for sign in (1, -1))
    seen = passed(np.ones_like(values), iter([(0.0, 0.0)]))
    return np.asarray(values - passed(detail, both) / seen)


def _against_ring(logs: Floats, radius: Floats, spacing_mm: Spacing) -> tuple[Floats, Floats]:
    """Robust standard deviations above the ring's median, and how large one is, at every element."""
    from scipy import ndimage

    step = max(1.0 / (n * s) for n, s in zip(logs.shape, spacing_mm, strict=True))
    ring = np.rint(radius / step).astype(np.int64)
    numbers = np.arange(ring.max() + 1)
    above = logs - np.asarray(ndimage.median(logs, ring, numbers))[ring]
    scale = 1.4826 * np.asarray(ndimage.median(np.abs(above), ring, numbers))[ring]
    scale = np.maximum(scale, 0.5)  # a ring of a few elements; log power of noise has 1.1
    return above / scale, scale


def _surroundings(logs: Floats, at: tuple[int, ...]) -> float:
    """Median of the elements around one, without those that a peak itself fills."""
    offsets = np.arange(-_AROUND, _AROUND + 1)
    window = logs.take(at[0] + offsets, axis=0, mode="wrap").take(at[1] + offsets, axis=1, mode="wrap")
    outside = np.maximum(np.abs(offsets)[:, None], np.abs(offsets)) > 2
    return float(np.median(window[outside]))


def _refined(logs: Floats, at: tuple[int, ...], axes: tuple[Floats, ...]) -> Frequency:
    """The top of a parabola through the logarithmic power of three elements, along each axis."""
    place = []
    for axis, frequencies in enumerate(axes):
        line = logs.take(at[1 - axis], 1 - axis).take(at[axis] + np.arange(-1, 2), mode="wrap")
        bend = float(line[0] - 2 * line[1] + line[2])
        part = 0.5 * float(line[0] - line[2]) / bend if bend < 0 else 0.0
        place.append(float(frequencies[at[axis]] + part * (frequencies[1] - frequencies[0])))
    return place[0], place[1]


def _below(values: Array, cut_per_mm: float, spacing_mm: Spacing) -> Array:
    """What varies slowly, borders mirrored, so that a bright ground does not leak into the notches."""
    from scipy import ndimage

    sigma = [np.sqrt(2 * np.log(2)) / (2 * np.pi * cut_per_mm * s) for s in spacing_mm]
    return np.asarray(ndimage.gaussian_filter(values, sigma, mode="reflect"))
