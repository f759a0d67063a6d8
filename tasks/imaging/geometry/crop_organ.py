"""The box of an organ cut out, with a margin: the lungs of a CT.

The lungs are looked for on a coarse copy by :mod:`tasks.imaging.organs.lungs`, so that a volume of any size can be
cropped in blocks; the margin makes up for tips of the lungs that are thinner than a cell of the copy.
"""

from __future__ import annotations

from typing import ClassVar, Literal

from pydantic import Field

from storage.errors import CaseError
from tasks.imaging.coarse import coarse_copy
from tasks.imaging.geometry.crop_box import cropped_around
from tasks.imaging.grid_step import GridStep
from tasks.imaging.organs.body import Settings as BodySettings
from tasks.imaging.organs.body import body_mask
from tasks.imaging.organs.lungs import lung_mask
from tasks.imaging.placement import Placement
from tasks.imaging.step import Blocks, Facts, Kind, View


class Settings(GridStep):
    """The organ's box and ``margin_mm`` around it, cut at the image's faces."""

    kinds: ClassVar[frozenset[Kind]] = frozenset({"3-D"})

    name: Literal["crop_organ"] = "crop_organ"
    interpolation: Literal["nearest"] = "nearest"
    organ: Literal["lungs"] = "lungs"
    margin_mm: float = Field(default=10.0, ge=0, le=1000)

    def measure(self, blocks: Blocks, view: View) -> Facts:
        """The organ's box; ``CaseError`` where the image is no CT or shows no lungs."""
        if view.unit != "HU":
            raise CaseError(f"lungs are found by their air in a CT in HU; got an image in {view.unit!r}")
        coarse = coarse_copy(blocks, view)
        body = body_mask(
            coarse.means, spacing_mm=coarse.spacing_mm, unit="HU", settings=BodySettings(smoothing_sigma_mm=0)
        )
        start, stop = coarse.box(lung_mask(coarse.means, body, spacing_mm=coarse.spacing_mm))
        return {"start": start, "stop": stop}

    def placement(self, view: View) -> Placement:
        """The box and its margin."""
        return cropped_around(view, margin_mm=self.margin_mm)
