"""The outline of a flat shape: a closed curve in mm, evenly spaced, and what can be measured on it.

A traced mask is a staircase of voxels, whose length and curvature are those of the stairs. *Smoothing* by a Gaussian
along the curve takes them away; it also draws a circle of radius r in by ``sigma^2 / (2 r^2)`` of r, and so is held
back on small shapes, whose stairs are their shape.

Curves are complex numbers ``x + i y`` in mm, anticlockwise in these axes, without the first point again at the end.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt

from tasks.imaging.morphology import BoolArray

MOST_SMOOTHING = 1 / 32
"""Of the perimeter: sigma's upper bound. It draws a circle in by 2 %."""
Curve = npt.NDArray[np.complex128]
Floats = npt.NDArray[np.float64]


def trace(mask: BoolArray, *, spacing_mm: tuple[float, float]) -> Curve:
    """The longest outline of a mask ``(y, x)`` that is not empty: half-way between the voxels inside and outside."""
    from skimage.measure import find_contours

    curves = find_contours(np.pad(mask, 1).astype(np.float64), 0.5, fully_connected="high")
    found = [(line[:-1, 0] - 1) * 1j * spacing_mm[0] + (line[:-1, 1] - 1) * spacing_mm[1] for line in curves]
    longest = max(found, key=lambda curve: float(np.abs(np.diff(curve, append=curve[:1])).sum()))
    return np.asarray(longest if signed_area(longest) > 0 else longest[::-1])


def signed_area(curve: Curve) -> float:
    """Area inside in mm² by the trapezium rule, positive where the curve runs anticlockwise."""
    return float((np.conj(curve) * np.roll(curve, -1)).imag.sum()) / 2


def even(curve: Curve, points: int) -> Curve:
    """The polygon through a curve again, at so many points of equal distance along it."""
    closed = np.append(curve, curve[0])
    along = np.concatenate([[0.0], np.cumsum(np.abs(np.diff(closed)))])
    at = np.arange(points) / points * along[-1]
    return np.asarray(np.interp(at, along, closed.real) + 1j * np.interp(at, along, closed.imag))


@dataclass(frozen=True, eq=False)
class Outline:
    """A curve of points that are evenly spaced, smoothed.

    Attributes
    ----------
    curve
        See this module.
    """

    curve: Curve

    @classmethod
    def of(cls, mask: BoolArray, *, spacing_mm: tuple[float, float], sigma_mm: float, points: int) -> Outline:
        """Of a mask ``(y, x)`` that is not empty.

        ``sigma_mm`` is that of the Gaussian, at most ``MOST_SMOOTHING`` of the perimeter; 0 for none.
        """
        curve = even(trace(mask, spacing_mm=spacing_mm), points)
        perimeter = float(np.abs(curve - np.roll(curve, 1)).sum())
        wave = np.fft.fftfreq(points, 1 / points) * 2 * np.pi * min(sigma_mm / perimeter, MOST_SMOOTHING)
        smooth = np.fft.ifft(np.fft.fft(curve) * np.exp(-(wave**2) / 2))
        return cls(even(smooth, points))

    @cached_property
    def area_mm2(self) -> float:
        """Inside the curve."""
        return signed_area(self.curve)

    @cached_property
    def perimeter_mm(self) -> float:
        """Of the polygon through the points."""
        return float(np.abs(self.curve - np.roll(self.curve, 1)).sum())

    @cached_property
    def curvature_per_mm(self) -> Floats:
        """1 / radius at each point, by central differences: positive where the curve bends as a circle does."""
        before, after = np.roll(self.curve, 1), np.roll(self.curve, -1)
        first, second = (after - before) / 2, after - 2 * self.curve + before
        speed = np.abs(first)
        bend = (np.conj(first) * second).imag
        return np.asarray(bend / np.where(speed > 0, speed, np.inf) ** 3)

    @cached_property
    def radii_mm(self) -> Floats:
        """Distance of each point from the centre of the area."""
        return np.asarray(np.abs(self.curve - self.centre))

    @cached_property
    def centre(self) -> complex:
        """Centroid of the area inside; of the points where there is no area."""
        after = np.roll(self.curve, -1)
        cross = (np.conj(self.curve) * after).imag
        total = float(cross.sum())
        if not total:
            return complex(self.curve.mean())
        return complex(((self.curve + after) * cross).sum() / (3 * total))

    @cached_property
    def corners(self) -> npt.NDArray[np.intp]:
        """Which points are corners of the convex hull, ascending."""
        from scipy.spatial import ConvexHull

        return np.sort(ConvexHull(np.column_stack([self.curve.real, self.curve.imag])).vertices).astype(np.intp)

    @property
    def hull(self) -> Outline:
        """The convex hull."""
        return Outline(self.curve[self.corners])

    def harmonics(self, count: int) -> tuple[Floats, Floats]:
        """Sizes of the Fourier descriptors ``+2 … +count`` and ``-1 … -count`` as parts of the first one's.

        Position, size, rotation and starting point do not change them; a mirror image has the same.
        """
        spectrum = np.abs(np.fft.fft(self.curve))
        parts = spectrum / spectrum[1]
        return np.asarray(parts[2 : count + 1]), np.asarray(parts[-1 : -count - 1 : -1])

    def concavity_depths_mm(self) -> Floats:
        """How deep each dent goes below the hull: one number for each of the hull's sides that the curve leaves."""
        corners, depths = self.corners, []
        for start, stop in zip(corners, np.append(corners[1:], corners[0] + len(self.curve)), strict=True):
            if stop - start > 1:
                a, b = self.curve[start], self.curve[stop % len(self.curve)]
                between = np.take(self.curve, np.arange(start + 1, stop), mode="wrap")
                depths.append(float((np.conj(b - a) * (between - a)).imag.max() / abs(b - a)))
        return np.array(depths)

    def fractal_dimension(self) -> float:
        """How fast the length grows as the ruler shrinks: 1 of a smooth curve, more of a rough one.

        Rulers are chords over 1, 2, 4, … steps, up to a sixteenth of the curve (Richardson; Mandelbrot 1967,
        doi:10.1126/science.156.3775.636).
        """
        steps = 2 ** np.arange(int(np.log2(len(self.curve) / 16)) + 1)
        chords = [np.abs(self.curve - np.roll(self.curve, step)) for step in steps]
        # The mean over all starting points of the polygon of so long chords.
        lengths = [float(chord.mean()) * len(self.curve) / step for chord, step in zip(chords, steps, strict=True)]
        rulers = [float(chord.mean()) for chord in chords]
        return 1.0 - float(np.polyfit(np.log(rulers), np.log(lengths), 1)[0])
