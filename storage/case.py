"""A case: one examination of one patient, as it travels between the rooms.

Only keys travel. Arrays, tables and models stay in the store and are opened where they are needed.
"""

from __future__ import annotations

from collections.abc import Mapping

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

    def with_key(self, name: str, key: str) -> Case:
        """This case with one more artifact."""
        return self.model_copy(update={"keys": {**self.keys, name: key}})
