"""What the study wants from a folder of pictures, and how they are batched."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from tasks.settings import StageSettings


class PictureSettings(StageSettings):
    """Settings of ingest for pictures.

    Attributes
    ----------
    buckets
        Artifacts that the pictures are dealt into. A new picture re-computes one of them: more buckets waste less, and
        cost more tasks. Another number moves nearly every picture.
    labels
        Where a picture's class is written: the name of the folder that it lies in.
    """

    buckets: int = Field(default=16, ge=1, le=4096)
    labels: Literal["folder"] = "folder"
