"""Models of pictures on disk that are no networks: what ``card.json`` says of a pipeline, or of several models.

A network's card is `storage.deep.NetworkCard`. A *pipeline* is a classical model with all that goes before it, in
``model.skops`` beside its card. A *combination* holds no numbers but weights: its members are artifacts of their own.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, JsonValue, TypeAdapter, ValidationError, model_validator

from storage.artifacts import write_atomically
from storage.errors import StoreError

CARD = "card.json"
MODEL = "model.skops"


class PipelineCard(BaseModel):
    """What a classical model of pictures is.

    Attributes
    ----------
    model, options
        The file of ``tasks/models`` that builds it, and its settings.
    columns
        Features that it asks for, in its order; ``None``: it looks at the pictures themselves.
    kept
        Those that its selectors left.
    class_names
        In the order of its probabilities.
    temperature
        By which logarithms of its probabilities are divided before the softmax.
    pictures
        How many it learned from.
    synthetic
        How many synthetic pictures it learned from beside these.
    inner_loss, inner_accuracy
        Calibrated cross-entropy in nats, and accuracy, on its training pictures by models of inner folds that did not
        see them; with synthetic pictures, on the training pictures that their generator did not see.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    kind: Literal["pipeline"] = "pipeline"
    model: str
    options: dict[str, JsonValue]
    columns: tuple[str, ...] | None
    kept: tuple[str, ...] = ()
    class_names: tuple[str, ...]
    temperature: float = Field(gt=0)
    pictures: int = Field(ge=0)
    synthetic: int = Field(default=0, ge=0)
    inner_loss: float
    inner_accuracy: float


class CombinationCard(BaseModel):
    """Several models whose probabilities are averaged: the key of each by its name, and its weight; these sum to 1."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    kind: Literal["combination"] = "combination"
    members: dict[str, str]
    weights: dict[str, float]
    class_names: tuple[str, ...]

    @model_validator(mode="after")
    def _belong_together(self) -> Self:
        if set(self.members) != set(self.weights) or abs(sum(self.weights.values()) - 1) > 1e-6:
            raise ValueError(f"expected a weight for each member, 1 together; got {self.weights}")
        return self


PictureCard = Annotated[PipelineCard | CombinationCard, Field(discriminator="kind")]
_CARDS: TypeAdapter[PipelineCard | CombinationCard] = TypeAdapter(PictureCard)


def save_card(folder: Path, card: PipelineCard | CombinationCard) -> None:
    """Write a card into an existing folder."""
    write_atomically(folder / CARD, card.model_dump_json(indent=1).encode())


def load_picture_card(folder: Path) -> PipelineCard | CombinationCard:
    """The card of a model of pictures that is no network. Raises ``StoreError`` when it is absent or something else."""
    try:
        return _CARDS.validate_json((folder / CARD).read_bytes())
    except OSError as error:
        raise StoreError(f"{CARD} cannot be read: {error.strerror}") from error
    except ValidationError as error:
        raise StoreError(f"{CARD} is not the card of a model of pictures: {error.errors()[0]['msg']}") from error
