"""The generated cohort goes in as files and comes out as cases, volumes and lesions."""

from __future__ import annotations

import numpy as np
import pytest

from tasks.ingest.deidentify import Pseudonyms
from tasks.ingest.inbox import scan_inbox
from tasks.ingest.rtstruct import annotation_labels, read_contours
from tasks.ingest.select import Selection, select_cases
from tasks.ingest.series import read_series
from tasks.ingest.settings import Settings
from tasks.phantom.cohort import PhantomPatient, write_cohort

NAMES = Pseudonyms(b"0123456789abcdef")
SETTINGS = Settings.model_validate({"images": {"ct": {"modality": "CT"}}, "annotation": {"image": "ct"}})


@pytest.fixture(scope="module")
def cohort(tmp_path_factory: pytest.TempPathFactory) -> tuple[list[PhantomPatient], Selection]:
    folder = tmp_path_factory.mktemp("cohort")
    patients = write_cohort(folder, patients=3, size="small")
    return patients, select_cases(scan_inbox(folder), SETTINGS, NAMES)


def test_every_patient_is_one_annotated_case(cohort: tuple[list[PhantomPatient], Selection]) -> None:
    patients, selection = cohort
    assert selection.counts() == {"series_seen": 6, "used": 6, "set_aside": 0, "quarantined": 0, "waiting": 0}
    assert {case.patient for case in selection.examinations} == {NAMES.patient(one.patient_id) for one in patients}
    assert all(case.annotation is not None for case in selection.examinations)


def test_volumes_and_lesions_are_those_that_were_generated(cohort: tuple[list[PhantomPatient], Selection]) -> None:
    patients, selection = cohort
    cases = {case.case: case for case in selection.examinations}
    for patient in patients:
        case = cases[NAMES.examination(patient.study_uid)]
        read = read_series([file.path for file in case.images["ct"].files])
        assert read.volume.shape == patient.shape
        np.testing.assert_allclose(read.volume.spacing_mm, patient.spacing_mm, rtol=1e-6)
        assert case.annotation is not None
        labels, facts = annotation_labels(read_contours(case.annotation.files[0].path), read.volume, ["*"])
        assert len(facts["lesions"]) == len(patient.nodules)
        for lesion in range(1, len(patient.nodules) + 1):
            assert (labels == lesion).any()
