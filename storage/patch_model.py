"""The card of a model that looks at patches, on disk in a folder of its own.

A network's files are those of `storage.deep`, with this card; any other model's are ``model.json``, which it writes
itself, and this card in ``card.json``.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, JsonValue, ValidationError

from storage.artifacts import write_atomically
from storage.errors import StoreError

CARD = "card.json"
MODEL = "model.json"


class PatchModelCard(BaseModel):
    """What a saved model is; written once, refused when a later version would read it otherwise.

    Attributes
    ----------
    model, options
        The file of ``tasks/models`` that builds it, and its settings.
    form, size
        Of the patches that it asks for, as ``tasks.imaging.patches.PatchShape`` has them.
    spacing_mm
        Of these patches, along (z, y, x).
    shows_candidate
        Whether it also asks for the candidate in each patch.
    mean, std
        Of the patches that a network learned from; 0 and 1 for what is shown patches as they are.
    patients, patches, lesions
        What it learned from, and how many of the patches lie on a lesion.
    told
        What it says of itself: the epochs of a network.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    model: str
    options: dict[str, JsonValue]
    form: Literal["2-D", "slices", "planes", "3-D"]
    size: tuple[int, int, int]
    spacing_mm: tuple[float, float, float]
    shows_candidate: bool = False
    mean: float = 0.0
    std: float = Field(default=1.0, gt=0)
    patients: int = Field(ge=0)
    patches: int = Field(ge=0)
    lesions: int = Field(ge=0)
    told: dict[str, JsonValue] = {}

    @property
    def shape(self) -> dict[str, Any]:
        """Form and size."""
        return {"form": self.form, "size": self.size}


def save_patch_card(folder: Path, card: PatchModelCard) -> None:
    """Write the card of a model that is no network into an existing folder."""
    write_atomically(folder / CARD, card.model_dump_json(indent=1).encode())


def load_patch_card(folder: Path) -> PatchModelCard:
    """The card of a model that is no network. Raises ``StoreError`` when it is absent or something else."""
    try:
        return PatchModelCard.model_validate_json((folder / CARD).read_bytes())
    except OSError as error:
        raise StoreError(f"{CARD} cannot be read: {error.strerror}") from error
    except ValidationError as error:
        said = error.errors()[0]["msg"]
        raise StoreError(f"{CARD} is not the card of a model that looks at patches: {said}") from error
