"""A box cut out of the image: a size in mm or a fraction of the image, around its centre or beside it.

:func:`crop_layers` cuts boxes of several sizes around one point and brings them to one shape: the same place seen near
and from afar, as layers for a network that shall know both the texture of a lesion and what lies around it (Shen et al.
2015, doi:10.1007/978-3-319-19992-4_46).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Literal

import numpy as np
import numpy.typing as npt
from pydantic import Field

from tasks.imaging.grid_step import GridStep
from tasks.imaging.placement import Interpolation, Placement, per_axis
from tasks.imaging.placing import place
from tasks.imaging.step import Array, Index, Spacing, View

Positive = Annotated[float, Field(gt=0, le=10000)]
Fraction = Annotated[float, Field(gt=0, le=1)]


def cropped(shape: Index, *, start: npt.ArrayLike, stop: npt.ArrayLike) -> Placement:
    """The voxels whose centres lie from ``start`` to before ``stop``, cut at the image's faces; one at least."""
    size = np.asarray(shape)
    first = np.clip(np.ceil(np.asarray(start, dtype=float) - 1e-6).astype(int), 0, size - 1)
    last = np.clip(np.ceil(np.asarray(stop, dtype=float) - 1e-6).astype(int), first + 1, size)
    return Placement(tuple(int(n) for n in last - first), np.eye(len(shape)), first.astype(float))


def cropped_around(view: View, *, margin_mm: float) -> Placement:
    """The box that was measured, ``start`` and ``stop`` in voxels, and a margin, cut at the image's faces."""
    margin = margin_mm / np.asarray(view.spacing_mm)
    start, stop = np.asarray(view.measured["start"]), np.asarray(view.measured["stop"])
    return cropped(view.shape, start=np.floor(start - margin), stop=np.ceil(stop + margin))


def crop_layers(
    array: Array,
    centre: Sequence[float],
    sizes_mm: Sequence[float],
    spacing_mm: Spacing,
    shape: Index,
    *,
    interpolation: Interpolation = "linear",
    outside: float | None = None,
) -> Array:
    """Boxes of several sizes around one point, brought to one shape.

    Parameters
    ----------
    array
        ``(y, x)`` or ``(z, y, x)``, perhaps with colour last.
    centre
        In voxels of the array, along its spatial axes.
    sizes_mm
        Edge of each cube (or square), in mm.
    shape
        Voxels of each layer along the spatial axes.
    outside
        Value beyond the image; ``None``: that of the nearest voxel.

    Returns
    -------
    numpy.ndarray
        ``(sizes, *shape)``, perhaps with colour last; boxes with larger voxels than the image are smoothed first.
    """
    axes, box = len(spacing_mm), ((0,) * len(shape), shape)
    layers = []
    for size_mm in sizes_mm:
        ratio = size_mm / (np.asarray(shape) * np.asarray(spacing_mm))
        offset = np.asarray(centre, dtype=float) - ratio * (np.asarray(shape) - 1) / 2
        placement = Placement(shape, np.diag(ratio), offset)
        old = array.shape[:axes]
        layers.append(place(array, (0,) * axes, placement, box, old, interpolation=interpolation, outside=outside))
    return np.stack(layers)


class Settings(GridStep):
    """A box of ``size_mm``, or of a ``fraction`` of the image where that is not given, cut at the image's faces."""

    name: Literal["crop_box"] = "crop_box"
    interpolation: Literal["nearest"] = "nearest"
    size_mm: Positive | tuple[Positive, Positive] | tuple[Positive, Positive, Positive] | None = None
    fraction: Fraction | tuple[Fraction, Fraction] | tuple[Fraction, Fraction, Fraction] = 0.75
    centre_mm: tuple[float, float] | tuple[float, float, float] = Field(
        default=(0.0, 0.0, 0.0), description="Of the box, from the image's centre, along the image's axes (z, y, x)."
    )

    def placement(self, view: View) -> Placement:
        """The box's voxels."""
        count, spacing = np.asarray(view.shape), np.asarray(view.spacing_mm)
        field_mm = tuple(float(mm) for mm in count * spacing)
        if self.size_mm is None:
            size = count * per_axis(self.fraction, (1.0,) * len(count))
        else:
            size = np.asarray(per_axis(self.size_mm, field_mm)) / spacing
        centre = (count - 1) / 2 + np.asarray(per_axis(self.centre_mm, (0.0,) * len(count))) / spacing
        return cropped(view.shape, start=centre - size / 2, stop=centre + size / 2)
