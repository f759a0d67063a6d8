"""A case: one examination of one patient, as it travels between the rooms.

Only keys travel. Arrays, tables and models stay in the store and are opened where they are needed.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping

from pydantic import BaseModel, ConfigDict


class Case(BaseModel):
    """One examination chosen by the study's selector.

    Attributes
    ----------
    id
        Pseudonym of the examination, ``C-…``.
    patient
        Pseudonym of the patient, ``P-…``: the grouping key of every split.
    digest
        Hex SHA-256 of the bytes of its images. Orders rows and seeds everything random, so that neither depends on
        pseudonyms, paths, time or the number of workers.
    keys
        Artifact key by what it is: ``"ingest"``, ``"annotate"``, ``"normalize"``, ``"sample"``, ``"extract"``,
        ``"detect"``.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    id: str
    patient: str
    digest: str
    keys: Mapping[str, str] = {}

    @property
    def members(self) -> tuple[Case, ...]:
        """The cases that share its artifacts: itself."""
        return (self,)

    def with_key(self, name: str, key: str) -> Case:
        """This case with one more artifact."""
        return self.model_copy(update={"keys": {**self.keys, name: key}})


class Batch(BaseModel):
    """Small cases that share their artifacts, such as a bucket of pictures.

    Attributes
    ----------
    id
        E.g. ``"bucket 07"``.
    members
        The cases, by digest. Their own ``keys`` stay empty.
    keys
        As in `Case`.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    id: str
    members: tuple[Case, ...]
    keys: Mapping[str, str] = {}

    def with_key(self, name: str, key: str) -> Batch:
        """This batch with one more artifact."""
        return self.model_copy(update={"keys": {**self.keys, name: key}})

    def without(self, cases: Collection[str]) -> Batch:
        """This batch without some of its cases, named by pseudonym."""
        return self.model_copy(update={"members": tuple(case for case in self.members if case.id not in cases)})
