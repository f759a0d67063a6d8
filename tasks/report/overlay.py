"""Sections through a case with the outlines of findings and lesions, in millimetres and the radiological convention.

- A *scene* is the image and its label images, turned to the closest canonical axes.
- A *plane* is a section (or a projection) of a scene as it is looked at: rows run down, columns to the right. Axial:
  the patient's right at the left, front on top. Coronal and sagittal: head on top; sagittal: front at the left.
- *Picture coordinates* ``(x, y)`` are mm from the upper left corner of a plane, so that nothing depends on voxel shape;
  a pixel's centre lies at ``(column + 0.5, row + 0.5) * pixel_mm``.

Grey values become small images; outlines and marks stay vectors, which the page draws on top at any size.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
from skimage import measure

from storage.volume import Volume
from tasks.report.orientation import closest_canonical, letters

PlaneName = Literal["axial", "coronal", "sagittal"]
IntArray = npt.NDArray[np.integer[Any]]
BoolArray = npt.NDArray[np.bool_]
FloatArray = npt.NDArray[np.floating[Any]]

AXES: Mapping[PlaneName, tuple[int, int, int]] = {"axial": (0, 1, 2), "coronal": (1, 0, 2), "sagittal": (2, 0, 1)}
"""Canonical array axes of a plane: through it, down its rows, across its columns."""


@dataclass(frozen=True, eq=False)
class Scene:
    """One case as it is looked at; array axes ``(z, y, x)`` run to head, back and left.

    Attributes
    ----------
    volume
        The image.
    findings, lesions
        Integer label images of the same shape, 0 outside; ``None`` where there are none.
    """

    volume: Volume
    findings: IntArray | None
    lesions: IntArray | None


@dataclass(frozen=True, eq=False)
class Plane:
    """A section as it is looked at.

    Attributes
    ----------
    name
        ``"axial"``, ``"coronal"`` or ``"sagittal"``.
    pixels
        Intensities, shape ``(rows, columns)``.
    pixel_mm
        Size of a pixel ``(down, across)``, in mm.
    top, bottom, left, right
        Orientation letters of the edges.
    findings, lesions
        Masks of the same shape by label.
    mark_mm
        The point of interest in picture coordinates; outside the picture where it does not lie in the image.
    """

    name: PlaneName
    pixels: FloatArray
    pixel_mm: tuple[float, float]
    top: str
    bottom: str
    left: str
    right: str
    findings: Mapping[int, BoolArray]
    lesions: Mapping[int, BoolArray]
    mark_mm: tuple[float, float]

    @property
    def size_mm(self) -> tuple[float, float]:
        """Width and height in mm."""
        rows, columns = self.pixels.shape
        return columns * self.pixel_mm[1], rows * self.pixel_mm[0]


def scene(volume: Volume, findings: IntArray | None = None, lesions: IntArray | None = None) -> Scene:
    """Turn a case to its closest canonical axes.

    Parameters
    ----------
    volume
        The image, any direction.
    findings, lesions
        Label images on the grid of ``volume``.

    Raises
    ------
    ValueError
        A label image has another shape than the volume.
    """

    def turned(labels: IntArray | None) -> IntArray | None:
        return None if labels is None else closest_canonical(volume.with_array(labels, unit="label")).array

    return Scene(closest_canonical(volume), turned(findings), turned(lesions))


def cut(case: Scene, name: PlaneName, at_mm: npt.ArrayLike) -> Plane:
    """The section through the voxel nearest to a point.

    Parameters
    ----------
    case
        The scene.
    name
        Which plane.
    at_mm
        DICOM LPS ``(x, y, z)`` in mm. Outside the image the nearest section is shown, and the mark lies
        off the picture.
    """
    through, _, _ = AXES[name]
    index = int(np.rint(case.volume.to_index(at_mm)[through]))
    index = min(max(index, 0), case.volume.shape[through] - 1)

    def section(array: npt.NDArray[Any]) -> npt.NDArray[Any]:
        return _head_up(np.take(array, index, axis=through), name)

    def masks(labels: IntArray | None) -> Mapping[int, BoolArray]:
        if labels is None:
            return {}
        values = section(labels)
        return {int(value): values == value for value in np.unique(values) if value > 0}

    return _plane(case, name, at_mm, section(case.volume.array), masks(case.findings), masks(case.lesions))


def project(case: Scene, name: PlaneName, at_mm: npt.ArrayLike) -> Plane:
    """The maximum intensity projection through the whole volume, with the shadows of all labels."""
    through, _, _ = AXES[name]

    def masks(labels: IntArray | None) -> Mapping[int, BoolArray]:
        if labels is None:
            return {}
        values = (value for value in np.unique(labels) if value > 0)
        return {int(value): _head_up((labels == value).any(axis=through), name) for value in values}

    pixels = _head_up(np.max(case.volume.array, axis=through), name)
    return _plane(case, name, at_mm, pixels, masks(case.findings), masks(case.lesions))


def close_up(plane: Plane, side_mm: float) -> Plane:
    """The square of ``side_mm`` around the mark, moved inwards at an edge; labels outside it are dropped."""
    boxes = []
    for axis, centre in enumerate((plane.mark_mm[1], plane.mark_mm[0])):
        size = plane.pixels.shape[axis]
        wanted = min(size, max(1, round(side_mm / plane.pixel_mm[axis])))
        start = round(centre / plane.pixel_mm[axis] - wanted / 2)
        start = min(max(start, 0), size - wanted)
        boxes.append(slice(start, start + wanted))
    rows, columns = boxes

    def parts(masks: Mapping[int, BoolArray]) -> Mapping[int, BoolArray]:
        return {label: mask[rows, columns] for label, mask in masks.items() if mask[rows, columns].any()}

    x = plane.mark_mm[0] - columns.start * plane.pixel_mm[1]
    y = plane.mark_mm[1] - rows.start * plane.pixel_mm[0]
    return replace(
        plane,
        pixels=plane.pixels[rows, columns],
        findings=parts(plane.findings),
        lesions=parts(plane.lesions),
        mark_mm=(x, y),
    )


def outlines(mask: BoolArray, pixel_mm: tuple[float, float]) -> list[FloatArray]:
    """Closed outlines of a mask, half way between the centres of pixels inside and outside.

    Parameters
    ----------
    mask
        Shape ``(rows, columns)``.
    pixel_mm
        Size of a pixel ``(down, across)``, in mm.

    Returns
    -------
    list of arrays
        Each ``(points, 2)``: picture coordinates ``(x, y)`` in mm; first and last point are equal.
    """
    rows, columns = np.nonzero(mask.any(axis=1))[0], np.nonzero(mask.any(axis=0))[0]
    if rows.size == 0:
        return []
    box = mask[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
    # The frame of background closes outlines that reach the picture's edge; 0.05 pixel only drops points on a line.
    found: list[FloatArray] = measure.find_contours(np.pad(box, 1).astype(float), 0.5)
    corner = np.array([rows[0], columns[0]]) - 1 + 0.5
    lines = (measure.approximate_polygon(line, 0.05) for line in found)
    return [((line + corner) * pixel_mm)[:, ::-1] for line in lines]


def scale_bar_mm(width_mm: float) -> float:
    """The longest of 1, 2, 5, 10, … mm that fills at most a third of the width; below 3 mm a third of it."""
    lengths = [base * 10.0**power for power in range(4) for base in (1, 2, 5)]
    return max((length for length in lengths if length <= width_mm / 3), default=width_mm / 3)


def _head_up(section: npt.NDArray[Any], name: PlaneName) -> npt.NDArray[Any]:
    return section if name == "axial" else section[::-1]


def _plane(
    case: Scene,
    name: PlaneName,
    at_mm: npt.ArrayLike,
    pixels: FloatArray,
    findings: Mapping[int, BoolArray],
    lesions: Mapping[int, BoolArray],
) -> Plane:
    _, down, across = AXES[name]
    volume = case.volume
    axes = np.asarray(volume.direction, dtype=float)
    index = volume.to_index(at_mm)
    row = float(index[down]) if name == "axial" else volume.shape[down] - 1 - float(index[down])
    downwards = axes[:, down] if name == "axial" else -axes[:, down]
    pixel_mm = (volume.spacing_mm[down], volume.spacing_mm[across])
    return Plane(
        name=name,
        pixels=pixels,
        pixel_mm=pixel_mm,
        top=letters(-downwards),
        bottom=letters(downwards),
        left=letters(-axes[:, across]),
        right=letters(axes[:, across]),
        findings=findings,
        lesions=lesions,
        mark_mm=((float(index[across]) + 0.5) * pixel_mm[1], (row + 0.5) * pixel_mm[0]),
    )
