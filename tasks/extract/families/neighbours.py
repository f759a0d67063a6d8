"""Other candidates around a candidate: metastases come in numbers, and satellites near a tumour.

A *neighbour* is another candidate that does not overlap this one; of several that overlap each other, the largest
stands for all, since thresholds and scales find the same lesion many times. All is relative to the candidate's own
centre, in mm.
"""

from __future__ import annotations

import numpy as np
from pydantic import Field

from tasks.extract.feature import FeatureInfo
from tasks.extract.region import Region
from tasks.settings import StageSettings

OF_THE_MASK = True
OF_RESPONSES = False
OF_SURROUNDINGS = True
UNKNOWN = "the other candidates are not known"
ALONE = "no other candidate"
NONE_NEAR = "no other candidate within the radius"

FEATURES = {
    "count": FeatureInfo(None, "1", "Number of neighbours.", nan_when=UNKNOWN),
    "count_near": FeatureInfo(None, "1", "Number of neighbours whose centre lies within the radius.", nan_when=UNKNOWN),
    "volume_near": FeatureInfo(None, "mm3", "Volume of those within the radius.", nan_when=UNKNOWN),
    "volume_rank": FeatureInfo(None, "1", "Share of neighbours that are larger, from 0 to 1.", nan_when=ALONE),
    "volume_share": FeatureInfo(None, "1", "Own volume over that of all together.", nan_when=UNKNOWN),
    "nearest_distance": FeatureInfo(None, "mm", "Distance to the nearest centre.", nan_when=ALONE),
    "nearest_gap": FeatureInfo(
        None, "mm", "The same, less the radii of balls of both volumes; negative where these meet.", nan_when=ALONE
    ),
    "nearest_volume_ratio": FeatureInfo(
        None, "1", "Natural logarithm of the nearest one's volume over the own.", nan_when=ALONE
    ),
    "third_distance": FeatureInfo(
        None, "mm", "Distance to the third nearest centre, or the farthest of fewer.", nan_when=ALONE
    ),
    "one_sidedness": FeatureInfo(
        None, "1", "Length of the mean direction to those within the radius: 1 if all lie one way.", nan_when=NONE_NEAR
    ),
}


class Settings(StageSettings):
    """What is near.

    Attributes
    ----------
    radius_mm
        From centre to centre, in mm.
    """

    radius_mm: float = Field(30.0, gt=0)


def compute(region: Region, settings: Settings) -> dict[str, float]:
    """Relations to the neighbours, by the names of ``FEATURES``."""
    values = dict.fromkeys(FEATURES, float("nan"))
    if region.surroundings is None:
        return values
    neighbours = region.surroundings.neighbours
    own = float(np.count_nonzero(region.mask)) * region.voxel_mm3
    offsets = np.array([one.offset_mm for one in neighbours]).reshape(-1, 3)
    volumes = np.array([one.volume_mm3 for one in neighbours])
    distances = np.linalg.norm(offsets, axis=1)
    near = distances <= settings.radius_mm
    values["count"], values["count_near"] = float(len(neighbours)), float(np.count_nonzero(near))
    values["volume_near"] = float(volumes[near].sum())
    values["volume_share"] = own / (own + float(volumes.sum()))
    if len(neighbours):
        order = np.argsort(distances, kind="stable")
        nearest = order[0]
        values["volume_rank"] = float(np.mean(volumes > own))
        values["nearest_distance"] = float(distances[nearest])
        values["nearest_gap"] = float(distances[nearest]) - _radius_mm(own) - _radius_mm(float(volumes[nearest]))
        values["nearest_volume_ratio"] = float(np.log(volumes[nearest] / own))
        values["third_distance"] = float(distances[order[min(2, len(order) - 1)]])
    directions = offsets[near & (distances > 0)] / distances[near & (distances > 0), None]
    if len(directions):
        values["one_sidedness"] = float(np.linalg.norm(directions.mean(axis=0)))
    return values


def _radius_mm(volume_mm3: float) -> float:
    return float((3 * volume_mm3 / (4 * np.pi)) ** (1 / 3))
