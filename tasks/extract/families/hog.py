"""Histograms of oriented gradients: which way the edges of a candidate and its surroundings run, and where.

A cube around the candidate is sampled on a small grid of equal spacing (:mod:`tasks.extract.cube`), so that thick
slices do not bend directions. *Planes*: the cube's plane nearest to the slice with the largest area, with the
orientations and the normalization of Dalal & Triggs 2005 (doi:10.1109/CVPR.2005.177). *Cube*: directions in space,
after Kläser et al. 2008 (doi:10.5244/C.22.99; see :mod:`tasks.imaging.oriented_gradients`).

Values do not change when intensities are shifted or scaled, nor when dark and bright are exchanged. They do follow the
candidate when it is turned: lesions have no preferred direction, so that other families suit them better; anatomy has.
"""

from __future__ import annotations

from itertools import product
from typing import Self

import numpy as np
from pydantic import Field, model_validator

from storage.volume import Triple
from tasks.extract.cube import CubeSettings, cube, cube_margin_mm, cube_side_mm
from tasks.extract.feature import FeatureInfo
from tasks.extract.plane import largest_slice
from tasks.extract.region import Region
from tasks.imaging.morphology import mask_box
from tasks.imaging.oriented_gradients import Solid, face_axes, gradient_histograms, normalized


class Settings(CubeSettings):
    """How the cube is cut, its samples a multiple of ``cells``, and how finely places and directions are told apart.

    Attributes
    ----------
    cells
        Along each side of the plane and of the cube: histograms are of one cell each.
    orientations
        Bins of the plane's half circle.
    solid
        Whose faces the directions of the cube are: ``"dodecahedron"`` has 6, ``"icosahedron"`` 10.
    """

    context: float = Field(1.25, ge=1)
    smoothing_samples: float = Field(0.0, ge=0)
    cells: int = Field(2, ge=1, le=8)
    orientations: int = Field(9, ge=2, le=36)
    solid: Solid = "dodecahedron"

    @model_validator(mode="after")
    def _whole_cells(self) -> Self:
        if self.samples % self.cells or self.samples < 2 * self.cells:
            raise ValueError(f"samples must be a multiple of {self.cells} cells, two each; got {self.samples}")
        return self


def features(settings: Settings) -> dict[str, FeatureInfo]:
    """Bins of the plane, ``plane_y0_x0_20deg``, and of the cube, ``cube_z0_y0_x0_axis_1``."""
    infos = {}
    for (y, x), turn in product(_cells(settings, 2), range(settings.orientations)):
        degrees = turn * 180 / settings.orientations
        text = f"Share of gradients from {degrees:g}° on (0° along x, 90° along y) in row {y}, column {x} of the plane."
        infos[f"plane_y{y}_x{x}_{degrees:.0f}deg"] = FeatureInfo(None, "1", text)
    for (z, y, x), (number, axis) in product(_cells(settings, 3), enumerate(face_axes(settings.solid), 1)):
        towards = ", ".join(f"{part:.2f}" for part in axis)
        text = f"Share of gradients along ±({towards}) in (z, y, x) in cell {z}, {y}, {x} of the cube."
        infos[f"cube_z{z}_y{y}_x{x}_axis_{number}"] = FeatureInfo(None, "1", text)
    return infos


def margin_mm(extent_mm: Triple, settings: Settings) -> Triple:
    """Surroundings that the cube needs along ``(z, y, x)``."""
    return cube_margin_mm(extent_mm, settings)


def compute(region: Region, settings: Settings) -> dict[str, float]:
    """Normalized histograms, by the names of :func:`features`; all 0 where there are no gradients."""
    from skimage.feature import hog

    sampled = cube(region, settings)
    plane = hog(
        sampled[_largest_plane(region, settings)],
        orientations=settings.orientations,
        pixels_per_cell=(settings.samples // settings.cells,) * 2,
        cells_per_block=(settings.cells, settings.cells),
        block_norm="L2-Hys",
    )
    space = normalized(gradient_histograms(sampled, cells=settings.cells, solid=settings.solid))
    return dict(zip(features(settings), np.concatenate([plane, space.ravel()]).tolist(), strict=True))


def _largest_plane(region: Region, settings: Settings) -> int:
    """Index of the cube's plane that lies nearest to the slice with the largest area."""
    box = mask_box(region.mask)
    z, y, x = ((side.stop - side.start) * s for side, s in zip(box, region.spacing_mm, strict=True))
    step = cube_side_mm((z, y, x), settings) / settings.samples
    off_centre = (largest_slice(region) - (box[0].start + box[0].stop - 1) / 2) * region.spacing_mm[0]
    return int(np.clip(np.rint(off_centre / step + (settings.samples - 1) / 2), 0, settings.samples - 1))


def _cells(settings: Settings, axes: int) -> list[tuple[int, ...]]:
    return list(product(range(settings.cells), repeat=axes))
