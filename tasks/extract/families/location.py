"""Where a candidate lies in the organ that was searched, and beside the patient's midline.

Nothing is said of its place in the image: that would tell how the image was cropped. An organ or a body that the image
cuts off gives a place away all the same, which is why this family is not among the default ones.
"""

from __future__ import annotations

import numpy as np

from tasks.extract.feature import FeatureInfo
from tasks.extract.region import Region
from tasks.extract.surroundings import OrganPlace
from tasks.settings import StageSettings

OF_THE_MASK = True
OF_RESPONSES = False
OF_SURROUNDINGS = True
NO_ORGAN = "no organ mask is known, or the organ fills the image"
NO_MIDLINE = "no body mask is known, or it is not symmetric"

FEATURES = {
    "depth_mean": FeatureInfo(None, "mm", "Mean depth below the organ's surface; negative outside.", nan_when=NO_ORGAN),
    "depth_least": FeatureInfo(None, "mm", "Depth of the voxel nearest to the surface.", nan_when=NO_ORGAN),
    "depth_most": FeatureInfo(None, "mm", "Depth of the deepest voxel.", nan_when=NO_ORGAN),
    "depth_relative": FeatureInfo(None, "1", "Mean depth over the largest in the organ.", nan_when=NO_ORGAN),
    "inside_share": FeatureInfo(None, "1", "Share of the mask inside the organ.", nan_when=NO_ORGAN),
    "position_z": FeatureInfo(None, "1", "Place in the organ's box along z, from 0 to 1.", nan_when=NO_ORGAN),
    "position_y": FeatureInfo(None, "1", "Place in the organ's box along y, from 0 to 1.", nan_when=NO_ORGAN),
    "position_x": FeatureInfo(None, "1", "Place in the organ's box along x, from 0 to 1.", nan_when=NO_ORGAN),
    "midline_distance": FeatureInfo(None, "mm", "Distance of the centre from the midline.", nan_when=NO_MIDLINE),
    "midline_left": FeatureInfo(None, "mm", "The same, negative on the patient's right side.", nan_when=NO_MIDLINE),
}


class Settings(StageSettings):
    """No options: the sample stage says which organ is searched."""


def compute(region: Region, settings: Settings) -> dict[str, float]:  # noqa: ARG001 - all families are called alike
    """The region's place, by the names of ``FEATURES``."""
    values = dict.fromkeys(FEATURES, float("nan"))
    around = region.surroundings
    if around is not None and around.organ is not None:
        values |= _in_organ(around.organ)
    if around is not None and around.left_of_midline_mm is not None:
        values["midline_distance"] = abs(around.left_of_midline_mm)
        values["midline_left"] = around.left_of_midline_mm
    return values


def _in_organ(organ: OrganPlace) -> dict[str, float]:
    z, y, x = organ.position
    return {
        "depth_mean": float(organ.depths_mm.mean()),
        "depth_least": float(organ.depths_mm.min()),
        "depth_most": float(organ.depths_mm.max()),
        "depth_relative": float(organ.depths_mm.mean()) / organ.deepest_mm,
        "inside_share": float(np.mean(organ.depths_mm > 0)),
        "position_z": z,
        "position_y": y,
        "position_x": x,
    }
