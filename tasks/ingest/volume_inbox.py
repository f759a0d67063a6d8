"""What lies in the inbox of a study of segmentation: volumes, their label maps, and files that are in no case."""

from __future__ import annotations

from pathlib import Path

from pydantic import BaseModel, ConfigDict


class _Record(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class FoundFile(_Record):
    """A file. Its path may name a patient: it must not be logged, stored or shown.

    Attributes
    ----------
    digest
        Hex SHA-256 of its bytes; where they cannot be read, the pseudonym of its path.
    arrived
        Seconds since the epoch.
    fault
        Why it cannot be used; empty where nothing is known against it.
    """

    path: Path
    digest: str
    arrived: float
    fault: str = ""


class FoundVolume(_Record):
    """An image, its label map if there is one, and the patient as the path says: no pseudonym; ``None``: unknown."""

    image: FoundFile
    label_map: FoundFile | None = None
    patient: str | None = None

    @property
    def files(self) -> tuple[FoundFile, ...]:
        """What it is made of."""
        return (self.image,) if self.label_map is None else (self.image, self.label_map)


class FileNote(_Record):
    """A file that is in no case, by digest, and why; the reason is free of names."""

    digest: str
    reason: str


class VolumeInbox(_Record):
    """What a scan found, all sorted by digest."""

    volumes: tuple[FoundVolume, ...] = ()
    set_aside: tuple[FileNote, ...] = ()
    quarantined: tuple[FileNote, ...] = ()
    waiting: tuple[FileNote, ...] = ()

    @property
    def series_seen(self) -> int:
        """Files found; each counts as one series."""
        left_out = len(self.set_aside) + len(self.quarantined) + len(self.waiting)
        return sum(len(volume.files) for volume in self.volumes) + left_out
