"""The model registry: which trained model goes by which name, and which one is in production.

A model is an artifact of the stage ``train``. The registry only names it: ``models/<name>.json`` with its aliases,
their history, and for each key the settings of the study that trained it: whoever applies the model has to prepare
images as that study did. ``candidate`` is moved by every run that trains; ``production`` is set by the first,
and afterwards only by a person.
"""

from __future__ import annotations

import fcntl
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, ValidationError

from storage.artifacts import write_atomically
from storage.errors import StoreError

Alias = Literal["candidate", "production"]


class Move(BaseModel):
    """One move of an alias. ``back``: it takes the move before it back, and is none that could be taken back."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    alias: Alias
    key: str
    when: datetime
    back: bool = False


class ModelCard(BaseModel):
    """What somebody needs to know before a model is put into production (after doi:10.1145/3287560.3287596).

    Attributes
    ----------
    study, description
        Where it comes from.
    patients, groups, cases, received
        How many it learned from: patients (``None`` where nobody knows whose images these are), groups that no fold
        tears apart (patients, or images that show nearly the same), and cases that came through, of those received.
    folds
        Models beside it that never saw the cases they were scored on: ``metrics`` are theirs.
    metrics, baselines
        As in the run summary: value, 95 % interval, n.
    versions
        Of the libraries that trained it.
    intended_use, limits
        In words.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    study: str
    description: str
    patients: int | None
    groups: int | None = None
    cases: int
    received: int
    folds: int
    metrics: dict[str, dict[str, Any]]
    baselines: dict[str, dict[str, dict[str, Any]]]
    versions: dict[str, str]
    intended_use: str
    limits: tuple[str, ...] = ()


class RegisteredModel(BaseModel):
    """A named model: the keys behind its aliases, how they came there, and by key the study's settings and the card."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str
    aliases: dict[Alias, str] = {}
    history: tuple[Move, ...] = ()
    studies: dict[str, dict[str, Any]] = {}
    cards: dict[str, ModelCard] = {}

    def resolve(self, key: str) -> str:
        """The key that begins so. Raises ``StoreError`` unless exactly one that was registered does."""
        found = [known for known in self.studies if known.startswith(key)]
        if len(found) != 1 or not key:
            known = ", ".join(known[:12] for known in self.studies)
            raise StoreError(f"'{key}' names {len(found)} models of '{self.name}'; there are: {known}")
        return found[0]


class ModelRegistry:
    """Names of models below ``models/`` of a store. Written by the driver and by commands, never by workers."""

    def __init__(self, root: Path) -> None:
        self.folder = root / "models"

    def names(self) -> list[str]:
        """All names, sorted."""
        return sorted(path.stem for path in self.folder.glob("*.json"))

    def get(self, name: str | None = None) -> RegisteredModel:
        """The model of this name, ``None`` for the only one. Raises ``StoreError`` with the names that there are."""
        names = self.names()
        if name is None and len(names) == 1:
            name = names[0]
        if name not in names:
            wanted = f"no model '{name}'" if name else "which model?" if names else "no model yet: run a study first"
            raise StoreError(f"{wanted}; there are: {', '.join(names) or 'none'}")
        path = self.folder / f"{name}.json"
        try:
            model = RegisteredModel.model_validate_json(path.read_bytes())
        except ValidationError as error:
            raise StoreError(f"{path} is damaged; restore it, or delete it and run the study again") from error
        if model.name != name:  # a copy: what is written to it would land in the file of the other
            raise StoreError(f"{path} belongs to the model '{model.name}'; restore it, or delete it")
        return model

    def propose(self, name: str, key: str, study: Mapping[str, Any], card: ModelCard | None = None) -> RegisteredModel:
        """Make ``key``, trained with these settings, the candidate, and production too while nothing else is."""
        with self._alone():
            model = self.get(name) if name in self.names() else RegisteredModel(name=name)
            model = _moved(model, "candidate", key)
            if "production" not in model.aliases:
                model = _moved(model, "production", key)
            cards = {**model.cards, key: card} if card else model.cards
            model = model.model_copy(update={"studies": {**model.studies, key: dict(study)}, "cards": cards})
            return self._written(model)

    def promote(self, name: str, key: str) -> RegisteredModel:
        """Make a registered key (or its beginning) production. Raises ``StoreError`` for any other."""
        with self._alone():
            model = self.get(name)
            return self._written(_moved(model, "production", model.resolve(key)))

    def rollback(self, name: str) -> RegisteredModel:
        """Give production to what held it before, and once more to what held it before that; see `previous`."""
        with self._alone():
            return self._written(_moved(self.get(name), "production", self.previous(name), back=True))

    def previous(self, name: str) -> str:
        """The key that a roll-back puts into production. Raises ``StoreError`` when there is none."""
        held = _held(self.get(name))
        if len(held) < 2:
            raise StoreError(f"nothing was in production of '{name}' before; there is nothing to go back to")
        return held[-2]

    def aliased_keys(self) -> set[str]:
        """Keys that an alias of any model holds, or that production would go back to."""
        models = [self.get(name) for name in self.names()]
        return {key for model in models for key in (*model.aliases.values(), *_held(model)[-2:-1])}

    @contextmanager
    def _alone(self) -> Iterator[None]:
        """One writer at a time, who reads what the one before him wrote. A lock dies with its process."""
        self.folder.mkdir(parents=True, exist_ok=True)
        with (self.folder / ".lock").open("a+") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            yield

    def _written(self, model: RegisteredModel) -> RegisteredModel:
        write_atomically(self.folder / f"{model.name}.json", model.model_dump_json(indent=1).encode())
        return model


def _held(model: RegisteredModel) -> list[str]:
    """Keys that were in production one after the other, the present one last; none that was taken back."""
    held: list[str] = []
    for move in model.history:
        if move.alias == "production" and move.back:
            del held[-1:]
        elif move.alias == "production":
            held.append(move.key)
    return held


def _moved(model: RegisteredModel, alias: Alias, key: str, *, back: bool = False) -> RegisteredModel:
    if model.aliases.get(alias) == key:
        return model
    move = Move(alias=alias, key=key, when=datetime.now(UTC), back=back)
    return model.model_copy(update={"aliases": {**model.aliases, alias: key}, "history": (*model.history, move)})
