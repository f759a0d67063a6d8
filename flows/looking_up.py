"""Looking cases up in a store by hand: by the beginning of a pseudonym, and what was last made of each."""

from __future__ import annotations

from storage.artifacts import Artifact, ArtifactStore
from storage.errors import StoreError


def subject_named(store: ArtifactStore, case: str) -> str:
    """The case whose pseudonym begins so. Raises ``StoreError`` unless exactly one does."""
    found = {artifact.commit.subject for artifact in store.artifacts() if artifact.commit.stage == "ingest"}
    matching = sorted(subject for subject in found if subject.startswith(case))
    if len(matching) != 1 or not case:
        known = f"{len(matching)} of the {len(found)} cases in the store"
        raise StoreError(f"'{case}' names {known}; `lesionflow ledger` lists them")
    return matching[0]


def made(store: ArtifactStore, stage: str) -> list[Artifact]:
    """All that a stage made, oldest first, verdicts included."""
    found = [artifact for artifact in store.artifacts() if artifact.commit.stage == stage]
    return sorted(found, key=lambda artifact: artifact.commit.committed)


def newest(store: ArtifactStore, stage: str) -> dict[str, Artifact]:
    """What a stage last made of each case, by pseudonym; verdicts included."""
    return {artifact.commit.subject: artifact for artifact in made(store, stage)}
