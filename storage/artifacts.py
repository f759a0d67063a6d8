"""The artifact store: content-addressed folders that exist completely or not at all.

An *artifact* is a folder ``artifacts/<stage>/<key>/`` with a ``_COMMIT.json``: what it was made from, with checksums of
its files. It is written beside its place as ``.tmp-…``, flushed, and renamed; what has no commit marker does not exist.
Losing a race against another writer of the same key is a success. A *verdict* is an artifact without files that says
why a case cannot be used.

A *workshop* is a folder ``workshop/<stage>/<key>/`` for what a killed piece of work may go on with, such as the
checkpoint of a training. It is no part of any artifact, and goes when the artifact is committed.
"""

from __future__ import annotations

import hashlib
import json
import os
import platform
import shutil
import time
import uuid
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict

from storage.errors import StoreError

FORMAT = 1
MARKER = "_COMMIT.json"
STALE_AFTER_S = 6 * 3600.0
WORKSHOP_STALE_AFTER_S = 7 * 24 * 3600.0
"""Nobody has gone on with it for a week of nights: its settings have changed since, or its study is given up."""


class Commit(BaseModel):
    """What ``_COMMIT.json`` says.

    ``subject`` is what the work was about: a case pseudonym, ``"cohort"`` or ``"fold 3"``. ``verdict`` is ``None``, or
    the reason why the case cannot be used. ``files`` maps the name of each file to its SHA-256.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    stage: str
    key: str
    subject: str
    inputs: dict[str, Any]
    settings: dict[str, Any]
    source: str
    versions: dict[str, str]
    verdict: str | None = None
    files: dict[str, str]
    seconds: float
    peak_mib: float
    host: str
    committed: datetime


class Artifact(BaseModel):
    """A committed folder."""

    model_config = ConfigDict(frozen=True)

    folder: Path
    commit: Commit


class ArtifactStore:
    """Artifacts below one folder.

    Parameters
    ----------
    root
        The store's folder; made when missing, refused when it has another format or is a folder of something else.
    """

    def __init__(self, root: Path | str) -> None:
        self.root = Path(root).resolve()
        mark = self.root / "format.json"
        if not mark.exists():
            if self.root.is_dir() and any(not entry.name.startswith(".") for entry in self.root.iterdir()):
                raise StoreError(f"{self.root} is not empty and not a store; give an empty folder or a new name")
            (self.root / "artifacts").mkdir(parents=True, exist_ok=True)
            write_atomically(mark, json.dumps({"format": FORMAT}).encode())
        found = json.loads(mark.read_text()).get("format")
        if found != FORMAT:
            raise StoreError(
                f"{self.root} has store format {found}, this version needs {FORMAT}; "
                "use another folder, or the version that made it"
            )

    def folder(self, stage: str, key: str) -> Path:
        """Where an artifact is or would be."""
        return self.root / "artifacts" / stage / key

    def find(self, stage: str, key: str) -> Artifact | None:
        """The committed artifact, or ``None``."""
        folder = self.folder(stage, key)
        try:
            return Artifact(folder=folder, commit=Commit.model_validate_json((folder / MARKER).read_bytes()))
        except FileNotFoundError:
            return None
        except ValueError as error:
            raise StoreError(
                f"the commit marker of {stage}/{key[:12]} is damaged; run `lesionflow verify --remove-damaged`"
            ) from error

    def open(self, stage: str, key: str) -> Path:
        """Folder of a committed artifact. Raises ``StoreError`` when there is none."""
        artifact = self.find(stage, key)
        if artifact is None:
            raise StoreError(f"{stage}/{key[:12]} is not in the store; run the study again to make it")
        return artifact.folder

    def read_json(self, stage: str, key: str, name: str) -> Any:
        """What a JSON file of a committed artifact says. Raises ``StoreError`` when there is no such artifact."""
        return json.loads((self.open(stage, key) / name).read_bytes())

    def versions(self, stage: str, keys: Iterable[str]) -> dict[str, str]:
        """Versions of the libraries that made some artifacts, sorted by name; artifacts that are gone say nothing."""
        found: dict[str, str] = {}
        for key in keys:
            artifact = self.find(stage, key)
            found |= artifact.commit.versions if artifact else {}
        return dict(sorted(found.items()))

    @contextmanager
    def write(
        self,
        *,
        stage: str,
        key: str,
        subject: str,
        inputs: dict[str, Any],
        settings: dict[str, Any],
        source: str,
        versions: dict[str, str],
        verdict: str | None = None,
    ) -> Iterator[Path]:
        """Give a folder to write into, and commit it when the block ends without an exception."""
        target = self.folder(stage, key)
        draft = target.parent / f".tmp-{key[:16]}-{uuid.uuid4().hex[:8]}"
        draft.mkdir(parents=True)
        started = time.perf_counter()
        try:
            yield draft
            commit = Commit(
                stage=stage,
                key=key,
                subject=subject,
                inputs=inputs,
                settings=settings,
                source=source,
                versions=versions,
                verdict=verdict,
                files=checksums(draft),
                seconds=round(time.perf_counter() - started, 3),
                peak_mib=peak_memory_mib(),
                host=platform.node(),
                committed=datetime.now(UTC),
            )
            _flush(draft)
            write_atomically(draft / MARKER, commit.model_dump_json(indent=1).encode())
            _move_into_place(draft, target)
            shutil.rmtree(self._workshop(stage, key), ignore_errors=True)
        finally:
            shutil.rmtree(draft, ignore_errors=True)

    def workshop(self, stage: str, key: str) -> Path:
        """A folder that outlives a killed writer of this artifact, and ends with its commit; made when missing."""
        folder = self._workshop(stage, key)
        folder.mkdir(parents=True, exist_ok=True)
        return folder

    def _workshop(self, stage: str, key: str) -> Path:
        return self.root / "workshop" / stage / key

    def artifacts(self) -> Iterator[Artifact]:
        """All committed artifacts, in a stable order."""
        for marker in sorted((self.root / "artifacts").glob(f"*/*/{MARKER}")):
            if not marker.parent.name.startswith(".tmp-"):
                yield Artifact(folder=marker.parent, commit=Commit.model_validate_json(marker.read_bytes()))

    def remove(self, folder: Path) -> None:
        """Take an artifact away: its marker first, so that a half-removed artifact does not exist."""
        (folder / MARKER).unlink(missing_ok=True)
        shutil.rmtree(folder, ignore_errors=True)

    def stale_drafts(self) -> list[Path]:
        """Folders of writers that died, not touched for hours; and workshops that nobody will go on with."""
        limit = time.time() - STALE_AFTER_S
        drafts = [path for path in (self.root / "artifacts").glob("*/.tmp-*") if path.stat().st_mtime < limit]
        return drafts + [path for path in sorted((self.root / "workshop").glob("*/*")) if self._is_abandoned(path)]

    def _is_abandoned(self, workshop: Path) -> bool:
        """Its artifact is there (the writer was killed between commit and tidying), or nothing happened for days."""
        if (self.folder(workshop.parent.name, workshop.name) / MARKER).is_file():
            return True
        newest = max(path.stat().st_mtime for path in (workshop, *workshop.rglob("*")))
        return newest < time.time() - WORKSHOP_STALE_AFTER_S


def checksums(folder: Path) -> dict[str, str]:
    """SHA-256 by relative name of every file below a folder, the commit marker left out."""
    files = sorted(path for path in folder.rglob("*") if path.is_file() and path.name != MARKER)
    return {path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


def write_atomically(path: Path, content: bytes) -> None:
    """Write a file that is there completely or not at all, also after a power cut."""
    draft = path.with_name(f".tmp-{path.name}-{uuid.uuid4().hex[:8]}")
    try:
        with draft.open("wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        draft.replace(path)
    finally:
        draft.unlink(missing_ok=True)


def peak_memory_mib() -> float:
    """Largest resident size of this process so far, in MiB; of the program that it runs, not of the one it came from.

    On Linux ``getrusage`` would also count what its parent held when it was forked.
    """
    status = Path("/proc/self/status")
    if status.exists():
        [line] = [line for line in status.read_text().splitlines() if line.startswith("VmHWM:")]
        return round(int(line.split()[1]) / 1024, 1)
    import resource  # POSIX only; imported where it is used

    return round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024, 1)


def _flush(folder: Path) -> None:
    for path in [*folder.rglob("*"), folder]:
        descriptor = os.open(path, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def _move_into_place(draft: Path, target: Path) -> None:
    try:
        draft.rename(target)
    except OSError:
        if not (target / MARKER).is_file():  # a folder without marker is a half-removed artifact
            shutil.rmtree(target, ignore_errors=True)
            draft.rename(target)
    descriptor = os.open(target.parent, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
