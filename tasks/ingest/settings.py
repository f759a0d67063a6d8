"""What the study wants from the inbox, and how it is cut before anything else sees it."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, StringConstraints, model_validator

from tasks.settings import StageSettings

ImageName = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_]*$")]

MINIMUM_SLICES = 3
"""With fewer there is no second gap to compare the first one with: a lost slice could not be noticed."""


class ImageSelector(StageSettings):
    """Which series of an examination becomes an image of the case.

    Attributes
    ----------
    modality
        DICOM modality.
    description
        Pattern for the Series Description (``*``, ``?``, ``[…]``, case ignored); ``None`` takes any.
    minimum_slices
        A series with fewer slices is not a volume.
    """

    modality: Literal["CT", "PT", "MR"]
    description: str | None = None
    minimum_slices: int = Field(default=MINIMUM_SLICES, ge=MINIMUM_SLICES)


class AnnotationSelector(StageSettings):
    """Which contours mark the lesions.

    Attributes
    ----------
    image
        Name of the image that the contours are drawn on.
    roi
        Patterns for ROI names (case ignored); each matching ROI is one lesion.
    required
        Whether a case without a structure set is excluded. ``False`` keeps it, without annotation: not known, which
        is not the same as a structure set without a matching ROI, which says that there is no lesion.
    """

    image: ImageName
    roi: tuple[str, ...] = Field(default=("*",), min_length=1)
    required: bool = False


class RecropSettings(StageSettings):
    """Cut a random part off each face of every image: the way a data set was cropped may give the answer away.

    Attributes
    ----------
    max_mm
        Each of the six faces loses between nothing and so much, in mm.
    """

    max_mm: float = Field(default=45.0, gt=0, le=500)


class Settings(StageSettings):
    """Settings of ingest.

    Attributes
    ----------
    images
        Selector by image name, e.g. ``{"pet": {"modality": "PT"}}``. A study with any of them is a case; it needs
        them all.
    annotation
        ``None`` reads no annotation.
    recrop
        ``None`` leaves images whole.
    quiet_seconds
        A study with a file younger than this waits for the next run.
    """

    images: dict[ImageName, ImageSelector] = Field(min_length=1)
    annotation: AnnotationSelector | None = None
    recrop: RecropSettings | None = None
    quiet_seconds: float = Field(default=0.0, ge=0)

    @model_validator(mode="after")
    def _annotated_image_exists(self) -> Settings:
        if self.annotation is not None and self.annotation.image not in self.images:
            choices = ", ".join(sorted(self.images))
            raise ValueError(f"annotation.image is {self.annotation.image!r}; expected one of the images: {choices}")
        return self
