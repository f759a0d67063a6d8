"""Options of the evaluate stage."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from tasks.settings import StageSettings

BaselineName = Literal[
    "suv_2.0", "suv_2.5", "suv_4.0", "local_41", "threshold", "centre", "box", "box_suv_1", "random_point"
]


class Settings(StageSettings):
    """How findings are matched to lesions, and what they are compared with.

    Attributes
    ----------
    iou_hit
        Least intersection over union of a hit.
    false_positive_ml, false_positive_mm
        A false positive is a finding of at least this volume, overlapping no lesion and farther than this from any.
        Smaller wrong findings cost nothing, so a study of lesions below 0.5 ml (10 mm across) should set the volume to
        that of its smallest lesion.
    level
        Coverage of every interval.
    bootstrap_draws, seed
        Resamplings of the patients behind every bootstrap, and their seed.
    baselines
        Rules to compare with; ``"auto"`` takes all that suit the unit of the image.
    component_ml
        Least volume of a component of the SUV rules.
    nodule_ml
        Least volume of a component of the CT rule; a sphere of 6 mm across has 0.11 ml.
    local_seed_suv
        ``local_41`` grows its regions around the maxima of components above this SUV.
    lung_opening_mm
        ``threshold`` cuts whatever is thinner than twice this: vessels, and the bridges that tie a nodule to them.
    box_margin_mm, box_suv_margin_mm
        What ``box`` and ``box_suv_1`` leave out at each of the six faces. The defaults are those that served each rule
        best on 24 sarcoma PETs of which a random 0–45 mm had been cut off each face, so both are rather too strong.
    """

    iou_hit: float = Field(default=0.3, gt=0, le=1)
    false_positive_ml: float = Field(default=0.5, ge=0)
    false_positive_mm: float = Field(default=10.0, ge=0)
    level: float = Field(default=0.95, gt=0, lt=1)
    bootstrap_draws: int = Field(default=2000, ge=100)
    seed: int = Field(default=0, ge=0)
    baselines: Literal["auto"] | tuple[BaselineName, ...] = "auto"
    component_ml: float = Field(default=0.5, ge=0)
    nodule_ml: float = Field(default=0.05, ge=0)
    local_seed_suv: float = Field(default=4.0, gt=0)
    lung_opening_mm: float = Field(default=2.0, gt=0)
    box_margin_mm: float = Field(default=35.0, ge=0)
    box_suv_margin_mm: float = Field(default=22.5, ge=0)
