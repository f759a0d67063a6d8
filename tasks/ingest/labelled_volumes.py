"""Volumes and the label maps that belong to them, found by their names and known by their bytes.

Words: an *image* and a *label map* are files that the study's patterns describe. They are a *pair* when the wildcards
of both patterns stand for the same. Two files are *copies* when their bytes are equal. Every file ends in one of four
places: in a case, *set aside* (none of the study's, a label map that nobody asked for or without an image, or a copy),
*quarantined* (something is wrong with it) or *waiting* (it, or its other half, is too young to be complete). A label
map that cannot be opened stays with its image: somebody annotated the case, which is lost and not without annotation.
No voxel is read here.
"""

from __future__ import annotations

import hashlib
import os
import re
import time
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from tasks.ingest.arrival import arrived, still_arrives, unopened
from tasks.ingest.deidentify import Pseudonyms
from tasks.ingest.segmentation_settings import SegmentationSettings
from tasks.ingest.volume_inbox import FileNote, FoundFile, FoundVolume, VolumeInbox

Wildcards = tuple[str, ...]


@dataclass
class _Notes:
    """Files that are in no case."""

    aside: list[FileNote] = field(default_factory=list)
    broken: list[FileNote] = field(default_factory=list)
    waiting: list[FileNote] = field(default_factory=list)

    def leave(self, file: FoundFile, reason: str = "") -> None:
        """Set a file aside; quarantine it where something is wrong with it."""
        note = FileNote(digest=file.digest, reason=file.fault or reason)
        (self.broken if file.fault else self.aside).append(note)


def scan_volumes(
    folder: Path,
    settings: SegmentationSettings,
    pseudonyms: Pseudonyms,
    *,
    annotated: bool = True,
    quiet_seconds: float = 0,
    now: float | None = None,
) -> VolumeInbox:
    """Find all images under a folder with their label maps, and hash them.

    Copies of an image with the same label map, or without any, count once. Copies whose label maps differ contradict
    each other: all are quarantined.

    Parameters
    ----------
    pseudonyms
        What a file is called whose bytes cannot be read.
    annotated
        Whether label maps are wanted; else they are set aside.
    quiet_seconds
        A file that was written or moved in less than so many seconds ago waits, and so does its other half. 0 lets
        nothing wait.
    now
        Seconds since the epoch; ``None`` for the clock.

    Raises
    ------
    NotADirectoryError
        `folder` is not a folder.
    """
    if not folder.is_dir():
        raise NotADirectoryError(f"the inbox must be a folder; {folder} is not")
    notes = _Notes()
    images, label_maps = _described(folder, settings, pseudonyms, notes, annotated=annotated)
    now = time.time() if now is None else now
    for wildcards in sorted(set(images) | set(label_maps)):
        pair = [half[wildcards] for half in (images, label_maps) if wildcards in half]
        if any(still_arrives(file.arrived, now=now, quiet_seconds=quiet_seconds) for file in pair):
            notes.waiting += [FileNote(digest=file.digest, reason="it still arrives") for file in pair]
            images.pop(wildcards, None)
            continue
        if wildcards in images and images[wildcards].fault:
            notes.leave(images.pop(wildcards))
        if wildcards not in images and wildcards in label_maps:
            notes.leave(label_maps[wildcards], "a label map without an image")
    volumes = [
        FoundVolume(
            image=image,
            label_map=label_maps.get(wildcards),
            patient=_patient(image.path.relative_to(folder).as_posix(), settings.patient),
        )
        for wildcards, image in sorted(images.items())
    ]
    found = tuple(_without_copies(volumes, notes))
    # Where paths say whose images these are, one that does not could be of anybody: of a patient in another fold, too.
    used = tuple(volume for volume in found if volume.patient or not settings.patient)
    strangers = (file for volume in found if volume not in used for file in volume.files)
    unknown = "its path does not say whose image it is"
    notes.broken += [FileNote(digest=file.digest, reason=unknown) for file in strangers]
    return VolumeInbox(
        volumes=used,
        set_aside=_ordered(notes.aside),
        quarantined=_ordered(notes.broken),
        waiting=_ordered(notes.waiting),
    )


def _described(
    folder: Path, settings: SegmentationSettings, pseudonyms: Pseudonyms, notes: _Notes, *, annotated: bool
) -> tuple[dict[Wildcards, FoundFile], dict[Wildcards, FoundFile]]:
    """Images and label maps by what the wildcards stand for; notes for files that are none."""
    images: dict[Wildcards, FoundFile] = {}
    label_maps: dict[Wildcards, FoundFile] = {}
    is_image, is_label_map = _expression(settings.images), _expression(settings.labels)
    for path in sorted(path for path in folder.rglob("*") if path.is_file()):
        name = path.relative_to(folder).as_posix()
        file = _look_at(path, name, pseudonyms)
        if path.name.startswith("."):  # macOS lays a file ._a.nii.gz of its own beside a.nii.gz
            notes.leave(file, "it is hidden")
        elif matched := is_label_map.fullmatch(name):
            if annotated:
                label_maps[matched.groups()] = file
            else:
                notes.leave(file, "a label map, which nobody asked for")
        elif matched := is_image.fullmatch(name):
            images[matched.groups()] = file
        else:
            notes.leave(file, "the study's patterns do not describe it")
    return images, label_maps


def _expression(pattern: str) -> re.Pattern[str]:
    """A pattern as an expression, a group a wildcard, none of which reaches into another folder."""
    return re.compile("([^/]*)".join(map(re.escape, pattern.split("*"))))


def _look_at(path: Path, name: str, pseudonyms: Pseudonyms) -> FoundFile:
    """Hash a file; ``name``: its path below the inbox."""
    try:
        with path.open("rb") as stream:
            status = os.fstat(stream.fileno())
            digest = hashlib.file_digest(stream, "sha256").hexdigest()
    except OSError as error:
        came, fault = unopened(error)
        return FoundFile(path=path, digest=pseudonyms.file(name), arrived=came, fault=fault)
    fault = "" if status.st_size else "it is empty"
    return FoundFile(path=path, digest=digest, arrived=arrived(status), fault=fault)


def _patient(name: str, expression: str | None) -> str | None:
    found = re.search(expression, name) if expression else None
    return found[1] if found else None


def _without_copies(volumes: list[FoundVolume], notes: _Notes) -> Iterator[FoundVolume]:
    """One volume per digest of its image, by digest; notes for the others."""
    copies: dict[str, list[FoundVolume]] = defaultdict(list)
    for volume in volumes:
        copies[volume.image.digest].append(volume)
    for _, several in sorted(copies.items()):
        maps = {volume.label_map.digest for volume in several if volume.label_map and not volume.label_map.fault}
        patients = {volume.patient for volume in several if volume.patient}
        if len(maps) > 1 or len(patients) > 1:
            what = "label maps" if len(maps) > 1 else "patients"
            reason = f"the same image has different {what}: which is right is not known"
            notes.broken += [FileNote(digest=file.digest, reason=reason) for one in several for file in one.files]
            continue
        best, *rest = sorted(several, key=_usefulness)
        yield best.model_copy(update={"patient": next(iter(patients), None)})
        for volume in rest:
            for file in volume.files:
                notes.leave(file, "it is a copy of another file")


def _usefulness(volume: FoundVolume) -> tuple[bool, bool, Path]:
    """Of copies the first is used: one with a label map, and rather with one that can be read."""
    label_map = volume.label_map
    return label_map is None, bool(label_map and label_map.fault), volume.image.path


def _ordered(notes: list[FileNote]) -> tuple[FileNote, ...]:
    return tuple(sorted(notes, key=lambda note: (note.digest, note.reason)))
