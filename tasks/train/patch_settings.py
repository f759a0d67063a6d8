"""Settings of the labelled patches that models learn from.

A patch shows a place, not the outline of a candidate. So models learn from places: drawn on lesions, where their
candidates have their middle or near it; on the candidates that look most like a lesion and are none, which are what the
models will be asked about; and some anywhere else in the body, so that they also know what no finder stops at. A
candidate that only touches a lesion teaches nothing.

Models may also be shown which voxels the candidate has: a vessel is long, wherever its patch lies. They then learn from
candidates alone, each in its patch.
"""

from __future__ import annotations

from typing import Self

from pydantic import Field, model_validator

from tasks.imaging.patches import GridSettings, PatchShape
from tasks.settings import StageSettings


class PatchSettings(StageSettings):
    """How patches are drawn from one annotated case.

    Attributes
    ----------
    patch
        Their form and size.
    per_lesion
        Drawn on each lesion.
    jitter_mm
        How far the centre of such a patch lies from the voxel of the lesion that it was drawn on, at most, along each
        axis.
    background_per_lesion_patch
        Drawn in the body where no lesion is near, for each patch on a lesion: 1 is balanced.
    background_least
        But at least so many, also of a case without lesions.
    hard
        Candidates that look most like a lesion and are none; none lies in their patches either.
    grid
        Patches everywhere in the body besides; ``None``: none.
    show_candidate
        Whether models see the candidate's voxels beside the image. Then those on a lesion are drawn among its
        candidates, moved by as much as ``jitter_mm``, and the background among the candidates far from any lesion.
    least_iou
        With a lesion, of a candidate placed on it: such ones teach 'lesion' where candidates are shown.
    seed
        Together with the digest of the image it decides what is drawn.
    """

    patch: PatchShape = PatchShape()
    per_lesion: int = Field(8, ge=0)
    jitter_mm: float = Field(3.0, ge=0)
    background_per_lesion_patch: float = Field(1.0, ge=0)
    background_least: int = Field(8, ge=0)
    hard: int = Field(32, ge=0)
    grid: GridSettings | None = None
    show_candidate: bool = False
    least_iou: float = Field(0.3, gt=0, le=1)
    seed: int = Field(0, ge=0)

    @model_validator(mode="after")
    def _can_show_candidates(self) -> Self:
        if self.show_candidate and (self.grid is not None or self.patch.form == "planes"):
            raise ValueError("patches of a grid or of planes show no candidates; set show_candidate = false")
        return self
