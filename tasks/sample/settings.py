"""Settings of the stage *sample*: where candidates are searched, how they are found, how many are kept."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from tasks.imaging.blobs import Settings as BlobSettings
from tasks.imaging.body import Settings as BodySettings
from tasks.imaging.components import Settings as ComponentSettings
from tasks.imaging.lungs import Settings as LungSettings
from tasks.settings import StageSettings


class Settings(StageSettings):
    """One block ``[sample]`` of the study file.

    Attributes
    ----------
    search_in
        ``"body"`` or ``"lungs"``; ``None``: the lungs for CT (HU), else the body. A CT without lungs asked for lungs is
        a fault of the case, never silently searched elsewhere.
    body, lungs, components, blobs
        Settings of the operations, each in its file in ``tasks/imaging``. Their ``None`` are filled by the image's
        unit.
    duplicate_iou
        Of two candidates whose masks agree by more than this (intersection over union), the first is kept: components
        before blobs, lower thresholds before higher, stronger blobs before weaker.
    max_candidates
        Those with the highest contrast are kept.
    """

    search_in: Literal["body", "lungs"] | None = None
    body: BodySettings = BodySettings()
    lungs: LungSettings = LungSettings()
    components: ComponentSettings = ComponentSettings()
    blobs: BlobSettings = BlobSettings()
    duplicate_iou: float = Field(0.9, gt=0, le=1)
    max_candidates: int = Field(300, ge=1)
