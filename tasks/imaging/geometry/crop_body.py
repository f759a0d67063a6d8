"""The box of the patient cut out: air, couch and labels around him are left out.

The patient is looked for on a coarse copy, so that a volume of any size can be cropped in blocks: what lies above the
threshold of :mod:`tasks.imaging.organs.body` (-300 HU, 0.15 SUV, or half of Otsu's threshold) and is thicker than a
couch top, without small pieces. The box is never smaller than the patient, and larger by a cell of the copy at most on
each side.
"""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from storage.errors import CaseError
from tasks.imaging.coarse import Coarse, coarse_copy
from tasks.imaging.geometry.crop_box import cropped_around
from tasks.imaging.grid_step import GridStep
from tasks.imaging.morphology import BoolArray, distance_mm, keep_large_components
from tasks.imaging.organs import body
from tasks.imaging.placement import Placement
from tasks.imaging.step import Blocks, Facts, View


def body_cells(coarse: Coarse, *, unit: str, threshold: float | None = None, thickness_mm: float = 20.0) -> BoolArray:
    """The cells of a coarse copy that belong to the patient.

    Parameters
    ----------
    unit
        Of the intensities.
    threshold
        In this unit; ``None``: see :mod:`tasks.imaging.organs.body`.
    thickness_mm
        What is thinner (a couch, tubes, letters) is left out, unless nothing is as thick; 0 keeps it.

    Raises
    ------
    CaseError
        When nothing is above the threshold, or everything has the same intensity.
    """
    level = body.threshold_of(coarse.means, unit, body.Settings(threshold=threshold))
    above = coarse.means > level
    if not above.any():
        raise CaseError(f"no body found: nothing is above {level:.4g} ({unit})")
    inner = distance_mm(~above, coarse.spacing_mm) > thickness_mm / 2
    if inner.any():
        above &= distance_mm(inner, coarse.spacing_mm) <= thickness_mm / 2 + max(coarse.spacing_mm)
    return keep_large_components(above, fraction=0.1)


class Settings(GridStep):
    """The body's box and ``margin_mm`` around it, cut at the image's faces."""

    name: Literal["crop_body"] = "crop_body"
    interpolation: Literal["nearest"] = "nearest"
    margin_mm: float = Field(default=10.0, ge=0, le=1000)
    threshold: float | None = Field(default=None, description="In the image's unit. None lets the unit decide.")
    thickness_mm: float = Field(default=20.0, ge=0, le=200, description="What is thinner is couch, not patient.")

    def measure(self, blocks: Blocks, view: View) -> Facts:
        """The body's box."""
        coarse = coarse_copy(blocks, view)
        cells = body_cells(coarse, unit=view.unit, threshold=self.threshold, thickness_mm=self.thickness_mm)
        start, stop = coarse.box(cells)
        return {"start": start, "stop": stop}

    def placement(self, view: View) -> Placement:
        """The box and its margin."""
        return cropped_around(view, margin_mm=self.margin_mm)
