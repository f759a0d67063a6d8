"""One operation on one example: applied, timed, and drawn before and after."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from storage.errors import CaseError
from tasks.imaging.grid_step import GridStep
from tasks.imaging.step import Array, Facts, Step, View, look
from tasks.report.example import Example, ExampleKind
from tasks.report.gallery import GLOW, data_uri
from tasks.report.greyscale import grey
from tasks.report.planted import FAULTS

BINS = 64
Window = tuple[float, float]
WINDOWS: Mapping[str, Window] = {"HU": (-1000.0, 500.0)}
"""Intensities shown black and white by unit; of other units, percentiles."""
PICTURE: Window = (0.0, 255.0)
PERCENTILES = (0.5, 99.5)
ALIKE = 0.4
"""From this overlap of their ranges on, before and after are shown with one window."""


@dataclass(frozen=True)
class Shown:
    """How an operation is shown.

    Attributes
    ----------
    on
        Kinds of example that suit it, the best first; the first that is there is taken.
    number
        Which example of a kind; the last one where there are fewer.
    settings
        Where the defaults show little.
    planted
        A fault of ``FAULTS`` that the image is given first.
    overview
        Whether the whole image is shown rather than a detail.
    filling
        Whether each picture fills its frame; else both have one scale of mm.
    close
        Whether only the middle half of the slice is drawn, for what is fine.
    across
        Whether the slice that is drawn cuts across those of a volume, along x and z.
    """

    on: tuple[ExampleKind, ...]
    settings: Mapping[str, Any] = field(default_factory=dict)
    number: int = 1
    planted: str = ""
    overview: bool = False
    filling: bool = False
    close: bool = False
    across: bool = False


@dataclass(frozen=True)
class Picture:
    """A slice as it is drawn.

    Attributes
    ----------
    uri
        PNG as ``data:`` URI, one pixel a voxel.
    width_mm, height_mm
        Of the slice.
    says
        What it is, in words.
    histogram
        Points of an SVG polyline in a box of 100 × 30, one per colour.
    low, high
        Ends of the histogram's axis.
    """

    uri: str
    width_mm: float
    height_mm: float
    says: str
    histogram: tuple[str, ...]
    low: str
    high: str


@dataclass(frozen=True)
class Panel:
    """An operation at work.

    Attributes
    ----------
    after
        ``None`` where the operation failed.
    fault
        Why it failed.
    learnt
        Whether it was taught, by halves of the image itself before the fault was planted.
    filling
        As in :class:`Shown`.
    """

    example: str
    planted: str
    settings: Mapping[str, str]
    before: Picture
    after: Picture | None = None
    seconds: float = 0.0
    fault: str = ""
    learnt: bool = False
    filling: bool = False


def demonstrate(kind: type[Step], shown: Shown, example: Example) -> Panel:
    """Apply an operation to an example and draw both. Whatever it raises becomes the panel's ``fault``."""
    whole = piece = example.overview() if shown.overview else example.detail()
    if shown.planted:
        piece = replace(piece, array=FAULTS[shown.planted](piece.array, len(piece.spacing_mm)))
    window = window_of(whole)
    panel = Panel(example.title, shown.planted, {}, draw(piece, window, shown), filling=shown.filling)
    started = time.perf_counter()
    try:
        step = kind(**shown.settings)
        panel = replace(panel, settings={k: _said(v) for k, v in step.model_dump(exclude={"name"}).items()})
        result = applied(step, piece, whole.halves() if step.learns() else [])
        panel = replace(panel, seconds=time.perf_counter() - started, learnt=step.learns())
        return replace(panel, after=draw(result, window if _alike(whole, result) else window_of(result), shown))
    except CaseError as error:
        return replace(panel, fault=str(error))
    except Exception as error:  # the page shows what became of every operation
        return replace(panel, fault=f"{type(error).__name__}: {error}")


def applied(step: Step, piece: Example, teachers: Sequence[Example]) -> Example:
    """The piece after a step; a step that learns learns from the teachers."""
    fitted = step.fit([look(step, other.array, _view(other)).measured for other in teachers]) if teachers else None
    view = look(step, piece.array, _view(piece, fitted))
    spacing = step.placement(view).spacing_after(piece.spacing_mm) if isinstance(step, GridStep) else piece.spacing_mm
    return replace(piece, array=step.apply(piece.array, view), spacing_mm=spacing, unit=step.unit_after(piece.unit))


def draw(piece: Example, window: Window, shown: Shown) -> Picture:
    """The middle slice, or the middle plane across all slices, head up; and the histogram of the whole piece."""
    axes, middle = len(piece.spacing_mm), [n // 2 for n in piece.array.shape]
    pixels, (y_mm, x_mm) = piece.array, piece.spacing_mm[-2:]
    if axes == 3 and shown.across:
        pixels, y_mm = piece.array[::-1, middle[1]], piece.spacing_mm[0]
    elif axes == 3:
        pixels = piece.array[middle[0]]
    if shown.close:
        rows, columns = pixels.shape[:2]
        pixels = pixels[rows // 4 : rows - rows // 4, columns // 4 : columns - columns // 4]
    low, high = range_of(piece)
    size = " × ".join(str(n) for n in piece.array.shape[:axes])
    spacing = "of {} mm".format(" × ".join(f"{s:.3g}" for s in piece.spacing_mm)) if piece.has_scale else "pixels"
    unit = "" if piece.unit == "arbitrary" else f" {piece.unit}"
    return Picture(
        uri=data_uri(_inked(pixels, window)),
        width_mm=pixels.shape[1] * x_mm,
        height_mm=pixels.shape[0] * y_mm,
        says=f"{size} {spacing}, grey from {window[0]:.4g} to {window[1]:.4g}{unit}",
        histogram=_histogram(piece.array, axes, low, high),
        low=f"{low:.4g}",
        high=f"{high:.4g}{unit}",
    )


def _view(piece: Example, fitted: Facts | None = None) -> View:
    return View.of(piece.array, piece.spacing_mm, unit=piece.unit, fitted=fitted, direction=piece.direction)


def window_of(piece: Example) -> Window:
    """Intensities shown black and white: those usual for the unit where they fit, else nearly all that there are."""
    range_ = range_of(piece)
    usual = WINDOWS.get(piece.unit)
    if len(piece.spacing_mm) == 2 and piece.unit == "arbitrary" and range_[1] > 1:
        usual = PICTURE
    return usual if usual is not None and _overlap(usual, range_) >= ALIKE else range_


def _alike(one: Example, other: Example) -> bool:
    """Whether one window does for both: the same unit, and much the same intensities."""
    return one.unit == other.unit and _overlap(range_of(one), range_of(other)) >= ALIKE


def range_of(piece: Example) -> Window:
    """Nearly all intensities that there are."""
    low, high = (float(value) for value in np.nanpercentile(piece.array, PERCENTILES))
    return (low, high) if high > low else (low, low + 1.0)


def _overlap(one: Window, other: Window) -> float:
    """What two ranges share, over what they cover."""
    shared = min(one[1], other[1]) - max(one[0], other[0])
    return max(0.0, shared) / (max(one[1], other[1]) - min(one[0], other[0]))


def _inked(pixels: Array, window: Window) -> npt.NDArray[np.uint8]:
    """Grey or coloured pixels; orange where there is no number."""
    shades = grey(pixels.astype(np.float32), *window)
    missing = np.isnan(pixels) if pixels.dtype.kind == "f" else np.zeros(pixels.shape, bool)
    if not missing.any():
        return shades
    coloured = shades if shades.ndim == 3 else np.stack([shades] * 3, axis=-1)
    coloured[missing if missing.ndim == 2 else missing.any(axis=-1)] = GLOW
    return coloured


def _histogram(array: Array, axes: int, low: float, high: float) -> tuple[str, ...]:
    """Counts by intensity as points of polylines, their square roots: rare values stay visible."""
    colours = [array] if array.ndim == axes else [array[..., c] for c in range(array.shape[-1])]
    lines = []
    for values in colours:
        counts, _ = np.histogram(values[np.isfinite(values)], bins=BINS, range=(low, high))
        heights = np.sqrt(counts / max(1, counts.max()))
        points = [f"{100 * (i + 0.5) / BINS:.1f},{30 - 29 * h:.1f}" for i, h in enumerate(heights)]
        lines.append(" ".join(points))
    return tuple(lines)


def _said(value: object) -> str:
    """A setting as people write it."""
    if value is None:
        return "–"
    if isinstance(value, (tuple, list)):
        return ", ".join(_said(part) for part in value)
    return f"{value:g}" if isinstance(value, float) else str(value)
