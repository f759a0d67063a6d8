"""From series to cases: which series are used, and what becomes of every other one.

Every series seen ends in exactly one of four places: *used* by a case, *set aside* because nobody asked for it, *quarantined*
because something is wrong with it or with the case that would use it, or *waiting* for the rest of its study.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from fnmatch import fnmatchcase

from pydantic import BaseModel, ConfigDict

from tasks.ingest.deidentify import Pseudonyms
from tasks.ingest.inbox import Inbox, SeriesFiles, combined_digest
from tasks.ingest.settings import ImageSelector, Settings


class Examination(BaseModel):
    """A case before anything was read. `images` and `annotation` hold original identifiers: they must not be logged or shown.

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

    A study with at least one series that a selector wants is a case. Of several series that match a selector, the one with
    most slices is taken (the lower digest of equals). A structure set belongs to an image that it refers to, else to one in
    the same frame of reference, and to the same patient always; the newest of several is taken.

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
    waiting_studies = set(inbox.waiting_studies)
    present = [series for series in inbox.series if series.study_uid not in waiting_studies]
    studies: dict[str, list[SeriesFiles]] = defaultdict(list)
    for series in present:
        studies[series.study_uid].append(series)
    structure_sets = [series for series in present if series.modality == "RTSTRUCT"]

    examinations = []
    for study_uid, series_list in studies.items():
        images = _images(series_list, settings.images)
        if images:
            examinations.append(_examination(study_uid, images, series_list, structure_sets, settings, pseudonyms))
    examinations.sort(key=lambda examination: examination.digest)

    fates = _fates(present, examinations, settings)
    lost = [(file, pseudonyms.file(file.digest)) for file in inbox.unreadable]

    def notes(fate: str) -> list[SeriesNote]:
        return [
            SeriesNote(series=pseudonyms.series(series.series_uid), modality=series.modality, reason=fates[series.series_uid][1])
            for series in present
            if fates[series.series_uid][0] == fate
        ]

    waiting = [
        SeriesNote(series=pseudonyms.series(series.series_uid), modality=series.modality, reason="its study still arrives")
        for series in inbox.series
        if series.study_uid in waiting_studies
    ]
    waiting += [SeriesNote(series=name, modality="", reason="the file still arrives") for file, name in lost if file.waiting]
    unreadable = [
        SeriesNote(series=name, modality="", reason=f"the file cannot be read: {file.reason}")
        for file, name in lost
        if not file.waiting
    ]
    return Selection(
        examinations=tuple(examinations),
        set_aside=_in_order(notes("set aside")),
        quarantined=_in_order(notes("quarantined") + unreadable),
        waiting=_in_order(waiting),
        series_seen=inbox.series_seen,
    )


def _in_order(notes: list[SeriesNote]) -> tuple[SeriesNote, ...]:
    return tuple(sorted(notes, key=lambda note: (note.modality, note.reason, note.series)))


def _wanted(series: SeriesFiles, selector: ImageSelector) -> bool:
    """Whether a series is what a selector asks for, however many slices it has."""
    if series.modality != selector.modality or series.localizer:
        return False
    return selector.description is None or fnmatchcase(series.description.lower(), selector.description.lower())


def _images(series_list: Sequence[SeriesFiles], selectors: Mapping[str, ImageSelector]) -> dict[str, SeriesFiles]:
    """The best series for each selector that any series of the study matches."""
    chosen = {}
    for name, selector in selectors.items():
        matching = [series for series in series_list if _wanted(series, selector)]
        if matching:
            # Several frames in one file cannot be read yet: such a series is taken only where there is no other.
            chosen[name] = min(matching, key=lambda series: (series.multi_frame, -series.slices, series.digest))
    return chosen


def _examination(
    study_uid: str,
    images: dict[str, SeriesFiles],
    series_list: Sequence[SeriesFiles],
    structure_sets: Sequence[SeriesFiles],
    settings: Settings,
    pseudonyms: Pseudonyms,
) -> Examination:
    """One case from the images of a study."""
    first = next(iter(images.values()))
    annotation = None
    if settings.annotation is not None and settings.annotation.image in images:
        annotation = _structure_set(images[settings.annotation.image], structure_sets)
    unique = {series.series_uid: series for series in images.values()}
    return Examination(
        case=pseudonyms.examination(study_uid),
        patient=pseudonyms.patient(first.patient_id or f"unknown patient of {study_uid}", first.issuer),
        digest=combined_digest(file.digest for series in unique.values() for file in series.files),
        images=images,
        annotation=annotation,
        problem=_problem(images, annotation, series_list, settings),
    )


def _structure_set(image: SeriesFiles, structure_sets: Sequence[SeriesFiles]) -> SeriesFiles | None:
    """The structure set of an image, narrowed to the one file that counts."""
    best = None
    for series in structure_sets:
        if (series.patient_id, series.issuer) != (image.patient_id, image.issuer):
            continue
        for file in series.files:
            refers = image.series_uid in file.references
            frames = {*file.reference_frames, series.frame_of_reference} - {""}
            if refers or image.frame_of_reference in frames:
                rank = (refers, file.made, file.digest)
                if best is None or rank > best[0]:
                    best = (rank, series.model_copy(update={"files": (file,)}))
    return None if best is None else best[1]


def _problem(
    images: Mapping[str, SeriesFiles],
    annotation: SeriesFiles | None,
    series_list: Sequence[SeriesFiles],
    settings: Settings,
) -> str | None:
    """Why these images cannot be a case."""
    if not all(series.patient_id for series in images.values()):
        return "no Patient ID: who the patient is, and so what to keep apart, is not known"
    patients = {(series.patient_id, series.issuer) for series in series_list}
    if len(patients) > 1:
        return f"the study names {len(patients)} different patients; expected one"
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
                fates[uid] = ("used", "")
            elif fates.get(uid, ("", ""))[0] != "used":
                fates[uid] = ("quarantined", f"its case is excluded: {examination.problem}")
    for series in present:
        if series.suspect is not None:
            fates[series.series_uid] = ("quarantined", series.suspect)
        elif series.series_uid not in fates:
            fates[series.series_uid] = ("set aside", _why_set_aside(series, settings))
    return fates


def _why_set_aside(series: SeriesFiles, settings: Settings) -> str:
    """Why no case holds a series."""
    if series.modality == "RTSTRUCT":
        if settings.annotation is None:
            return "no annotation is asked for"
        return f"its contours are not the ones used for image '{settings.annotation.image}'"
    same_modality = [selector for selector in settings.images.values() if selector.modality == series.modality]
    if not same_modality:
        return f"no image of modality {series.modality or 'unknown'} is asked for"
    if series.localizer:
        return "a localizer"
    if not any(_wanted(series, selector) for selector in same_modality):
        return "its description matches no image that is asked for"
    if series.multi_frame:
        return "several frames in one file are not supported yet; another series of the study was taken"
    return "another series of the study has more slices"
