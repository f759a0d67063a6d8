"""The card of a network that says what each voxel is; its files are those of `storage.deep`."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, ConfigDict, Field, JsonValue


class SegmenterCard(BaseModel):
    """What a saved segmenter is; written once, refused when a later version would read it otherwise.

    Attributes
    ----------
    model, options
        The file of ``tasks/models`` that builds it, and its settings.
    structures
        Value in label maps by name, in the order of the values; the network's classes are the background and these.
    window
        Voxels that it sees at a time, along (z, y, x) of a normalized image.
    mean, std
        Of the training images, after normalization.
    patients, cases, held_out
        How many patients and cases it learned from, and how many cases were kept out to be examined.
    history
        One record per epoch.
    best
        Number of the epoch whose weights were kept; ``None``: the last.
    note
        One sentence on how it was trained.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    model: str
    options: dict[str, JsonValue]
    structures: dict[str, int] = Field(min_length=1)
    window: tuple[int, int, int]
    mean: float
    std: float = Field(gt=0)
    patients: int = Field(ge=0)
    cases: int = Field(ge=0)
    held_out: int = Field(ge=0)
    history: tuple[dict[str, JsonValue], ...]
    best: int | None = None
    note: str

    def facts(self) -> dict[str, Any]:
        """What a fitted segmenter is made of, beside its tensors."""
        return self.model_dump()
