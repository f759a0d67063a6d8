"""What lies in the inbox: every DICOM file under a folder, grouped into series, without reading a pixel.

Words: a *readable* file is DICOM that says to which series it belongs. An *unreadable* file claims to be DICOM, by its prefix or its
name, but cannot be sorted. A series is *suspect* when it contradicts itself, or when an unreadable file beside it may be
one of its slices. A study *waits* while any of its files is younger than the quiet period: it still arrives.
"""

from __future__ import annotations

import hashlib
import os
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple

from pydantic import BaseModel, ConfigDict, ValidationError

from tasks.ingest.header import HEADER_LIMIT_BYTES, Header, HeaderError, has_magic, looks_bare, read_header

DICOM_NAMES = (".dcm", ".dicom", ".ima")
_BLOCK_BYTES = 2**20
_PROGRESS_EVERY = 100


class FileEntry(BaseModel):
    """One file of a series: where it lies, SHA-256 of its bytes, and its own header fields."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    path: Path
    digest: str
    sop_uid: str
    frames: int = 1
    made: str = ""
    references: tuple[str, ...] = ()
    reference_frames: tuple[str, ...] = ()


class SeriesFiles(BaseModel):
    """One series as found. Holds original identifiers: it must not be logged, stored or shown.

    Attributes
    ----------
    files
        Sorted by digest; identical copies of a file count once.
    localizer
        All files are survey pictures for planning.
    suspect
        Why the series cannot be trusted, ``None`` if it can. Free of identifiers and paths.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    series_uid: str
    study_uid: str
    patient_id: str = ""
    issuer: str = ""
    modality: str = ""
    sop_class: str = ""
    description: str = ""
    frame_of_reference: str = ""
    localizer: bool = False
    files: tuple[FileEntry, ...]
    suspect: str | None = None

    @property
    def slices(self) -> int:
        """Number of pictures: files, or frames where files hold several."""
        return sum(file.frames for file in self.files)

    @property
    def multi_frame(self) -> bool:
        """Whether any file holds more than one picture."""
        return any(file.frames > 1 for file in self.files)

    @property
    def digest(self) -> str:
        """Hex SHA-256 of the sorted digests of the files."""
        return combined_digest(file.digest for file in self.files)


class UnreadableFile(BaseModel):
    """A file that claims to be DICOM, cannot be sorted into a series, and whose neighbours do not tell either."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    path: Path
    digest: str
    reason: str
    waiting: bool = False


class Inbox(BaseModel):
    """What a scan found.

    Attributes
    ----------
    series
        Sorted by Series Instance UID.
    unreadable
        Files that stand for a lost series each.
    ignored
        Number of files that do not claim to be DICOM images or structure sets (DICOMDIR among them).
    duplicates
        Number of further copies of a file that is already counted.
    waiting_studies
        Study Instance UIDs that still arrive.
    headers
        Header summary by file digest: hand it to the next scan as `known`. Holds original identifiers.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    series: tuple[SeriesFiles, ...] = ()
    unreadable: tuple[UnreadableFile, ...] = ()
    ignored: int = 0
    duplicates: int = 0
    waiting_studies: tuple[str, ...] = ()
    headers: dict[str, dict[str, Any]] = {}

    @property
    def series_seen(self) -> int:
        """Series found, a file that cannot be sorted counting as one."""
        return len(self.series) + len(self.unreadable)


class _Found(NamedTuple):
    """One file that is or claims to be DICOM."""

    path: Path
    digest: str
    arrived: float
    header: Header | None
    reason: str


def combined_digest(digests: Iterator[str]) -> str:
    """Hex SHA-256 over digests, whatever their order."""
    return hashlib.sha256("\n".join(sorted(digests)).encode()).hexdigest()


def scan_inbox(
    folder: Path,
    *,
    quiet_seconds: float = 0,
    known: Mapping[str, dict[str, Any]] | None = None,
    progress: Callable[[int, int], None] | None = None,
    now: float | None = None,
) -> Inbox:
    """Find and group all DICOM files under a folder, in any order and nesting.

    The result does not depend on names, order or nesting of the files, except that an unreadable file is blamed on the series
    beside it when there is just one.

    Parameters
    ----------
    folder
        Where to look. Links to folders are followed, each folder once.
    quiet_seconds
        A study with a file that was written or moved in less than so many seconds ago waits. 0 lets nothing wait.
    known
        Header summaries of an earlier scan (`Inbox.headers`); files found there are hashed, but not parsed again.
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
    found: list[_Found] = []
    ignored = 0
    for number, path in enumerate(paths):
        if progress is not None and number % _PROGRESS_EVERY == 0:
            progress(number, len(paths))
        file = _look_at(path, known or {})
        if file is None:
            ignored += 1
        else:
            found.append(file)
    if progress is not None:
        progress(len(paths), len(paths))
    unique = list({file.digest: file for file in reversed(found)}.values())[::-1]
    return _grouped(found, unique, ignored, quiet_seconds, time.time() if now is None else now)


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


def _look_at(path: Path, known: Mapping[str, dict[str, Any]]) -> _Found | None:
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
        # What vanished while we looked is being moved about: that counts as just arrived.
        arrived = time.time() if isinstance(error, FileNotFoundError) else 0.0
        placeholder = hashlib.sha256(os.fsencode(path)).hexdigest()
        return _Found(path, placeholder, arrived, None, f"it cannot be opened ({type(error).__name__})")
    # A file that is moved or copied with its times keeps its modification time; the change time tells when it came.
    arrived = max(status.st_mtime, status.st_ctime)
    try:
        header = _known_header(known.get(digest)) or read_header(head)
    except HeaderError as error:
        if not (claims or has_magic(head)):
            return None
        return _Found(path, digest, arrived, None, str(error) if head else "it is empty")
    return None if header is None else _Found(path, digest, arrived, header, "")


def _digest(head: bytes, rest: BinaryIO) -> str:
    """SHA-256 of what was read and what is left."""
    digest = hashlib.sha256(head)
    while block := rest.read(_BLOCK_BYTES):
        digest.update(block)
    return digest.hexdigest()


def _known_header(summary: dict[str, Any] | None) -> Header | None:
    """A summary from an earlier scan; ``None`` for one that another version wrote."""
    if summary is None:
        return None
    try:
        return Header.model_validate(summary)
    except ValidationError:
        return None


def _grouped(found: list[_Found], unique: list[_Found], ignored: int, quiet_seconds: float, now: float) -> Inbox:
    """Sort the files into series, blame what cannot be sorted, and tell who waits."""
    members: dict[str, list[tuple[_Found, Header]]] = defaultdict(list)
    for file in unique:
        if file.header is not None:
            members[file.header.series_uid].append((file, file.header))
    lost = [file for file in unique if file.header is None]
    beside = _only_series_beside(lost, found)
    blame = {beside[file.path]: file.reason for file in lost if file.path in beside}

    # An arrival in the future is a clock that is wrong, not a file that is young.
    young = [file for file in found if abs(now - file.arrived) < quiet_seconds]
    young_paths = {file.path for file in young}
    young_series = {beside[file.path] for file in young if file.path in beside}
    waiting = {file.header.study_uid for file in young if file.header is not None}
    waiting |= {header.study_uid for uid in young_series for _, header in members[uid]}

    return Inbox(
        series=tuple(_series(files, blame.get(uid)) for uid, files in sorted(members.items())),
        unreadable=tuple(
            UnreadableFile(path=file.path, digest=file.digest, reason=file.reason, waiting=file.path in young_paths)
            for file in sorted(lost, key=lambda file: file.digest)
            if file.path not in beside
        ),
        ignored=ignored,
        duplicates=len(found) - len(unique),
        waiting_studies=tuple(sorted(waiting)),
        headers={file.digest: file.header.model_dump(mode="json") for file in unique if file.header is not None},
    )


def _only_series_beside(lost: list[_Found], found: list[_Found]) -> dict[Path, str]:
    """The series of each unreadable file, where all readable files in its folder are of one image series."""
    folders = {file.path.parent for file in lost}
    beside: dict[Path, set[str]] = defaultdict(set)
    images: dict[Path, set[str]] = defaultdict(set)
    for file in found:
        if file.header is not None and file.path.parent in folders:
            beside[file.path.parent].add(file.header.series_uid)
            if file.header.modality != "RTSTRUCT":
                images[file.path.parent].add(file.header.series_uid)
    result = {}
    for file in lost:
        candidates = images[file.path.parent] or beside[file.path.parent]
        if len(candidates) == 1:
            result[file.path] = next(iter(candidates))
    return result


def _series(files: list[tuple[_Found, Header]], blamed: str | None) -> SeriesFiles:
    """One series from its files; what they contradict each other in makes it suspect."""
    files = sorted(files, key=lambda pair: pair[0].digest)
    first = files[0][1]
    headers = [header for _, header in files]
    return SeriesFiles(
        series_uid=first.series_uid,
        study_uid=first.study_uid,
        patient_id=first.patient_id,
        issuer=first.issuer,
        modality=first.modality,
        sop_class=first.sop_class,
        description=first.description,
        frame_of_reference=first.frame_of_reference,
        localizer=all(header.localizer for header in headers),
        files=tuple(
            FileEntry(
                path=file.path,
                digest=file.digest,
                sop_uid=header.sop_uid,
                frames=header.frames,
                made=header.made,
                references=header.references,
                reference_frames=header.reference_frames,
            )
            for file, header in files
        ),
        suspect=_contradiction(headers) or (f"a file beside it cannot be read and may belong to it: {blamed}" if blamed else None),
    )


def _contradiction(headers: list[Header]) -> str | None:
    """In what the files of one series disagree though they must not."""
    facts = {
        "studies": {header.study_uid for header in headers},
        "patients": {(header.patient_id, header.issuer) for header in headers},
        "modalities": {header.modality for header in headers},
        "frames of reference": {header.frame_of_reference for header in headers},
    }
    for name, values in facts.items():
        if len(values) > 1:
            return f"its files name {len(values)} different {name}; expected one"
    twins = len(headers) - len({header.sop_uid for header in headers})
    return f"{twins} of its instances came twice with different content" if twins else None
