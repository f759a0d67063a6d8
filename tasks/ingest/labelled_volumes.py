"""Volumes and the label maps that belong to them, found by their names and known by their bytes.

Words: an *image* and a *label map* are files that the study's patterns describe. They are a *pair* when the wildcards
of both patterns stand for the same. Two files are *copies* when their bytes are equal. Every file ends in one of three
places: in a case, *set aside* (none of the study's, a label map without an image, or a copy) or *quarantined*
(something is wrong with it). No voxel is read here.
"""

from __future__ import annotations

import hashlib
import re
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

from pydantic import BaseModel, ConfigDict

from tasks.ingest.segmentation_settings import SegmentationSettings

Wildcards = tuple[str, ...]
_BLOCK_BYTES = 2**20


class _Record(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class FoundFile(_Record):
    """A file and the hex SHA-256 of its bytes. Its path may name a patient: it must not be logged, stored or shown."""

    path: Path
    digest: str


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

    @property
    def series_seen(self) -> int:
        """Files found; each counts as one series."""
        return sum(len(volume.files) for volume in self.volumes) + len(self.set_aside) + len(self.quarantined)


def scan_volumes(folder: Path, settings: SegmentationSettings) -> VolumeInbox:
    """Find all images under a folder with their label maps, and hash them.

    Copies of an image with the same label map, or without any, count once. Copies whose label maps differ contradict
    each other: all are quarantined.

    Raises
    ------
    NotADirectoryError
        `folder` is not a folder.
    """
    if not folder.is_dir():
        raise NotADirectoryError(f"the inbox must be a folder; {folder} is not")
    aside: list[FileNote] = []
    broken: list[FileNote] = []
    images: dict[Wildcards, FoundFile] = {}
    label_maps: dict[Wildcards, FoundFile] = {}
    is_image, is_label_map = _expression(settings.images), _expression(settings.labels)
    for path in sorted(path for path in folder.rglob("*") if path.is_file()):
        name = path.relative_to(folder).as_posix()
        digest, fault = _digest(path)
        if fault:
            broken.append(FileNote(digest=digest, reason=fault))
        elif path.name.startswith("."):  # macOS lays a file ._a.nii.gz of its own beside a.nii.gz
            aside.append(FileNote(digest=digest, reason="it is hidden"))
        elif matched := is_label_map.fullmatch(name):
            label_maps[matched.groups()] = FoundFile(path=path, digest=digest)
        elif matched := is_image.fullmatch(name):
            images[matched.groups()] = FoundFile(path=path, digest=digest)
        else:
            aside.append(FileNote(digest=digest, reason="the study's patterns do not describe it"))
    alone = (label_maps[wildcards] for wildcards in sorted(set(label_maps) - set(images)))
    aside += [FileNote(digest=file.digest, reason="a label map without an image") for file in alone]
    volumes = [
        FoundVolume(
            image=image,
            label_map=label_maps.get(wildcards),
            patient=_patient(image.path.relative_to(folder).as_posix(), settings.patient),
        )
        for wildcards, image in sorted(images.items())
    ]
    found = tuple(_without_copies(volumes, aside, broken))
    # Where paths say whose images these are, one that does not could be of anybody: of a patient in another fold, too.
    used = tuple(volume for volume in found if volume.patient or not settings.patient)
    strangers = (file for volume in found if volume not in used for file in volume.files)
    broken += [FileNote(digest=file.digest, reason="its path does not say whose image it is") for file in strangers]
    return VolumeInbox(volumes=used, set_aside=_ordered(aside), quarantined=_ordered(broken))


def _expression(pattern: str) -> re.Pattern[str]:
    """A pattern as an expression, a group a wildcard, none of which reaches into another folder."""
    return re.compile("([^/]*)".join(map(re.escape, pattern.split("*"))))


def _digest(path: Path) -> tuple[str, str]:
    """SHA-256 of a file, and what is wrong with it if anything is."""
    try:
        with path.open("rb") as stream:
            digest = hashlib.sha256()
            size = 0
            while block := stream.read(_BLOCK_BYTES):
                digest.update(block)
                size += len(block)
    except OSError as error:
        return hashlib.sha256(path.as_posix().encode()).hexdigest(), f"it cannot be opened ({type(error).__name__})"
    return digest.hexdigest(), "" if size else "it is empty"


def _patient(name: str, expression: str | None) -> str | None:
    found = re.search(expression, name) if expression else None
    return found[1] if found else None


def _without_copies(volumes: list[FoundVolume], aside: list[FileNote], broken: list[FileNote]) -> Iterator[FoundVolume]:
    """One volume per digest of its image, by digest; notes for the others."""
    copies: dict[str, list[FoundVolume]] = defaultdict(list)
    for volume in volumes:
        copies[volume.image.digest].append(volume)
    for _, several in sorted(copies.items()):
        maps = {volume.label_map.digest for volume in several if volume.label_map}
        patients = {volume.patient for volume in several if volume.patient}
        notes, reason, rest = aside, "it is a copy of another file", several
        if len(maps) > 1 or len(patients) > 1:
            what = "label maps" if len(maps) > 1 else "patients"
            notes, reason = broken, f"the same image has different {what}: which is right is not known"
        else:
            best, *rest = sorted(several, key=lambda volume: (volume.label_map is None, volume.image.path))
            yield best.model_copy(update={"patient": next(iter(patients), None)})
        for volume in rest:
            notes += [FileNote(digest=file.digest, reason=reason) for file in volume.files]


def _ordered(notes: list[FileNote]) -> tuple[FileNote, ...]:
    return tuple(sorted(notes, key=lambda note: (note.digest, note.reason)))
