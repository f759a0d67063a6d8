"""From series to cases: which series are used, and what becomes of every other one.

Every series seen ends in exactly one of four places: *used* by a case, *set aside* because nobody asked for it,
*quarantined* because something is wrong with it or with the case that would use it, or *waiting* for the rest of its
study.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence

from pydantic import BaseModel, ConfigDict

from tasks.ingest.choose import choose_images, choose_structure_set, why_set_aside
from tasks.ingest.deidentify import Pseudonyms
from tasks.ingest.series_files import Inbox, SeriesFiles, combined_digest, one_patient
from tasks.ingest.settings import Settings

_USED, _SET_ASIDE, _QUARANTINED, _WAITING = "used", "set aside", "quarantined", "waiting"


class Examination(BaseModel):
    """A case before anything was read. Its series hold original identifiers: they must not be logged or shown.

    Attributes
    ----------
    case, patient
        Pseudonyms. Without a Patient ID the patient stands alone.
    digest
        Hex SHA-256 of the sorted digests of its image files.
    images
        Series by image name.
    annotation
        The structure set of the annotated image, as a series of one file; ``None`` if there is none.
    problem
        Why the case is excluded at ingest, ``None`` if it is not.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    case: str
    patient: str
    digest: str
    images: dict[str, SeriesFiles]
    annotation: SeriesFiles | None = None
    problem: str | None = None

    @property
    def annotation_digest(self) -> str | None:
        """Hex SHA-256 of the structure set's file, ``None`` without one."""
        return None if self.annotation is None else self.annotation.files[0].digest

    @property
    def series_uids(self) -> frozenset[str]:
        """Original UIDs of all series that the case holds."""
        annotation = () if self.annotation is None else (self.annotation,)
        return frozenset(series.series_uid for series in (*self.images.values(), *annotation))


class SeriesNote(BaseModel):
    """What became of a series that no case uses: its pseudonym, its modality, and why."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    series: str
    modality: str
    reason: str


class Selection(BaseModel):
    """Cases by digest, and what became of all other series."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    examinations: tuple[Examination, ...] = ()
    set_aside: tuple[SeriesNote, ...] = ()
    quarantined: tuple[SeriesNote, ...] = ()
    waiting: tuple[SeriesNote, ...] = ()
    series_seen: int = 0

    def counts(self, excluded_cases: Collection[str] = ()) -> dict[str, int]:
        """Series by where they ended: ``series_seen = used + set_aside + quarantined + waiting``.

        Parameters
        ----------
        excluded_cases
            Pseudonyms of cases that turned out to be damaged when they were read; their series count as quarantined.
        """
        used: set[str] = set()
        damaged: set[str] = set()
        for examination in self.examinations:
            if examination.problem is None:
                (damaged if examination.case in excluded_cases else used).update(examination.series_uids)
        return {
            "series_seen": self.series_seen,
            "used": len(used),
            "set_aside": len(self.set_aside),
            "quarantined": len(self.quarantined) + len(damaged - used),
            "waiting": len(self.waiting),
        }


def select_cases(inbox: Inbox, settings: Settings, pseudonyms: Pseudonyms) -> Selection:
    """Choose the series of each case.

    A study with at least one series that a selector wants is a case. Of several series that match a selector, the one
    with most slices is taken (the lower digest of equals). A structure set belongs to an image that it refers to,
    else to one in the same frame of reference, and to the same patient always; the newest of several is taken.

    Parameters
    ----------
    inbox
        What `tasks.ingest.inbox.scan_inbox` found.
    settings
        What the study wants.
    pseudonyms
        Names to call things by.

    Returns
    -------
    Selection
        Its order depends on the files' content alone.
    """
    arriving = set(inbox.waiting_studies)
    present = [series for series in inbox.series if series.study_uid not in arriving]
    examinations = _examinations(present, settings, pseudonyms)
    fates = _fates(present, examinations, settings)
    notes: dict[str, list[SeriesNote]] = {_SET_ASIDE: [], _QUARANTINED: [], _WAITING: []}
    for series in inbox.series:
        fate, reason = fates.get(series.series_uid, (_WAITING, "its study still arrives"))
        if fate != _USED:
            name = pseudonyms.series(series.series_uid)
            notes[fate].append(SeriesNote(series=name, modality=series.modality, reason=reason))
    for file in inbox.unreadable:
        fate = _WAITING if file.waiting else _QUARANTINED
        name = pseudonyms.file(file.digest)
        notes[fate].append(SeriesNote(series=name, modality="", reason=f"a file that cannot be read: {file.reason}"))
    for several in notes.values():
        several.sort(key=lambda note: (note.modality, note.reason, note.series))
    return Selection(
        examinations=tuple(examinations),
        set_aside=tuple(notes[_SET_ASIDE]),
        quarantined=tuple(notes[_QUARANTINED]),
        waiting=tuple(notes[_WAITING]),
        series_seen=inbox.series_seen,
    )


def _examinations(present: Sequence[SeriesFiles], settings: Settings, pseudonyms: Pseudonyms) -> list[Examination]:
    """Every study that holds a wanted series, by digest."""
    studies: dict[str, list[SeriesFiles]] = defaultdict(list)
    for series in present:
        studies[series.study_uid].append(series)
    structure_sets = [series for series in present if series.modality == "RTSTRUCT"]
    examinations = []
    for study_uid, series_list in studies.items():
        images = choose_images(series_list, settings.images)
        if images:
            examinations.append(_examination(study_uid, images, series_list, structure_sets, settings, pseudonyms))
    return sorted(examinations, key=lambda examination: examination.digest)


def _examination(
    study_uid: str,
    images: dict[str, SeriesFiles],
    series_list: Sequence[SeriesFiles],
    structure_sets: Sequence[SeriesFiles],
    settings: Settings,
    pseudonyms: Pseudonyms,
) -> Examination:
    """One case from the images of a study."""
    patient_id = next(iter(images.values())).patient_id or f"unknown patient of {study_uid}"
    issuer = max(series.issuer for series in series_list)  # not every device fills it in
    annotation = None
    if settings.annotation is not None and settings.annotation.image in images:
        annotation = choose_structure_set(images[settings.annotation.image], structure_sets)
    unique = {series.series_uid: series for series in images.values()}
    return Examination(
        case=pseudonyms.examination(study_uid),
        patient=pseudonyms.patient(patient_id, issuer),
        digest=combined_digest(file.digest for series in unique.values() for file in series.files),
        images=images,
        annotation=annotation,
        problem=_problem(images, annotation, series_list, settings),
    )


def _problem(
    images: Mapping[str, SeriesFiles],
    annotation: SeriesFiles | None,
    series_list: Sequence[SeriesFiles],
    settings: Settings,
) -> str | None:
    """Why these images cannot be a case."""
    if not all(series.patient_id for series in images.values()):
        return "no Patient ID: who the patient is, and so what to keep apart, is not known"
    if not one_patient(series_list):
        return "the study names several patients; expected one"
    for name, selector in settings.images.items():
        if name not in images:
            return f"no series for image '{name}' ({selector.modality})"
        series = images[name]
        if series.suspect is not None:
            return f"image '{name}': {series.suspect}"
        if series.slices < selector.minimum_slices:
            return f"image '{name}' has {series.slices} slices; expected at least {selector.minimum_slices}"
    if annotation is not None and annotation.suspect is not None:
        return f"structure set: {annotation.suspect}"
    if settings.annotation is not None and settings.annotation.required and annotation is None:
        return f"no structure set for image '{settings.annotation.image}'"
    return None


def _fates(
    present: Sequence[SeriesFiles], examinations: Sequence[Examination], settings: Settings
) -> dict[str, tuple[str, str]]:
    """Where each series ends, and why."""
    fates: dict[str, tuple[str, str]] = {}
    for examination in examinations:
        for uid in examination.series_uids:
            if examination.problem is None:
                fates[uid] = (_USED, "")
            elif fates.get(uid, ("", ""))[0] != _USED:
                fates[uid] = (_QUARANTINED, f"its case is excluded: {examination.problem}")
    for series in present:
        if series.suspect is not None:
            fates[series.series_uid] = (_QUARANTINED, series.suspect)
        elif series.series_uid not in fates:
            fates[series.series_uid] = (_SET_ASIDE, why_set_aside(series, settings))
    return fates
