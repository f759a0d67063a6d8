"""Images and label maps are paired by what the wildcards stand for, and every file ends in one place."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from tasks.ingest.deidentify import Pseudonyms
from tasks.ingest.labelled_volumes import scan_volumes
from tasks.ingest.segmentation_settings import SegmentationSettings
from tasks.ingest.volume_inbox import VolumeInbox

PSEUDONYMS = Pseudonyms(b"sixteen bytes, or more of them")


def settings(**changes: object) -> SegmentationSettings:
    return SegmentationSettings.model_validate({"structures": {"a": 1}, **changes})


def scan(folder: Path, files: dict[str, bytes], **changes: object) -> VolumeInbox:
    for name, content in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(content)
    found = scan_volumes(folder, settings(**changes), PSEUDONYMS)
    assert found.series_seen == len(files)
    return found


def closed(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    """Let files of this name be forbidden to open, whoever runs the tests."""
    opened = Path.open

    def guarded(path: Path, *arguments: Any, **options: Any) -> Any:
        if path.name == name and arguments[:1] == ("rb",):
            raise PermissionError
        return opened(path, *arguments, **options)

    monkeypatch.setattr(Path, "open", guarded)


def pairs(found: VolumeInbox) -> dict[str, str | None]:
    return {
        one.image.path.read_text(): one.label_map.path.read_text() if one.label_map else None for one in found.volumes
    }


def test_an_image_and_a_label_map_of_one_name_are_a_pair(tmp_path: Path) -> None:
    files = {"images/a.nii.gz": b"A", "labels/a.nii.gz": b"1", "images/b.nii.gz": b"B", "labels/b.nii.gz": b"2"}
    assert pairs(scan(tmp_path, files)) == {"A": "1", "B": "2"}


def test_names_may_differ_where_the_wildcards_stand_for_the_same(tmp_path: Path) -> None:
    files = {"imagesTr/a_0000.nii.gz": b"A", "labelsTr/a.nii.gz": b"1"}
    found = scan(tmp_path, files, images="imagesTr/*_0000.nii.gz", labels="labelsTr/*.nii.gz")
    assert pairs(found) == {"A": "1"}


def test_two_wildcards_must_both_agree(tmp_path: Path) -> None:
    files = {"p1/t1.nii": b"A", "p2/t1.nii": b"B", "p2/t1_seg.nii": b"2"}
    assert pairs(scan(tmp_path, files, images="*/*.nii", labels="*/*_seg.nii")) == {"A": None, "B": "2"}


def test_a_label_map_without_image_is_set_aside_and_an_image_without_label_map_is_a_case(tmp_path: Path) -> None:
    found = scan(tmp_path, {"images/a.nii.gz": b"A", "labels/b.nii.gz": b"2"})
    assert pairs(found) == {"A": None}
    assert [note.reason for note in found.set_aside] == ["a label map without an image"]


def test_what_no_pattern_describes_and_what_is_hidden_is_set_aside(tmp_path: Path) -> None:
    files = {"images/a.nii.gz": b"A", "images/._a.nii.gz": b"x", "README.md": b"y", "images/deep/b.nii.gz": b"z"}
    found = scan(tmp_path, files)
    assert pairs(found) == {"A": None}
    assert len(found.set_aside) == 3


def test_an_empty_file_is_quarantined(tmp_path: Path) -> None:
    found = scan(tmp_path, {"images/a.nii.gz": b"", "labels/a.nii.gz": b"1"})
    assert [note.reason for note in found.quarantined] == ["it is empty"]
    assert [note.reason for note in found.set_aside] == ["a label map without an image"]


def test_a_label_map_that_cannot_be_read_stays_with_its_image(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    closed(monkeypatch, "b.nii.gz")
    files = {f"{kind}/{name}.nii.gz": f"{kind}{name}".encode() for kind in ("labels", "other") for name in "ab"}
    files |= {f"images/{name}.nii.gz": name.encode() for name in "ac"} | {"labels/c.nii.gz": b""}
    found = scan(tmp_path, files, images="images/*.nii.gz", labels="labels/*.nii.gz")
    faults = {one.image.path.name: one.label_map and one.label_map.fault for one in found.volumes}
    assert faults == {"a.nii.gz": "", "c.nii.gz": "it is empty"}
    reasons = {note.reason for note in found.quarantined}
    assert reasons == {"it cannot be opened (PermissionError)"}  # of a label map without image


def test_a_file_that_cannot_be_opened_is_called_by_a_keyed_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    closed(monkeypatch, "jane_doe.nii.gz")
    files = {"images/jane_doe.nii.gz": b"A", "images/b.nii.gz": b"B"}
    [note] = scan(tmp_path, files).quarantined
    assert note.digest == PSEUDONYMS.file("images/jane_doe.nii.gz")
    other = scan_volumes(tmp_path, settings(), Pseudonyms(b"another key of enough bytes"))
    assert [one.digest for one in other.quarantined] != [note.digest]


def test_a_label_map_that_can_be_read_is_preferred_to_one_of_a_copy_that_cannot(tmp_path: Path) -> None:
    files = {"images/a.nii.gz": b"A", "labels/a.nii.gz": b"", "images/b.nii.gz": b"A", "labels/b.nii.gz": b"2"}
    found = scan(tmp_path, files)
    assert pairs(found) == {"A": "2"}
    assert [note.reason for note in found.set_aside] == ["it is a copy of another file"]
    assert [note.reason for note in found.quarantined] == ["it is empty"]


def test_label_maps_that_nobody_asks_for_are_set_aside(tmp_path: Path) -> None:
    files = {"images/a.nii.gz": b"A", "labels/a.nii.gz": b"1", "images/b.nii.gz": b"A", "labels/b.nii.gz": b"2"}
    scan(tmp_path, files)
    found = scan_volumes(tmp_path, settings(), PSEUDONYMS, annotated=False)
    assert pairs(found) == {"A": None}  # that the label maps contradict each other is nobody's business
    assert (found.series_seen, len(found.set_aside), len(found.quarantined)) == (4, 3, 0)


def test_an_image_waits_while_its_label_map_still_arrives(tmp_path: Path) -> None:
    scan(tmp_path, {"images/a.nii.gz": b"A", "labels/a.nii.gz": b"1", "images/b.nii.gz": b"B"})
    label_map = tmp_path / "labels" / "a.nii.gz"
    late = label_map.stat().st_ctime + 1000
    os.utime(label_map, (late, late))
    found = scan_volumes(tmp_path, settings(), PSEUDONYMS, quiet_seconds=300, now=late + 10)
    assert pairs(found) == {"B": None}
    assert ([note.reason for note in found.waiting], found.series_seen) == (["it still arrives"] * 2, 3)
    found = scan_volumes(tmp_path, settings(), PSEUDONYMS, quiet_seconds=300, now=late + 400)
    assert pairs(found) == {"A": "1", "B": None}


def test_a_copy_counts_once_and_the_annotated_one_is_kept(tmp_path: Path) -> None:
    found = scan(tmp_path, {"images/a.nii.gz": b"A", "images/b.nii.gz": b"A", "labels/b.nii.gz": b"2"})
    assert pairs(found) == {"A": "2"}
    assert [note.reason for note in found.set_aside] == ["it is a copy of another file"]


def test_copies_with_different_label_maps_are_quarantined(tmp_path: Path) -> None:
    files = {"images/a.nii.gz": b"A", "images/b.nii.gz": b"A", "labels/a.nii.gz": b"1", "labels/b.nii.gz": b"2"}
    found = scan(tmp_path, files)
    assert found.volumes == ()
    assert len(found.quarantined) == 4


def test_the_patient_is_what_the_group_of_the_expression_finds(tmp_path: Path) -> None:
    files = {"images/p7_left.nii.gz": b"A", "images/p7_right.nii.gz": b"B", "images/other.nii.gz": b"C"}
    found = scan(tmp_path, files, patient=r"images/(p\d+)_")
    assert {one.image.path.read_text(): one.patient for one in found.volumes} == {"A": "p7", "B": "p7"}
    [stranger] = found.quarantined  # it could be of the same patient
    assert stranger.reason == "its path does not say whose image it is"


def test_a_copy_lends_its_patient_to_the_one_that_has_the_label_map(tmp_path: Path) -> None:
    files = {"images/p7_a.nii.gz": b"A", "images/copy.nii.gz": b"A", "labels/copy.nii.gz": b"L"}
    [found] = scan(tmp_path, files, patient=r"images/(p\d+)_").volumes
    assert found.patient == "p7"
    assert found.label_map is not None


def test_a_copy_of_two_patients_is_quarantined(tmp_path: Path) -> None:
    files = {"images/p1_x.nii.gz": b"A", "images/p2_x.nii.gz": b"A"}
    found = scan(tmp_path, files, patient=r"(p\d+)_")
    assert {note.reason for note in found.quarantined} == {
        "the same image has different patients: which is right is not known"
    }


def test_names_decide_nothing_but_the_pairs(tmp_path: Path) -> None:
    one = scan(tmp_path / "1", {"images/a.nii.gz": b"A", "images/b.nii.gz": b"B"})
    other = scan(tmp_path / "2", {"images/z.nii.gz": b"A", "images/c.nii.gz": b"B"})
    assert [v.image.digest for v in one.volumes] == [v.image.digest for v in other.volumes]


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"images": "images/a.nii.gz"}, "at least one"),
        ({"images": "**/a.nii.gz"}, "at least one"),
        ({"images": "*/*.nii.gz"}, "as many"),
        ({"patient": "(a"}, "no regular expression"),
        ({"patient": "a"}, "one group"),
        ({"structures": {}}, "at least 1"),
        ({"structures": {"a": 1, "b": 1}}, "another value"),
        ({"structures": {"whole": 1}}, "all structures together"),
        ({"structures": {"a": 0}}, "greater than or equal to 1"),
    ],
)
def test_settings_that_cannot_work_are_refused(changes: dict[str, object], says: str) -> None:
    with pytest.raises(ValidationError, match=says):
        settings(**changes)


def test_an_inbox_that_is_no_folder_is_refused(tmp_path: Path) -> None:
    with pytest.raises(NotADirectoryError, match="must be a folder"):
        scan_volumes(tmp_path / "nowhere", settings(), PSEUDONYMS)
