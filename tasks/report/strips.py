"""What is on images but no step of a chain: pyramids, the Haar transform, and what slices have in common.

Each becomes a row of pictures for the gallery.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

import numpy as np

from tasks.imaging.step import Array
from tasks.report.demonstration import Picture, Shown, Window, draw, range_of, window_of
from tasks.report.example import Example

LEVELS = 3
DISPLACED_PIXELS = (6, -9)
"""How far a slice is moved, so that it can be put back."""
PLAIN = Shown(())

Named = tuple[str, Picture]


@dataclass(frozen=True)
class Strip:
    """A row of named pictures, or the reason why there is none."""

    name: str
    sentence: str
    example: str
    pictures: tuple[Named, ...]
    says: str
    seconds: float
    fault: str = ""


def strips(volume: Example) -> Iterator[Strip]:
    """All rows, on a volume."""
    piece = volume.detail()
    for name, (sentence, made) in ROWS.items():
        started = time.perf_counter()
        pictures: list[Named] = []
        says = fault = ""
        try:
            pictures, says = made(piece)
        except Exception as error:  # the page shows what became of each
            fault = f"{type(error).__name__}: {error}"
        yield Strip(name, sentence, volume.title, tuple(pictures), says, time.perf_counter() - started, fault)


def gaussian_levels(piece: Example) -> tuple[list[Named], str]:
    """Levels of the Gaussian pyramid of the middle slice."""
    from tasks.imaging.pyramid.gaussian import gaussian_pyramid

    plane = _middle(piece)
    levels = gaussian_pyramid(plane.array, spacing_mm=plane.spacing_mm, levels=LEVELS)
    return [_level(plane, level, at, window_of(piece)) for at, level in enumerate(levels)], ""


def laplacian_levels(piece: Example) -> tuple[list[Named], str]:
    """Levels of the Laplacian pyramid, and how exactly they make up the slice again."""
    from tasks.imaging.pyramid.laplacian import image_of, laplacian_pyramid

    plane = _middle(piece)
    levels = laplacian_pyramid(plane.array, spacing_mm=plane.spacing_mm, levels=LEVELS)
    return [_level(plane, level, at) for at, level in enumerate(levels)], _again(image_of(levels), plane.array)


def pooled_levels(piece: Example) -> tuple[list[Named], str]:
    """Levels by convolution with a kernel that finds edges, and the largest of each four."""
    from tasks.imaging.pyramid.convolution import convolution_pyramid

    plane = _middle(piece)
    levels = convolution_pyramid(plane.array, spacing_mm=plane.spacing_mm, kernels="edge", levels=LEVELS)
    return [_level(plane, level, at) for at, level in enumerate(levels)], ""


def haar_bands(piece: Example) -> tuple[list[Named], str]:
    """The four bands of one pass over the middle slice."""
    from tasks.imaging.haar import haar, inverse_haar

    plane = _middle(piece)
    bands = haar(plane.array)
    back = inverse_haar(bands, plane.array.shape)
    spacing = tuple(2 * s for s in plane.spacing_mm)
    drawn = [_drawn(name, replace(plane, array=band, spacing_mm=spacing)) for name, band in bands.items()]
    return drawn, _again(back, plane.array)


def aligned(piece: Example) -> tuple[list[Named], str]:
    """A displaced slice, and where it is found and put back."""
    from tasks.imaging.spectrum.cross_slices import align_slices

    at, spoilt = len(piece.array) // 2, piece.array.copy()
    spoilt[at] = np.roll(spoilt[at], DISPLACED_PIXELS, axis=(0, 1))
    result, away = align_slices(spoilt, spacing_mm=piece.spacing_mm)
    expected = np.asarray(DISPLACED_PIXELS) * piece.spacing_mm[1:]
    says = "displaced by {:.1f}, {:.1f} mm; found {:.1f}, {:.1f} mm".format(*expected, *away[at])
    window = window_of(piece)
    named = {"before": piece.array, "displaced": spoilt, "put back": result}
    return [(name, draw(replace(piece, array=array), window, PLAIN)) for name, array in named.items()], says


def common(piece: Example) -> tuple[list[Named], str]:
    """Two neighbouring slices, where they have structure in common, and what stands out from both."""
    from tasks.imaging.spectrum.coherence import coherence_map
    from tasks.imaging.spectrum.saliency import saliency_map

    at, window = len(piece.array) // 2, window_of(piece)
    first, second = (replace(_middle(piece), array=piece.array[z]) for z in (at, at + 1))
    shared = coherence_map(first.array, second.array, spacing_mm=first.spacing_mm)
    salient = saliency_map(piece.array, spacing_mm=piece.spacing_mm)[at]
    maps = {"coherence": shared, "saliency": salient}
    return [
        ("a slice", draw(first, window, PLAIN)),
        ("the next", draw(second, window, PLAIN)),
        *(
            (name, draw(replace(first, array=array, unit="arbitrary"), (0.0, 1.0), PLAIN))
            for name, array in maps.items()
        ),
    ], ""


ROWS: dict[str, tuple[str, Callable[[Example], tuple[list[Named], str]]]] = {
    "Gaussian pyramid": ("Each level half as fine, smoothed before.", gaussian_levels),
    "Laplacian pyramid": ("What each level of the Gaussian pyramid loses, and the coarsest level.", laplacian_levels),
    "Convolution and max pooling": ("Each level convolved with a kernel that finds edges, and pooled.", pooled_levels),
    "Haar transform": ("Sums and differences of neighbours: one pass, four bands.", haar_bands),
    "Slices put back by phase correlation": ("A slice is displaced, found and put back.", aligned),
    "What slices have in common": ("Coherence of two slices by place, and what is salient.", common),
}


def _middle(piece: Example) -> Example:
    """The middle slice as a picture."""
    plane = np.ascontiguousarray(piece.array[len(piece.array) // 2])
    return replace(piece, array=plane, spacing_mm=piece.spacing_mm[1:], direction=None)


def _level(plane: Example, level: Array, at: int, window: Window | None = None) -> Named:
    spacing = tuple(s * n / m for s, n, m in zip(plane.spacing_mm, plane.array.shape, level.shape, strict=True))
    return _drawn(f"level {at}", replace(plane, array=level, spacing_mm=spacing), window)


def _again(result: Array, expected: Array) -> str:
    largest = float(np.abs(result - expected).max())
    return f"put together again within {largest:.2g}" if largest else "put together again exactly"


def _drawn(name: str, plane: Example, window: Window | None = None) -> Named:
    return name, draw(plane, window or range_of(plane), PLAIN)
