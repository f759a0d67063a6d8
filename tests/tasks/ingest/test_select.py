"""Each series ends in exactly one place, and each case gets the series it should."""

from __future__ import annotations

import pickle
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tasks.ingest.deidentify import Pseudonyms
from tasks.ingest.inbox import scan_inbox
from tasks.ingest.select import Selection, select_cases
from tasks.ingest.series_files import FileEntry, Inbox, SeriesFiles, UnreadableFile
from tasks.ingest.settings import Settings

NAMES = Pseudonyms(b"0123456789abcdef")
PET = Settings.model_validate({"images": {"pet": {"modality": "PT"}}, "annotation": {"image": "pet"}})
PET_CT = Settings.model_validate({"images": {"pet": {"modality": "PT"}, "ct": {"modality": "CT"}}})


def entry(digest: str, **fields: Any) -> FileEntry:
    return FileEntry(path=Path(f"/inbox/{digest}"), digest=digest, sop_uid=f"1.{abs(hash(digest))}", **fields)


def series(uid: str, modality: str = "PT", slices: int = 5, study: str = "1", **fields: Any) -> SeriesFiles:
    files = fields.pop("files", tuple(entry(f"{uid}-{k}") for k in range(slices)))
    return SeriesFiles(
        series_uid=uid,
        study_uid=study,
        modality=modality,
        files=files,
        **({"patient_id": f"patient {study}", "frame_of_reference": f"frame {study}"} | fields),
    )


def structures(uid: str, *, refers_to: str = "", made: str = "", study: str = "1", **fields: Any) -> SeriesFiles:
    file = entry(uid, made=made, references=(refers_to,) if refers_to else ())
    return series(uid, "RTSTRUCT", study=study, files=(file,), **fields)


def select(*found: SeriesFiles, settings: Settings = PET, **fields: Any) -> Selection:
    return select_cases(Inbox(series=found, **fields), settings, NAMES)


def balanced(selection: Selection) -> dict[str, int]:
    counts = selection.counts()
    assert counts["series_seen"] == sum(counts[fate] for fate in ("used", "set_aside", "quarantined", "waiting"))
    return counts


def test_a_study_with_the_wanted_image_is_a_case() -> None:
    selection = select(series("1.1"), series("1.2", "CT"), structures("1.3", refers_to="1.1"))
    (case,) = selection.examinations
    assert (case.images["pet"].series_uid, case.problem) == ("1.1", None)
    assert (case.case, case.patient) == (NAMES.examination("1"), NAMES.patient("patient 1"))
    assert case.annotation_digest == "1.3"
    assert [(note.series, note.modality, note.reason) for note in selection.set_aside] == [
        (NAMES.series("1.2"), "CT", "no image of modality CT is asked for")
    ]
    assert balanced(selection) == {"series_seen": 3, "used": 2, "set_aside": 1, "quarantined": 0, "waiting": 0}


def test_a_study_without_a_wanted_image_is_no_case() -> None:
    selection = select(series("1.1", "CT"), series("1.2", "SR", slices=1))
    assert selection.examinations == ()
    assert balanced(selection)["set_aside"] == 2


def test_the_digest_of_a_case_is_that_of_its_images_bytes_alone() -> None:
    plain = select(series("1.1"))
    annotated = select(series("1.1"), structures("1.2", refers_to="1.1"), series("1.3", "CT"))
    moved = series("1.1")
    moved = moved.model_copy(
        update={"files": tuple(file.model_copy(update={"path": Path("/elsewhere")}) for file in moved.files)}
    )
    assert plain.examinations[0].digest == annotated.examinations[0].digest == select(moved).examinations[0].digest
    assert plain.examinations[0].digest != select(series("1.1", slices=4)).examinations[0].digest


def test_cases_come_in_the_order_of_their_digests() -> None:
    found = [series(f"{n}.1", study=str(n)) for n in range(20)]
    selection = select(*found)
    digests = [case.digest for case in selection.examinations]
    assert digests == sorted(digests)
    assert select(*found[::-1]) == selection


def test_of_two_matching_series_the_one_with_more_slices_is_taken() -> None:
    selection = select(series("1.1", slices=5), series("1.2", slices=9))
    assert selection.examinations[0].images["pet"].series_uid == "1.2"
    assert selection.set_aside[0].reason == "another series of the study has more slices"
    tie = select(series("1.1"), series("1.2")).examinations[0].images["pet"]
    assert tie.digest == min(series("1.1").digest, series("1.2").digest)


def test_a_description_chooses_by_pattern_without_regard_to_case() -> None:
    settings = Settings.model_validate({"images": {"ct": {"modality": "CT", "description": "*lung*"}}})
    found = (series("1.1", "CT", 9, description="Soft tissue"), series("1.2", "CT", description="Thin LUNG 1.0"))
    selection = select(*found, settings=settings)
    assert selection.examinations[0].images["ct"].series_uid == "1.2"
    assert selection.set_aside[0].reason == "its description matches no image that is asked for"


def test_a_localizer_is_set_aside_even_if_it_is_alone() -> None:
    selection = select(series("1.1", "CT", localizer=True), settings=PET_CT)
    assert selection.examinations == ()
    assert selection.set_aside[0].reason == "a localizer"


def test_a_multi_frame_series_is_taken_only_where_there_is_no_other() -> None:
    enhanced = series("1.1", files=(entry("enhanced", frames=90),))
    selection = select(enhanced, series("1.2"))
    assert selection.examinations[0].images["pet"].series_uid == "1.2"
    assert "not supported yet" in selection.set_aside[0].reason
    assert select(enhanced).examinations[0].images["pet"].slices == 90


@pytest.mark.parametrize(
    ("found", "settings", "problem"),
    [
        ((series("1.1"),), PET_CT, "no series for image 'ct' (CT)"),
        ((series("1.1", suspect="it is torn"),), PET, "image 'pet': it is torn"),
        ((series("1.1", patient_id=""),), PET, "no Patient ID"),
        ((series("1.1", slices=2),), PET, "image 'pet' has 2 slices; expected at least 3"),
        ((series("1.1"), series("1.2", "SR", patient_id="other")), PET, "several patients"),
        ((series("1.1"), structures("1.2", refers_to="1.1", suspect="torn")), PET, "structure set: torn"),
    ],
)
def test_a_case_that_cannot_be_is_excluded_with_the_reason(found, settings, problem) -> None:
    selection = select(*found, settings=settings)
    (case,) = selection.examinations
    assert problem in (case.problem or "")
    assert "patient 1" not in (case.problem or "")
    counts = balanced(selection)
    assert counts["used"] == 0
    assert counts["quarantined"] >= 1


def test_a_required_structure_set_that_is_missing_excludes_the_case() -> None:
    annotation = {"annotation": {"image": "pet", "required": True}}
    settings = Settings.model_validate({"images": {"pet": {"modality": "PT"}}} | annotation)
    assert select(series("1.1"), settings=settings).examinations[0].problem == "no structure set for image 'pet'"
    assert select(series("1.1")).examinations[0].problem is None


def test_patients_without_id_do_not_become_one_patient() -> None:
    found = [series(f"{n}.1", study=str(n), patient_id="") for n in range(3)]
    assert len({case.patient for case in select(*found).examinations}) == 3


def test_an_issuer_that_only_some_devices_fill_in_is_no_contradiction() -> None:
    selection = select(series("1.1", issuer="H"), structures("1.2", refers_to="1.1"))
    (case,) = selection.examinations
    assert case.problem is None
    assert case.annotation is not None
    assert case.patient == NAMES.patient("patient 1", "H")
    assert select(series("1.1", issuer="H"), series("1.2", issuer="I")).examinations[0].problem is not None


def test_contours_that_refer_to_the_image_go_before_others_in_its_frame() -> None:
    image = series("1.1")
    exact = structures("1.2", refers_to="1.1", made="2019")
    near = structures("1.3", refers_to="9.9", made="2021")
    selection = select(image, exact, near)
    assert selection.examinations[0].annotation_digest == "1.2"
    assert selection.set_aside[0].reason == "its contours are not the ones used for image 'pet'"
    assert select(image, near).examinations[0].annotation_digest == "1.3"
    assert select(image, near.model_copy(update={"frame_of_reference": "other"})).examinations[0].annotation is None


def test_the_newest_of_several_structure_sets_is_used() -> None:
    found = [
        structures(f"1.{n}", refers_to="1.1", made=made) for n, made in ((2, "20200102"), (3, "20200103"), (4, ""))
    ]
    assert select(series("1.1"), *found).examinations[0].annotation_digest == "1.3"


def test_contours_of_another_patient_are_never_used() -> None:
    stray = structures("2.2", refers_to="1.1", study="2", patient_id="other", frame_of_reference="frame 1")
    assert select(series("1.1"), stray).examinations[0].annotation is None


def test_contours_may_come_in_a_study_of_their_own() -> None:
    apart = structures("2.2", refers_to="1.1", study="2", patient_id="patient 1")
    assert select(series("1.1"), apart).examinations[0].annotation_digest == "2.2"


def test_a_study_that_still_arrives_waits_whole() -> None:
    selection = select(series("1.1"), series("1.2", "CT"), series("2.1", study="2"), waiting_studies=("1",))
    assert [case.case for case in selection.examinations] == [NAMES.examination("2")]
    assert {note.reason for note in selection.waiting} == {"its study still arrives"}
    assert balanced(selection) == {"series_seen": 3, "used": 1, "set_aside": 0, "quarantined": 0, "waiting": 2}


def test_an_unreadable_file_counts_as_a_series() -> None:
    lost = UnreadableFile(path=Path("/secret/name.dcm"), digest="a", reason="it is empty")
    young = lost.model_copy(update={"digest": "b", "waiting": True})
    selection = select(series("1.1"), unreadable=(lost, young))
    assert balanced(selection) == {"series_seen": 3, "used": 1, "set_aside": 0, "quarantined": 1, "waiting": 1}
    assert selection.quarantined[0].reason == "a file that cannot be read: it is empty"


def test_series_of_a_case_found_damaged_later_count_as_quarantined() -> None:
    selection = select(series("1.1"), structures("1.2", refers_to="1.1"), series("2.1", study="2"))
    counts = selection.counts(excluded_cases={NAMES.examination("1")})
    assert counts == {"series_seen": 3, "used": 1, "set_aside": 0, "quarantined": 2, "waiting": 0}


def test_notes_hold_no_original_identifier() -> None:
    found = (series("1.1", suspect="torn"), series("1.2", "CT", description="MR SECRET"), structures("1.3"))
    selection = select(*found, unreadable=(UnreadableFile(path=Path("/SECRET"), digest="x", reason="torn"),))
    notes = [*selection.set_aside, *selection.quarantined, *selection.waiting]
    text = " ".join(note.model_dump_json() for note in notes)
    assert len(notes) == 4
    assert not any(secret in text for secret in ("SECRET", "patient 1", '"1.1"', '"1.2"'))


SERIES = st.builds(
    lambda n, **fields: series(f"{fields['study']}.{n}", **fields),
    st.integers(0, 10**6),
    modality=st.sampled_from(["PT", "CT", "MR", "SR"]),
    slices=st.integers(1, 6),
    study=st.sampled_from("123"),
    suspect=st.sampled_from([None, None, None, "torn"]),
    patient_id=st.sampled_from(["a", "a", "a", "b", ""]),
    localizer=st.booleans(),
)
STRUCTURES = st.builds(
    lambda n, study, to, suspect: structures(
        f"{study}.{n}", study=study, refers_to=to, patient_id="a", suspect=suspect
    ),
    st.integers(2 * 10**6, 3 * 10**6),
    st.sampled_from("123"),
    st.sampled_from(["", "1.1", "2.2"]),
    st.sampled_from([None, None, "torn"]),
)
LOST = st.builds(
    UnreadableFile, path=st.just(Path("x")), digest=st.text(), reason=st.just("torn"), waiting=st.booleans()
)


@given(
    st.lists(SERIES | STRUCTURES, max_size=12, unique_by=lambda found: found.series_uid),
    st.lists(LOST, max_size=3, unique_by=lambda lost: lost.digest),
    st.sets(st.sampled_from("123"), max_size=2),
    st.sampled_from([PET, PET_CT]),
)
def test_every_series_ends_in_exactly_one_place(found, lost, waiting, settings) -> None:
    selection = select(*found, settings=settings, unreadable=tuple(lost), waiting_studies=tuple(sorted(waiting)))
    assert balanced(selection)["series_seen"] == len(found) + len(lost)
    names = [note.series for note in (*selection.set_aside, *selection.quarantined, *selection.waiting)]
    used = {uid for case in selection.examinations if case.problem is None for uid in case.series_uids}
    assert sorted(names + [NAMES.series(uid) for uid in used]) == sorted(
        [NAMES.series(one.series_uid) for one in found] + [NAMES.file(one.digest) for one in lost]
    )
    for cases in ([], [case.case for case in selection.examinations]):
        counts = selection.counts(cases)
        assert counts["series_seen"] == counts["used"] + counts["set_aside"] + counts["quarantined"] + counts["waiting"]


def test_a_selection_survives_pickle_and_json() -> None:
    selection = select(series("1.1"), series("1.2", "CT"), structures("1.3", refers_to="1.1"))
    assert pickle.loads(pickle.dumps(selection)) == selection
    assert Selection.model_validate_json(selection.model_dump_json()) == selection


def test_the_sarcoma_cohort_has_24_annotated_pet_cases(real_data: Path) -> None:
    selection = select_cases(scan_inbox(real_data / "sts" / "dicom"), PET, NAMES)
    assert balanced(selection) == {"series_seen": 72, "used": 48, "set_aside": 24, "quarantined": 0, "waiting": 0}
    assert len({case.patient for case in selection.examinations}) == 24
    for case in selection.examinations:
        assert case.problem is None
        assert case.annotation is not None
        assert case.annotation.files[0].references == (case.images["pet"].series_uid,)


def test_the_sarcoma_cohort_has_6_cases_with_all_three_images(real_data: Path) -> None:
    images = {"pet": {"modality": "PT"}, "ct": {"modality": "CT"}, "mr_t1": {"modality": "MR"}}
    settings = Settings.model_validate({"images": images, "annotation": {"image": "mr_t1"}})
    selection = select_cases(scan_inbox(real_data / "sts" / "dicom"), settings, NAMES)
    whole = [case for case in selection.examinations if case.problem is None]
    assert (len(selection.examinations), len(whole)) == (24, 6)
    assert balanced(selection)["used"] == 6 * 4
