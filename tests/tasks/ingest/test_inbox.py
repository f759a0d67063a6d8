"""A scan finds the same series whatever the order, names and nesting of files, and no file can stop it."""

from __future__ import annotations

import os
import pickle
import shutil
import time
from pathlib import Path

import numpy as np
import pytest

from tasks.ingest.inbox import scan_inbox
from tasks.ingest.series_files import Inbox


def test_files_are_sorted_into_series_with_what_identifies_them(
    tmp_path: Path, write_series, write_structure_set
) -> None:
    write_series(tmp_path / "a", slices=5, study=1, series=1)
    write_series(tmp_path / "b", slices=3, study=2, series=1, modality="PT", IssuerOfPatientID="HOSPITAL")
    write_structure_set(tmp_path / "c" / "rs.dcm", {"tumour": []}, study=1)
    inbox = scan_inbox(tmp_path)
    assert [(s.modality, s.slices, s.patient_id, s.issuer) for s in inbox.series] == [
        ("CT", 5, "patient 1", ""),
        ("RTSTRUCT", 1, "patient 1", ""),
        ("PT", 3, "patient 2", "HOSPITAL"),
    ]
    assert inbox.series[1].files[0].references == (inbox.series[0].series_uid,)
    assert inbox.series[1].files[0].reference_frames == (inbox.series[0].frame_of_reference,)
    assert (inbox.ignored, inbox.duplicates, inbox.unreadable, inbox.series_seen) == (0, 0, (), 3)


def test_order_names_and_nesting_change_nothing_but_paths(tmp_path: Path, write_series) -> None:
    tidy = tmp_path / "tidy"
    paths = write_series(tidy, slices=6, series=1) + write_series(tidy, slices=4, series=2, name="second{}.dcm")
    messy = tmp_path / "messy"
    for number, index in enumerate(np.random.default_rng(3).permutation(len(paths))):
        target = messy.joinpath(*"nest"[: number % 4], f"{number}")  # no .dcm: the prefix tells
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(paths[index], target)
    one, other = scan_inbox(tidy), scan_inbox(messy)
    assert [s.digest for s in one.series] == [s.digest for s in other.series]
    assert [[f.digest for f in s.files] for s in one.series] == [[f.digest for f in s.files] for s in other.series]


def test_identical_copies_count_once(tmp_path: Path, write_series) -> None:
    paths = write_series(tmp_path / "a", slices=4)
    shutil.copytree(tmp_path / "a", tmp_path / "b")
    inbox = scan_inbox(tmp_path)
    assert inbox.series[0].slices == 4
    assert inbox.duplicates == 4
    assert sorted(file.path for file in inbox.series[0].files) == paths


def test_the_digest_of_a_series_changes_with_one_pixel(tmp_path: Path, write_series) -> None:
    pixels = np.zeros((3, 4, 4), dtype=np.int16)
    write_series(tmp_path / "a", pixels=pixels)
    pixels[1, 2, 2] = 1
    write_series(tmp_path / "b", pixels=pixels)
    assert scan_inbox(tmp_path / "a").series[0].digest != scan_inbox(tmp_path / "b").series[0].digest


def test_other_files_are_ignored(tmp_path: Path, write_series) -> None:
    write_series(tmp_path, slices=3)
    (tmp_path / "notes.txt").write_text("not an image")
    (tmp_path / "empty").touch()
    (tmp_path / "archive.zip").write_bytes(b"PK" + bytes(1000))
    inbox = scan_inbox(tmp_path)
    assert (inbox.ignored, inbox.unreadable, inbox.series[0].suspect) == (3, (), None)


def test_pipes_and_circles_of_links_are_not_followed(tmp_path: Path, write_series) -> None:
    write_series(tmp_path / "a", slices=3)
    os.mkfifo(tmp_path / "pipe.dcm")
    (tmp_path / "a" / "circle").symlink_to(tmp_path, target_is_directory=True)
    (tmp_path / "dangling.dcm").symlink_to(tmp_path / "nowhere")
    inbox = scan_inbox(tmp_path)
    assert (inbox.series[0].slices, inbox.duplicates, inbox.unreadable) == (3, 0, ())


def test_a_file_without_preamble_is_read(tmp_path: Path, write_series) -> None:
    (path,) = write_series(tmp_path, slices=1)
    bare = path.read_bytes()[132:]
    path.unlink()
    (tmp_path / "bare").write_bytes(bare)
    assert scan_inbox(tmp_path).series[0].slices == 1


@pytest.mark.parametrize("content", [b"", b"\0" * 128 + b"DICM", b"garbage" * 100])
def test_an_unreadable_file_makes_the_only_series_beside_it_suspect(
    tmp_path: Path, write_series, content: bytes
) -> None:
    write_series(tmp_path / "a", slices=4, study=1)
    write_series(tmp_path / "b", slices=4, study=2)
    (tmp_path / "a" / "broken.dcm").write_bytes(content)
    inbox = scan_inbox(tmp_path)
    assert "a file beside it cannot be read" in (inbox.series[0].suspect or "")
    assert inbox.series[1].suspect is None
    assert inbox.unreadable == ()


def test_the_same_unreadable_file_beside_two_series_makes_both_suspect(tmp_path: Path, write_series) -> None:
    for study in (1, 2):
        write_series(tmp_path / str(study), slices=4, study=study)
        (tmp_path / str(study) / "broken.dcm").touch()
    assert all(series.suspect for series in scan_inbox(tmp_path).series)


def test_a_structure_set_beside_the_series_does_not_clear_it(tmp_path: Path, write_series, write_structure_set) -> None:
    write_series(tmp_path, slices=4)
    write_structure_set(tmp_path / "rs.dcm", {"a": []})
    (tmp_path / "broken.dcm").touch()
    image, structures = scan_inbox(tmp_path).series
    assert image.suspect is not None
    assert structures.suspect is None


def test_an_unreadable_file_among_several_series_stands_alone(tmp_path: Path, write_series) -> None:
    write_series(tmp_path, slices=3, series=1)
    write_series(tmp_path, slices=3, series=2, name="other{}.dcm")
    (tmp_path / "broken.dcm").touch()
    inbox = scan_inbox(tmp_path)
    assert [file.reason for file in inbox.unreadable] == ["it is empty"]
    assert not any(series.suspect for series in inbox.series)
    assert inbox.series_seen == 3


@pytest.mark.parametrize(
    ("element", "value", "reason"),
    [
        ("PatientID", "somebody else", "several patients"),
        ("StudyInstanceUID", "1.2.3", "2 different studies"),
        ("Modality", "MR", "2 different modalities"),
        ("FrameOfReferenceUID", "1.2.3", "2 different frames of reference"),
        ("SOPInstanceUID", "1.2.826.0.1.3680043.10.999.1.1.1", "came twice with different content"),
    ],
)
def test_a_series_that_contradicts_itself_is_suspect(tmp_path: Path, write_series, element, value, reason) -> None:
    write_series(tmp_path, slices=4, change={2: {element: value}})
    (series,) = scan_inbox(tmp_path).series
    assert reason in (series.suspect or "")
    assert "patient 1" not in (series.suspect or "")
    assert "somebody" not in (series.suspect or "")


def test_one_young_file_lets_its_whole_study_wait(tmp_path: Path, write_series) -> None:
    write_series(tmp_path / "a", slices=3, study=1, series=1)
    write_series(tmp_path / "b", slices=3, study=1, series=2)
    write_series(tmp_path / "c", slices=3, study=2)
    later = time.time() + 600
    os.utime(tmp_path / "a" / "001.dcm", (later - 5, later - 5))
    inbox = scan_inbox(tmp_path, quiet_seconds=60, now=later)
    assert inbox.waiting_studies == (inbox.series[0].study_uid,)
    assert scan_inbox(tmp_path, quiet_seconds=2, now=later).waiting_studies == ()
    assert scan_inbox(tmp_path, quiet_seconds=0, now=later).waiting_studies == ()
    assert len(scan_inbox(tmp_path, quiet_seconds=60).waiting_studies) == 2


def test_a_file_moved_in_with_an_old_date_is_young(tmp_path: Path, write_series) -> None:
    for path in write_series(tmp_path, slices=3):
        os.utime(path, (0, 0))
    assert len(scan_inbox(tmp_path, quiet_seconds=60).waiting_studies) == 1


def test_a_half_written_file_lets_the_study_beside_it_wait(tmp_path: Path, write_series) -> None:
    write_series(tmp_path / "a", slices=3)
    later = time.time() + 600
    for path in (tmp_path / "a" / "new.dcm", tmp_path / "alone.dcm"):
        path.write_bytes(b"\0" * 100)
        os.utime(path, (later - 5, later - 5))
    inbox = scan_inbox(tmp_path, quiet_seconds=60, now=later)
    assert inbox.waiting_studies == (inbox.series[0].study_uid,)
    assert [file.waiting for file in inbox.unreadable] == [True]


def test_a_scan_survives_pickle_and_json(tmp_path: Path, write_series) -> None:
    write_series(tmp_path, slices=3)
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "broken.dcm").touch()
    inbox = scan_inbox(tmp_path)
    assert pickle.loads(pickle.dumps(inbox)) == inbox
    assert Inbox.model_validate_json(inbox.model_dump_json()) == inbox


def test_progress_ends_with_everything(tmp_path: Path, write_series) -> None:
    write_series(tmp_path, slices=5)
    calls: list[tuple[int, int]] = []
    scan_inbox(tmp_path, progress=lambda done, total: calls.append((done, total)))
    assert calls[0] == (0, 5)
    assert calls[-1] == (5, 5)


def test_an_inbox_that_is_no_folder_is_refused(tmp_path: Path) -> None:
    with pytest.raises(NotADirectoryError, match="must be a folder"):
        scan_inbox(tmp_path / "nowhere")


@pytest.mark.timeout(60)
def test_malformed_files_do_not_stop_the_scan(real_data: Path) -> None:
    corpus = real_data / "dicom_edge" / "fuzz"
    inbox = scan_inbox(corpus)
    assert inbox.series_seen > 0
    assert all(series.suspect for series in inbox.series)


def test_every_file_of_the_sarcoma_cohort_is_sorted(real_data: Path) -> None:
    folder = real_data / "sts" / "dicom"
    inbox = scan_inbox(folder)
    assert scan_inbox(folder) == inbox
    assert sum(len(series.files) for series in inbox.series) == 2271
    assert (inbox.series_seen, inbox.ignored, inbox.duplicates, inbox.unreadable) == (72, 0, 0, ())
    assert not any(series.suspect for series in inbox.series)
    assert len({series.patient_id for series in inbox.series}) == 24
