"""What the study wants from a folder of volumes and label maps, and what the labels mean."""

from __future__ import annotations

import re
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, Field, model_validator

from tasks.imaging.structures import Structures
from tasks.settings import StageSettings


def _has_wildcard(pattern: str) -> str:
    if "*" not in pattern or "**" in pattern or pattern.startswith("/"):
        raise ValueError("expected a path below the folder with at least one '*', each for a part of a name")
    return pattern


Pattern = Annotated[str, AfterValidator(_has_wildcard)]


class VolumeSettings(StageSettings):
    """What an image file does not say of itself."""

    unit: Literal["HU", "SUV", "arbitrary"] = Field(default="arbitrary", description="Of the intensities.")


class StructureSettings(StageSettings):
    """What the values of the label maps mean."""

    structures: Structures = Field(description="Value by name: [ingest.structures] liver = 1. All else is background.")


class SegmentationSettings(VolumeSettings, StructureSettings):
    """Settings of ingest for volumes with label maps.

    Attributes
    ----------
    images, labels
        Where they lie below the folder. An image and a label map belong together where every ``*`` stands for the same;
        a file that both describe is a label map.
    patient
        Regular expression with one group; what the group finds in the path of an image below the folder is the patient.
        ``None``: nobody says whose images they are, and each counts as a patient of its own.
    """

    images: Pattern = "images/*.nii.gz"
    labels: Pattern = "labels/*.nii.gz"
    patient: str | None = None

    @model_validator(mode="after")
    def _pairs(self) -> Self:
        if self.images.count("*") != self.labels.count("*"):
            raise ValueError(f"expected as many '*' in images as in labels; got {self.images!r} and {self.labels!r}")
        return self

    @model_validator(mode="after")
    def _one_group(self) -> Self:
        if self.patient is not None:
            try:
                groups = re.compile(self.patient).groups
            except re.error as error:
                raise ValueError(f"patient is no regular expression: {error}") from error
            if groups != 1:
                raise ValueError(f"expected one group (…) in patient; got {groups}")
        return self
