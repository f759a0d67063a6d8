"""From files to series: who belongs together, who contradicts whom, who is to blame, and who waits."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Sequence
from pathlib import Path
from typing import NamedTuple

from tasks.ingest.header import Header
from tasks.ingest.series_files import FileEntry, Inbox, SeriesFiles, UnreadableFile, one_patient


class FoundFile(NamedTuple):
    """One file that is or claims to be DICOM."""

    path: Path
    digest: str
    arrived: float
    header: Header | None
    reason: str


def group_files(found: Sequence[FoundFile], *, young: Collection[Path], ignored: int) -> Inbox:
    """Sort files into series, blame what cannot be sorted, and tell who waits.

    Parameters
    ----------
    found
        Files that are or claim to be DICOM, copies included.
    young
        Paths of those that have just arrived.
    ignored
        Number of other files.
    """
    readable: dict[str, tuple[FoundFile, Header]] = {}
    for file in found:
        if file.header is not None:
            readable.setdefault(file.digest, (file, file.header))
    members: dict[str, list[tuple[FoundFile, Header]]] = defaultdict(list)
    for file, header in readable.values():
        members[header.series_uid].append((file, header))

    # Copies of an unreadable file count where they lie: an empty file beside each of two series is missing from both.
    lost = [file for file in found if file.header is None]
    beside = _only_series_beside(lost, found)
    blame = {beside[file.path]: file.reason for file in lost if file.path in beside}
    alone = {file.digest: file for file in reversed(lost) if file.path not in beside}

    waiting = {file.header.study_uid for file in found if file.header is not None and file.path in young}
    for file in lost:
        if file.path in young and file.path in beside:
            waiting |= {header.study_uid for _, header in members[beside[file.path]]}
    young_digests = {file.digest for file in found if file.path in young}
    return Inbox(
        series=tuple(_series(files, blame.get(uid)) for uid, files in sorted(members.items())),
        unreadable=tuple(
            UnreadableFile(path=file.path, digest=digest, reason=file.reason, waiting=digest in young_digests)
            for digest, file in sorted(alone.items())
        ),
        ignored=ignored,
        duplicates=len(found) - len(lost) - len(readable),
        waiting_studies=tuple(sorted(waiting)),
    )


def _only_series_beside(lost: Sequence[FoundFile], found: Sequence[FoundFile]) -> dict[Path, str]:
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


def _series(files: list[tuple[FoundFile, Header]], blamed: str | None) -> SeriesFiles:
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
        suspect=_contradiction(headers)
        or (f"a file beside it cannot be read and may belong to it: {blamed}" if blamed else None),
    )


def _contradiction(headers: list[Header]) -> str | None:
    """In what the files of one series disagree though they must not."""
    facts: dict[str, set[str]] = {
        "studies": {header.study_uid for header in headers},
        "modalities": {header.modality for header in headers},
        "frames of reference": {header.frame_of_reference for header in headers},
    }
    if not one_patient(headers):
        return "its files name several patients; expected one"
    for name, values in facts.items():
        if len(values) > 1:
            return f"its files name {len(values)} different {name}; expected one"
    twins = len(headers) - len({header.sop_uid for header in headers})
    return f"{twins} of its instances came twice with different content" if twins else None
