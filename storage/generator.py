"""What a saved generator is: the card beside its tensors, which says for ever that its images are synthetic."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, JsonValue


class GeneratorCard(BaseModel):
    """Everything of a fitted generator but its tensors; written and read by `storage.deep`.

    Attributes
    ----------
    synthetic
        Always true: no image that it makes is a patient's.
    options
        Settings of the network.
    shape, channels, classes
        Of its images: ``[y, x]`` or ``[z, y, x]``.
    class_names
        In the order of the labels.
    dtype, low, high
        Type of its images, and the intensities at both ends.
    method, seed, images
        How it was trained, from how many images.
    history
        The curves of the training.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    synthetic: Literal[True] = True
    options: dict[str, JsonValue]
    shape: tuple[int, ...]
    channels: int = Field(ge=1)
    classes: int = Field(ge=1)
    class_names: tuple[str, ...]
    dtype: Literal["uint8", "float32"]
    low: float
    high: float
    method: str
    seed: int
    images: int
    history: tuple[dict[str, JsonValue], ...]

    def facts(self) -> dict[str, Any]:
        """Everything but the names of the classes: what a fitted generator is made of, beside its tensors."""
        return self.model_dump(mode="json", exclude={"class_names"})
