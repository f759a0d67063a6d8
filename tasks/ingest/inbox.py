"""Looking through the inbox: every DICOM file under a folder, hashed and sorted into series; no pixel is read."""

from __future__ import annotations

import hashlib
import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import BinaryIO

from tasks.ingest.arrival import arrived, still_arrives, unopened
from tasks.ingest.grouping import FoundFile, group_files
from tasks.ingest.header import HEADER_LIMIT_BYTES, HeaderError, has_magic, looks_bare, read_header
from tasks.ingest.series_files import Inbox

DICOM_NAMES = (".dcm", ".dicom", ".ima")
_BLOCK_BYTES = 2**20
_PROGRESS_EVERY = 100


def scan_inbox(
    folder: Path,
    *,
    quiet_seconds: float = 0,
    progress: Callable[[int, int], None] | None = None,
    now: float | None = None,
) -> Inbox:
    """Find and group all DICOM files under a folder, in any order and nesting.

    The result does not depend on names, order or nesting of the files, except that an unreadable file is blamed on
    the series beside it when there is just one.

    Parameters
    ----------
    folder
        Where to look. Links to folders are followed, each folder once.
    quiet_seconds
        A study with a file that was written or moved in less than so many seconds ago waits. 0 lets nothing wait.
    progress
        Called with (files done, files found).
    now
        Seconds since the epoch; ``None`` for the clock.

    Raises
    ------
    NotADirectoryError
        `folder` is not a folder.
    """
    if not folder.is_dir():
        raise NotADirectoryError(f"the inbox must be a folder; {folder} is not")
    paths = sorted(_walk(folder))
    found: list[FoundFile] = []
    ignored = 0
    for number, path in enumerate(paths):
        if progress is not None and number % _PROGRESS_EVERY == 0:
            progress(number, len(paths))
        file = _look_at(path)
        if file is None:
            ignored += 1
        else:
            found.append(file)
    if progress is not None:
        progress(len(paths), len(paths))
    now = time.time() if now is None else now
    young = {file.path for file in found if still_arrives(file.arrived, now=now, quiet_seconds=quiet_seconds)}
    return group_files(found, young=young, ignored=ignored)


def _walk(folder: Path) -> Iterator[Path]:
    """Regular files under a folder; a folder that cannot be opened is yielded itself, to be reported."""
    seen: set[tuple[int, int]] = set()
    waiting = [folder]
    while waiting:
        here = waiting.pop()
        try:
            status = here.stat()
            if (status.st_dev, status.st_ino) in seen:
                continue
            seen.add((status.st_dev, status.st_ino))
            with os.scandir(here) as entries:
                for entry in entries:
                    if entry.is_dir():
                        waiting.append(Path(entry.path))
                    elif entry.is_file():  # never a pipe or a device, which could block for ever
                        yield Path(entry.path)
        except OSError:
            yield here


def _look_at(path: Path) -> FoundFile | None:
    """Hash one file and read its header; ``None`` if it does not claim to be DICOM, or is a DICOMDIR."""
    claims = path.name.lower().endswith(DICOM_NAMES)
    try:
        with path.open("rb") as stream:
            status = os.fstat(stream.fileno())
            head = stream.read(HEADER_LIMIT_BYTES if claims else 132)
            if not (claims or has_magic(head) or looks_bare(head)):
                return None
            if not claims:
                head += stream.read(HEADER_LIMIT_BYTES - len(head))
            digest = _digest(head, stream)
    except OSError as error:
        came, fault = unopened(error)
        return FoundFile(path, hashlib.sha256(os.fsencode(path)).hexdigest(), came, None, fault)
    try:
        header = read_header(head)
    except HeaderError as error:
        if not (claims or has_magic(head)):
            return None
        return FoundFile(path, digest, arrived(status), None, str(error) if head else "it is empty")
    return None if header is None else FoundFile(path, digest, arrived(status), header, "")


def _digest(head: bytes, rest: BinaryIO) -> str:
    """SHA-256 of what was read and what is left."""
    digest = hashlib.sha256(head)
    while block := rest.read(_BLOCK_BYTES):
        digest.update(block)
    return digest.hexdigest()
