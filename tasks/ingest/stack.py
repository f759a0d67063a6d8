"""How slices lie in space, and whether they form a volume.

A series is a volume when all slices share size, pixel spacing and orientation, and their corners march along the
slice normal in equal steps. Everything else is refused with the reason: lost slices, slices at one place, sheared
stacks (gantry tilt), and orientations that differ.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from storage.errors import CaseError
from storage.volume import FloatArray, Triple
from tasks.ingest.slices import Slice

ORIENTATION_TOLERANCE = 1e-3
"""Largest difference of a direction cosine between slices, and from a right angle."""

SPACING_TOLERANCE = 1e-4
"""Largest relative difference of pixel spacing between slices."""

SAME_PLACE = 0.01
"""Slices closer than this share of the median distance lie at one place."""

LOST_SLICE = 1.5
"""A distance larger than this many median distances hides a slice."""

IRREGULAR, IRREGULAR_MM = 0.1, 0.1
"""Largest distance of a slice from an even grid, in slice distances or in mm, whichever is more: headers round."""

SHEAR_PIXELS = 0.25
"""Largest sideways drift over the whole stack, in pixels."""


@dataclass(frozen=True)
class Stack:
    """Order and geometry of slices.

    Attributes
    ----------
    order
        Indices of the slices, sorted along the slice normal.
    spacing_mm, origin_mm, direction
        As in `storage.volume.Volume`.
    """

    order: tuple[int, ...]
    spacing_mm: Triple
    origin_mm: Triple
    direction: tuple[Triple, Triple, Triple]


def stack_slices(slices: Sequence[Slice]) -> Stack:
    """Sort slices along their normal and check that they form a volume.

    Parameters
    ----------
    slices
        At least two, in any order.

    Raises
    ------
    CaseError
        They do not form a volume; the message says why.
    """
    _check_alike(slices)
    along_row, along_column = _axes(slices[0].orientation)
    normal = np.cross(along_row, along_column)
    corners = np.stack([slice_.position_mm for slice_ in slices])
    # Ties are refused below, so the order is unique whatever the order of the files.
    order = np.argsort(corners @ normal, kind="stable")
    corners = corners[order]
    heights = corners @ normal
    step = _even_step(heights)
    _check_upright(corners, heights, normal, float(min(slices[0].spacing_mm)))
    rows_mm, columns_mm = slices[0].spacing_mm
    direction = np.stack([normal, along_column, along_row], axis=1)
    return Stack(
        order=tuple(int(index) for index in order),
        spacing_mm=(step, float(rows_mm), float(columns_mm)),
        origin_mm=_triple(corners[0]),
        direction=(_triple(direction[0]), _triple(direction[1]), _triple(direction[2])),
    )


def _triple(values: FloatArray) -> Triple:
    x, y, z = (float(value) for value in values)
    return x, y, z


def _check_alike(slices: Sequence[Slice]) -> None:
    """Refuse slices that differ in size, pixel spacing or orientation."""
    first = slices[0]
    if sizes := {slice_.stored.shape for slice_ in slices} - {first.stored.shape}:
        raise CaseError(f"slices of {len(sizes) + 1} different sizes; expected one")
    orientations = np.stack([slice_.orientation for slice_ in slices])
    if np.abs(orientations - orientations[0]).max() > ORIENTATION_TOLERANCE:
        raise CaseError("slices of different orientation; expected one")
    spacings = np.stack([slice_.spacing_mm for slice_ in slices])
    if np.abs(spacings / spacings[0] - 1).max() > SPACING_TOLERANCE:
        raise CaseError("slices of different pixel spacing; expected one")


def _axes(orientation: npt.NDArray[np.float64]) -> tuple[FloatArray, FloatArray]:
    """Unit vectors along a row and along a column, exactly at right angles."""
    lengths = np.linalg.norm(orientation, axis=1)
    if (
        np.abs(lengths - 1).max() > ORIENTATION_TOLERANCE
        or abs(orientation[0] @ orientation[1]) > ORIENTATION_TOLERANCE
    ):
        raise CaseError("Image Orientation (Patient) must be two unit vectors at right angles")
    along_row = orientation[0] / lengths[0]
    along_column = orientation[1] - (orientation[1] @ along_row) * along_row
    return along_row, along_column / np.linalg.norm(along_column)


def _even_step(heights: FloatArray) -> float:
    """Distance of neighbouring slices, in mm, after a check that it is the same everywhere."""
    gaps = np.diff(heights)
    typical = float(np.median(gaps))
    together = int((gaps <= SAME_PLACE * typical).sum()) if typical > 0 else int((gaps <= 0).sum())
    if together:
        raise CaseError(f"{together} slices lie at the same position as another")
    lost = np.flatnonzero(gaps > LOST_SLICE * typical)
    if lost.size:
        raise CaseError(
            f"missing slice: {gaps[lost[0]]:.2f} mm between slices {lost[0] + 1} and {lost[0] + 2}, "
            f"elsewhere {typical:.2f} mm ({lost.size} such gaps)"
        )
    step = float((heights[-1] - heights[0]) / (len(heights) - 1))
    off_mm = float(np.abs(heights - heights[0] - step * np.arange(len(heights))).max())
    accepted_mm = max(IRREGULAR * step, IRREGULAR_MM)
    if off_mm > accepted_mm:
        raise CaseError(
            f"irregular slice spacing: distances of {gaps.min():.2f} to {gaps.max():.2f} mm, "
            f"a slice lies {off_mm:.2f} mm off an even grid; at most {accepted_mm:.2f} mm is accepted"
        )
    return step


def _check_upright(corners: FloatArray, heights: FloatArray, normal: FloatArray, pixel_mm: float) -> None:
    """Refuse a stack whose slices drift sideways."""
    sideways = corners - corners[0] - np.outer(heights - heights[0], normal)
    drift = float(np.linalg.norm(sideways, axis=1).max())
    if drift > SHEAR_PIXELS * pixel_mm:
        raise CaseError(
            f"gantry tilt: slices drift {drift:.2f} mm sideways over the stack; "
            f"at most {SHEAR_PIXELS * pixel_mm:.2f} mm is accepted"
        )
