"""Pictures that lie in one folder per class, or together in a file of arrays: which there are, and what they show.

Words: a *picture* is a file that starts as a JPEG, PNG, BMP, TIFF or WebP file does, whatever its name. Its *class* is
the name of the folder that it lies in; what lies in the inbox itself has none. An ``.npz`` file holds many pictures in
its *rows*, with a label each. Two pictures are *copies* when their bytes are equal: those of their files, or in rows
those of their pixels. Each ends in one of four places: among the pictures, *set aside* (no picture, or a copy),
*quarantined* (something is wrong with it) or *waiting* (too young to be complete).
"""

from __future__ import annotations

import hashlib
import os
import time
import unicodedata
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from pydantic import BaseModel, ConfigDict

from storage.errors import CaseError
from tasks.ingest.arrival import arrived, still_arrives, unopened
from tasks.ingest.deidentify import Pseudonyms
from tasks.ingest.picture_arrays import SUFFIX, read_arrays

PICTURE_NAMES = (".jpg", ".jpeg", ".jpe", ".jfif", ".png", ".bmp", ".dib", ".tif", ".tiff", ".webp")
_BMP_HEADER_BYTES = (12, 40, 52, 56, 64, 108, 124)
_BLOCK_BYTES = 2**20
_PROGRESS_EVERY = 100


class _Record(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class FoundPicture(_Record):
    """One picture, not yet decoded. Its path may name a patient: it must not be logged, stored or shown.

    Attributes
    ----------
    digest
        Hex SHA-256 of the file's bytes, or of the pixels in a row.
    class_name
        ``None`` for a picture that lies in the inbox itself.
    arrived
        Seconds since the epoch.
    row
        In a file of arrays; ``None`` where the file is the picture.
    """

    path: Path
    digest: str
    class_name: str | None
    arrived: float
    row: int | None = None


class PictureNote(_Record):
    """A file that is not among the pictures, and why; the reason is free of names. Its path must not be shown.

    ``digest``: of its bytes; of a file that cannot be opened, the pseudonym of its path below the inbox.
    """

    path: Path
    digest: str
    reason: str


class PictureInbox(_Record):
    """What a scan found: ``series_seen = pictures + set_aside + quarantined + waiting``, all sorted by digest."""

    pictures: tuple[FoundPicture, ...] = ()
    set_aside: tuple[PictureNote, ...] = ()
    quarantined: tuple[PictureNote, ...] = ()
    waiting: tuple[PictureNote, ...] = ()

    @property
    def series_seen(self) -> int:
        """Pictures found; each file that holds none, or cannot be read, counts as one."""
        return len(self.pictures) + len(self.set_aside) + len(self.quarantined) + len(self.waiting)


def scan_pictures(
    folder: Path,
    *,
    classes: Sequence[str] = (),
    pseudonyms: Pseudonyms | None = None,
    quiet_seconds: float = 0,
    now: float | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> PictureInbox:
    """Find all pictures under a folder and hash them; no pixel is read but of files of arrays.

    The result depends on bytes and class folders alone, not on the names or the order of the files.

    Parameters
    ----------
    folder
        Where to look; or a single ``.npz`` file. Links to folders are followed under each name that they have.
    classes
        Names of the classes in ``.npz`` files, in the order of their labels. Empty: the labels themselves.
    pseudonyms
        Names files that cannot be opened, whose paths may name patients. ``None``: all have the same name.
    quiet_seconds
        A file that was written or moved in less than so many seconds ago waits. 0 lets nothing wait.
    now
        Seconds since the epoch; ``None`` for the clock.
    progress
        Called with (files done, files found).

    Returns
    -------
    PictureInbox
        Copies in one class count once, the others are set aside. Copies in two classes contradict each other: all are
        quarantined. A copy without class adds nothing to one that has a class, and is set aside.

    Raises
    ------
    NotADirectoryError
        `folder` is neither a folder nor an ``.npz`` file.
    """
    alone = _holds_arrays(folder) and folder.is_file()
    if not alone and not folder.is_dir():
        raise NotADirectoryError(f"the inbox must be a folder, or an {SUFFIX} file; {folder} is not")
    now = time.time() if now is None else now
    paths = [folder] if alone else sorted(_walk(folder))
    notes: dict[str, list[PictureNote]] = {"set_aside": [], "quarantined": [], "waiting": []}
    pictures: dict[str, list[FoundPicture]] = defaultdict(list)
    for number, path in enumerate(paths):
        if progress is not None and number % _PROGRESS_EVERY == 0:
            progress(number, len(paths))
        unread = "unreadable" if pseudonyms is None else pseudonyms.file(str(path.relative_to(folder)))
        came, digest, fate, reason = _look_at(path, unread)
        if still_arrives(came, now=now, quiet_seconds=quiet_seconds):
            notes["waiting"].append(PictureNote(path=path, digest=digest, reason="it still arrives"))
        elif fate:
            notes[fate].append(PictureNote(path=path, digest=digest, reason=reason))
        elif _holds_arrays(path):
            try:
                for found in _in_rows(path, came, classes):
                    pictures[found.digest].append(found)
            except CaseError as error:
                notes["quarantined"].append(PictureNote(path=path, digest=digest, reason=str(error)))
        else:
            # macOS spells é in two characters where others use one.
            name = None if path.parent == folder else unicodedata.normalize("NFC", path.parent.name)
            pictures[digest].append(FoundPicture(path=path, digest=digest, class_name=name, arrived=came))
    if progress is not None:
        progress(len(paths), len(paths))
    used = tuple(_without_copies(pictures, notes))
    ordered = {fate: tuple(sorted(several, key=lambda note: note.digest)) for fate, several in notes.items()}
    return PictureInbox(pictures=used, **ordered)


def bucket_of(digest: str, buckets: int) -> int:
    """Bucket (from 0) of a picture: of its patient's digest where the patient is known, else of its own, both hex."""
    if buckets < 1:
        raise ValueError(f"expected at least 1 bucket; got {buckets}")
    return int(digest, 16) % buckets


def _walk(folder: Path) -> Iterator[Path]:
    """Regular files under a folder; a folder that cannot be opened is yielded itself, to be reported.

    A folder with two names is walked under both, since the name is a class; one that leads back to itself is not.
    """
    seen: set[tuple[tuple[int, int], str]] = set()
    waiting: list[tuple[Path, frozenset[tuple[int, int]]]] = [(folder, frozenset())]
    while waiting:
        here, above = waiting.pop()
        try:
            status = here.stat()
            identity = (status.st_dev, status.st_ino)
            if identity in above or (identity, here.name) in seen:
                continue
            seen.add((identity, here.name))
            with os.scandir(here) as entries:
                for entry in sorted(entries, key=lambda entry: entry.name):
                    if entry.is_dir():
                        waiting.append((Path(entry.path), above | {identity}))
                    elif entry.is_file():  # never a pipe or a device, which could block for ever
                        yield Path(entry.path)
        except OSError:
            yield here


def _holds_arrays(path: Path) -> bool:
    return path.name.lower().endswith(SUFFIX) and not path.name.startswith(".")


def _in_rows(path: Path, came: float, classes: Sequence[str]) -> Iterator[FoundPicture]:
    """The pictures of a file of arrays. Raises ``CaseError`` before the first of them, or not at all."""
    arrays = read_arrays(path)
    if classes and (highest := int(arrays.labels.max())) >= len(classes):
        raise CaseError(f"label {highest} has no name: [ingest] classes has {len(classes)}, the first for label 0")
    for row, label in enumerate(arrays.labels):
        name = unicodedata.normalize("NFC", classes[label]) if classes else str(label)
        yield FoundPicture(path=path, digest=arrays.digest(row), class_name=name, arrived=came, row=row)


def _look_at(path: Path, unread: str) -> tuple[float, str, str, str]:
    """When a file came, its digest, or ``unread`` where it has none; unless it is a picture, where it ends and why."""
    try:
        with path.open("rb") as stream:
            status = os.fstat(stream.fileno())
            head = stream.read(_BLOCK_BYTES)
            digest = hashlib.sha256(head)
            while block := stream.read(_BLOCK_BYTES):
                digest.update(block)
    except OSError as error:
        came, fault = unopened(error)
        return came, unread, "quarantined", fault
    came = arrived(status)
    if _starts_as_picture(head) or _holds_arrays(path):
        return came, digest.hexdigest(), "", ""
    # macOS lays a file ._a.jpg of its own beside a.jpg.
    if path.name.lower().endswith(PICTURE_NAMES) and not path.name.startswith("."):
        reason = "its name says that it is a picture, its content does not" if head else "it is empty"
        return came, digest.hexdigest(), "quarantined", reason
    return came, digest.hexdigest(), "set_aside", "it is no picture"


def _starts_as_picture(head: bytes) -> bool:
    """Whether a file's first bytes are those of a JPEG, PNG, TIFF (also BigTIFF), WebP or BMP file."""
    return (
        head.startswith((b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n", b"II*\0", b"MM\0*", b"II+\0", b"MM\0+"))
        or (head.startswith(b"RIFF") and head[8:12] == b"WEBP")
        # Many texts start with BM: the size of the second header tells.
        or (head.startswith(b"BM") and int.from_bytes(head[14:18], "little") in _BMP_HEADER_BYTES)
    )


def _without_copies(
    pictures: dict[str, list[FoundPicture]], notes: dict[str, list[PictureNote]]
) -> Iterator[FoundPicture]:
    """One picture per digest, by digest; notes for the others."""
    for digest, copies in sorted(pictures.items()):
        classes = {copy.class_name for copy in copies} - {None}
        fate, reason, rest = "set_aside", "it is a copy of another picture", copies
        if len(classes) > 1:
            fate, reason = "quarantined", f"the same picture lies in {len(classes)} classes: its class is not known"
        else:
            best, *rest = sorted(copies, key=lambda copy: (copy.class_name is None, copy.path, copy.row or 0))
            yield best
        notes[fate] += [PictureNote(path=copy.path, digest=digest, reason=reason) for copy in rest]
