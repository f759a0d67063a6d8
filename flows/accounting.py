"""Where everything that was seen has gone: no series and no case leaves the books without a reason."""

from __future__ import annotations

from collections.abc import Sequence

from flows.summary import Exclusion
from storage.case import Case
from tasks.ingest.select import Examination, Selection
from tasks.report.content import Accounting, Excluded, LeftOut


def account(
    selection: Selection, received: Sequence[Case], analysed: Sequence[Case], exclusions: Sequence[Exclusion]
) -> Accounting:
    """The accounts of one run.

    A series is quarantined when it was refused at the door, or when its case turned out to be damaged as it was read. A
    case that fails later is excluded, but its series were in order: they count as used.
    """
    damaged = {
        exclusion.case: exclusion.reason for exclusion in exclusions if exclusion.stage in ("ingest", "annotate")
    }
    counts = selection.counts(damaged)
    at_the_door = [
        LeftOut(series=note.series, modality=note.modality, reason=note.reason) for note in selection.quarantined
    ]
    inside = [
        left
        for e in selection.examinations
        if e.case in damaged and e.problem is None
        for left in _series_of(e, damaged[e.case])
    ]
    return Accounting(
        series_seen=counts["series_seen"],
        used=counts["used"],
        set_aside=tuple(
            LeftOut(series=note.series, modality=note.modality, reason=note.reason) for note in selection.set_aside
        ),
        quarantined=(*at_the_door, *inside),
        waiting=counts["waiting"],
        received=len(received),
        analysed=len(analysed),
        excluded=tuple(Excluded(case=e.case, stage=e.stage, reason=e.reason) for e in exclusions),
    )


def _series_of(examination: Examination, reason: str) -> list[LeftOut]:
    series = {
        one.series_uid: one
        for one in (*examination.images.values(), *([examination.annotation] if examination.annotation else []))
    }
    return [LeftOut(series=examination.case, modality=one.modality, reason=reason) for one in series.values()]
