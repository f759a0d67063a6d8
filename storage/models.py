"""The model registry: which trained model goes by which name, and which one is in production.

A model is an artifact of the stage ``train``. The registry only names it: ``models/<name>.json`` with its aliases and
their history. ``candidate`` is moved by every run that trains; ``production`` is set by the first, and afterwards only
by a person.
"""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict

from storage.artifacts import write_atomically
from storage.errors import StoreError

Alias = Literal["candidate", "production"]


class Move(BaseModel):
    """One move of an alias."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    alias: Alias
    key: str
    when: datetime


class RegisteredModel(BaseModel):
    """A named model: the keys behind its aliases, and how they came there."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str
    aliases: dict[Alias, str] = {}
    history: tuple[Move, ...] = ()


class ModelRegistry:
    """Names of models below ``models/`` of a store. Written by the driver alone."""

    def __init__(self, root: Path) -> None:
        self.folder = root / "models"

    def names(self) -> list[str]:
        """All names, sorted."""
        return sorted(path.stem for path in self.folder.glob("*.json"))

    def get(self, name: str) -> RegisteredModel:
        """The model of this name. Raises ``StoreError`` with the names there are."""
        path = self.folder / f"{name}.json"
        if not path.is_file():
            raise StoreError(f"no model '{name}'; there are: {', '.join(self.names()) or 'none'}")
        return RegisteredModel.model_validate_json(path.read_bytes())

    def propose(self, name: str, key: str) -> RegisteredModel:
        """Make ``key`` the candidate, and production too while nothing else is."""
        model = self.get(name) if name in self.names() else RegisteredModel(name=name)
        model = _moved(model, "candidate", key)
        if "production" not in model.aliases:
            model = _moved(model, "production", key)
        self._write(model)
        return model

    def promote(self, name: str, key: str) -> RegisteredModel:
        """Make ``key`` production."""
        model = _moved(self.get(name), "production", key)
        self._write(model)
        return model

    def aliased_keys(self) -> set[str]:
        """Keys that an alias of any model holds."""
        return {key for name in self.names() for key in self.get(name).aliases.values()}

    def _write(self, model: RegisteredModel) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        write_atomically(self.folder / f"{model.name}.json", model.model_dump_json(indent=1).encode())


def _moved(model: RegisteredModel, alias: Alias, key: str) -> RegisteredModel:
    if model.aliases.get(alias) == key:
        return model
    move = Move(alias=alias, key=key, when=datetime.now(UTC))
    return model.model_copy(update={"aliases": {**model.aliases, alias: key}, "history": (*model.history, move)})
