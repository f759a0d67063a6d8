"""What a scan of the inbox yields: files, series, and what could not be sorted. All of it holds original identifiers.

Words: a *readable* file is DICOM that says to which series it belongs. An *unreadable* file claims to be DICOM, by its
prefix or its name, but cannot be sorted. A series is *suspect* when it contradicts itself, or when an unreadable file
beside it may be one of its slices. A study *waits* while any of its files is younger than the quiet period: it still
arrives.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Protocol

from pydantic import BaseModel, ConfigDict


def combined_digest(digests: Iterable[str]) -> str:
    """Hex SHA-256 over digests, whatever their order."""
    return hashlib.sha256("\n".join(sorted(digests)).encode()).hexdigest()


class NamesPatient(Protocol):
    """Anything that says whose it is."""

    @property
    def patient_id(self) -> str:
        """Patient ID."""

    @property
    def issuer(self) -> str:
        """Issuer of Patient ID."""


def one_patient(things: Sequence[NamesPatient]) -> bool:
    """Whether all belong to one patient: the same ID, and no two issuers. Not every device fills in the issuer."""
    return len({thing.patient_id for thing in things}) <= 1 and len({thing.issuer for thing in things} - {""}) <= 1


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
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    series: tuple[SeriesFiles, ...] = ()
    unreadable: tuple[UnreadableFile, ...] = ()
    ignored: int = 0
    duplicates: int = 0
    waiting_studies: tuple[str, ...] = ()

    @property
    def series_seen(self) -> int:
        """Series found, a file that cannot be sorted counting as one."""
        return len(self.series) + len(self.unreadable)
