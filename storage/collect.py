"""Who may be in the store at the same time, and what may leave it.

A run holds the store's lock together with other runs; the collector holds it alone. So nothing is collected while a run
may be about to use it, and a lock dies with its process.
"""

from __future__ import annotations

import fcntl
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from storage.artifacts import Artifact, ArtifactStore
from storage.errors import StoreError
from storage.ledger import Ledger
from storage.models import ModelRegistry


@dataclass(frozen=True)
class Collection:
    """What a collection took away, or would: artifact folders, drafts of dead writers, bytes."""

    artifacts: tuple[Path, ...]
    drafts: tuple[Path, ...]
    bytes: int
    kept: int


@contextmanager
def in_use(store: ArtifactStore, *, alone: bool = False) -> Iterator[None]:
    """Hold the store's lock: together with others, or alone. Raises ``StoreError`` when it cannot be had at once."""
    with (store.root / ".lock").open("a+") as file:
        try:
            fcntl.flock(file, (fcntl.LOCK_EX if alone else fcntl.LOCK_SH) | fcntl.LOCK_NB)
        except BlockingIOError as error:
            who = "a run uses" if alone else "`lesionflow gc` is cleaning"
            raise StoreError(f"{who} the store {store.root}; try again when it has ended") from error
        yield


def collect(store: ArtifactStore, ledger: Ledger, *, keep_runs: int, dry_run: bool) -> Collection:
    """Remove what neither an alias nor one of the last runs of any study needs.

    Parameters
    ----------
    keep_runs
        So many of the newest runs of each study keep their artifacts.
    dry_run
        Only say what would be removed.
    """
    with in_use(store, alone=True):
        keep = ModelRegistry(store.root).aliased_keys() | _keys_of_last_runs(ledger, keep_runs)
        artifacts = list(store.artifacts())
        keep |= _members(artifacts, keep)
        doomed = tuple(artifact.folder for artifact in artifacts if artifact.commit.key not in keep)
        drafts = tuple(store.stale_drafts())
        size = sum(path.stat().st_size for folder in (*doomed, *drafts) for path in folder.rglob("*") if path.is_file())
        if not dry_run:
            for folder in (*doomed, *drafts):
                store.remove(folder)
        return Collection(doomed, drafts, size, len(artifacts) - len(doomed))


def _members(artifacts: Sequence[Artifact], keep: set[str]) -> set[str]:
    """Keys of the models that answer together under a key that is kept."""
    whole = (artifact.commit.inputs for artifact in artifacts if artifact.commit.key in keep)
    return {key for inputs in whole if isinstance(members := inputs.get("members"), dict) for key in members.values()}


def _keys_of_last_runs(ledger: Ledger, keep_runs: int) -> set[str]:
    seen: dict[str, int] = {}
    keys: set[str] = set()
    for run in ledger.runs():
        seen[run.study] = seen.get(run.study, 0) + 1
        if seen[run.study] <= keep_runs:
            keys |= {line.key for line in ledger.lines(run.id)}
    return keys
