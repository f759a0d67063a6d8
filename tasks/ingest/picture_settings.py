"""What the study wants from a folder of pictures, and how they are batched."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, field_validator

from tasks.settings import StageSettings


class PictureSettings(StageSettings):
    """Settings of ingest for pictures.

    Attributes
    ----------
    buckets
        Artifacts that the pictures are dealt into. A new picture re-computes one of them: more buckets waste less, and
        cost more tasks. Another number moves nearly every picture.
    labels
        Where a picture's class is written: the name of the folder that it lies in. In an ``.npz`` file it is the label.
    classes
        Names of the classes in ``.npz`` files, in the order of their labels. Empty: the labels themselves.
    """

    buckets: int = Field(default=16, ge=1, le=4096)
    labels: Literal["folder"] = "folder"
    classes: tuple[Annotated[str, Field(min_length=1, max_length=64)], ...] = ()

    @field_validator("classes")
    @classmethod
    def _are_different(cls, names: tuple[str, ...]) -> tuple[str, ...]:
        if len(set(names)) < len(names):
            raise ValueError(f"classes have a name each; got {', '.join(names)}")
        return names
