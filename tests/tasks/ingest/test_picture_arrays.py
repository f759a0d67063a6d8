"""A file of arrays is many pictures: each with its own digest and class, or the whole file refused with a reason."""

from __future__ import annotations

import zipfile
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from pydantic import ValidationError

from storage.errors import CaseError
from tasks.ingest.picture_arrays import read_arrays
from tasks.ingest.picture_settings import PictureSettings
from tasks.ingest.pictures import scan_pictures

SIDE = 16


def pictures(count: int, seed: int = 0, *colour: int) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, size=(count, SIDE, SIDE, *colour), dtype=np.uint8)


def labels(*values: int) -> np.ndarray:
    return np.array(values, dtype=np.uint8)[:, None]


def contents(**change: Any) -> dict[str, Any]:
    """Four pictures: two to train, one to validate, one to test."""
    whole = {
        "train_images": pictures(2, 0),
        "train_labels": labels(0, 1),
        "val_images": pictures(1, 1),
        "val_labels": labels(1),
        "test_images": pictures(1, 2),
        "test_labels": labels(0),
    }
    return {name: value for name, value in {**whole, **change}.items() if value is not None}


def write(path: Path, **change: Any) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    np.savez(path, **contents(**change))
    return path


def test_rows_are_the_pictures_of_the_parts_one_after_the_other(tmp_path: Path) -> None:
    arrays = read_arrays(write(tmp_path / "a.npz"))
    assert arrays.labels.tolist() == [0, 1, 1, 0]
    expected = [*pictures(2, 0), *pictures(1, 1), *pictures(1, 2)]
    for row, picture in enumerate(expected):
        found = arrays.pixels(row)
        assert found.shape == (SIDE, SIDE, 3)
        assert all(np.array_equal(found[..., channel], picture) for channel in range(3))


def test_colour_stays_as_it_is_and_a_part_may_be_absent(tmp_path: Path) -> None:
    colour = pictures(2, 5, 3)
    np.savez_compressed(tmp_path / "a.npz", test_images=colour, test_labels=np.array([1, 0], dtype=np.int64))
    arrays = read_arrays(tmp_path / "a.npz")
    assert np.array_equal(arrays.pixels(1), colour[1])
    assert arrays.labels.tolist() == [1, 0]


def test_a_picture_is_known_by_its_pixels_not_by_its_file_or_row(tmp_path: Path) -> None:
    one = read_arrays(write(tmp_path / "a.npz"))
    other = read_arrays(write(tmp_path / "b.npz", train_images=pictures(2, 0)[::-1], train_labels=labels(1, 0)))
    assert [one.digest(0), one.digest(1)] == [other.digest(1), other.digest(0)]
    flat = {"train_images": np.zeros((1, 16, 32), np.uint8), "train_labels": labels(0)}
    tall = {"train_images": np.zeros((1, 32, 16), np.uint8), "train_labels": labels(0)}
    np.savez(tmp_path / "flat.npz", **flat)
    np.savez(tmp_path / "tall.npz", **tall)
    assert read_arrays(tmp_path / "flat.npz").digest(0) != read_arrays(tmp_path / "tall.npz").digest(0)


@pytest.mark.parametrize("alone", [True, False])
def test_a_scan_finds_every_row_with_the_name_of_its_class(tmp_path: Path, alone: bool) -> None:
    path = write(tmp_path / "in" / "some.npz")
    inbox = scan_pictures(path if alone else tmp_path, classes=("normal", "pneumonia"))
    assert inbox.series_seen == len(inbox.pictures) == 4
    assert [found.digest for found in inbox.pictures] == sorted(found.digest for found in inbox.pictures)
    names = {found.row: found.class_name for found in inbox.pictures}
    assert names == {0: "normal", 1: "pneumonia", 2: "pneumonia", 3: "normal"}


def test_without_names_the_label_is_the_class(tmp_path: Path) -> None:
    found = scan_pictures(write(tmp_path / "a.npz")).pictures
    assert sorted(str(one.class_name) for one in found) == ["0", "0", "1", "1"]


def test_copies_count_once_and_those_of_two_classes_contradict_each_other(tmp_path: Path) -> None:
    same = {"val_images": pictures(2, 0)[:1], "val_labels": labels(0)}
    inbox = scan_pictures(write(tmp_path / "a.npz", **same))
    assert (len(inbox.pictures), len(inbox.set_aside), len(inbox.quarantined)) == (3, 1, 0)
    inbox = scan_pictures(write(tmp_path / "a.npz", **{**same, "val_labels": labels(1)}))
    assert (len(inbox.pictures), len(inbox.set_aside), len(inbox.quarantined)) == (2, 0, 2)


def test_other_pictures_may_lie_beside_it_and_a_young_file_waits_as_one(tmp_path: Path) -> None:
    write(tmp_path / "a.npz")
    (tmp_path / "normal").mkdir()
    Image.fromarray(pictures(1, 9)[0]).save(tmp_path / "normal" / "x.png")
    assert len(scan_pictures(tmp_path).pictures) == 5
    assert len(scan_pictures(tmp_path, quiet_seconds=3600).waiting) == 2


def test_a_label_without_a_name_is_told_before_anything_is_used(tmp_path: Path) -> None:
    inbox = scan_pictures(write(tmp_path / "a.npz", val_labels=labels(2)), classes=("normal", "pneumonia"))
    assert not inbox.pictures
    assert [note.reason for note in inbox.quarantined] == [
        "label 2 has no name: [ingest] classes has 2, the first for label 0"
    ]


def test_two_classes_of_one_name_are_refused() -> None:
    with pytest.raises(ValidationError, match="classes have a name each; got a, a"):
        PictureSettings(classes=("a", "a"))


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"train_images": pictures(2).astype(np.float32)}, r"pictures \(n, y, x\) .* got \(2, 16, 16\) of float32"),
        ({"train_images": pictures(2)[..., :8]}, "have 8×16 pixels; expected at least 16"),
        ({"train_images": pictures(2, 0, 4)}, r"got \(2, 16, 16, 4\) of uint8"),
        ({"train_images": np.zeros((0, SIDE, SIDE), np.uint8)}, "at least one"),
        ({"train_images": np.zeros((2, SIDE, 2 * SIDE), np.uint8)}, "pictures of different sizes"),
        ({"train_labels": labels(0, 1, 1)}, r"label of each of 2 pictures; got \(3, 1\) of uint8"),
        ({"train_labels": np.zeros((2, 14), np.uint8)}, r"got \(2, 14\) of uint8"),
        ({"train_labels": np.array([0.0, 1.0])}, r"got \(2,\) of float64"),
        ({"train_labels": np.array([-1, 0])}, "labels are counted from 0; got -1"),
        ({"train_labels": None}, "other arrays than pictures and their labels; expected train_images"),
        ({"patients": np.arange(4)}, "other arrays than pictures and their labels"),
        ({"train_labels": np.array([{"a": 1}, None])}, "an array does not have the size that it declares"),
    ],
)
def test_arrays_that_are_no_pictures_with_labels_are_refused(tmp_path: Path, change: Any, said: str) -> None:
    path = write(tmp_path / "a.npz", **change)
    with pytest.raises(CaseError, match=said):
        read_arrays(path)
    [note] = scan_pictures(tmp_path).quarantined
    assert "a.npz" not in note.reason


class Code:
    """What a malicious file holds: something that is called when it is read."""

    def __reduce__(self) -> tuple[Any, ...]:
        return (pytest.fail, ("code of a file of arrays was run",))


def test_nothing_of_a_file_is_run(tmp_path: Path) -> None:
    path = write(tmp_path / "a.npz", train_labels=np.array([Code(), Code()], dtype=object))
    with pytest.raises(CaseError):
        read_arrays(path)


def test_a_header_that_claims_more_than_there_is_takes_no_memory(tmp_path: Path) -> None:
    stream = BytesIO()
    np.lib.format.write_array_header_1_0(
        stream, {"descr": "|u1", "fortran_order": False, "shape": (10**9, 10**3, 10**3)}
    )
    whole = contents()
    with zipfile.ZipFile(tmp_path / "a.npz", "w") as archive:
        archive.writestr("train_images.npy", stream.getvalue() + b"\0" * 512)
        label = BytesIO()
        np.save(label, whole["train_labels"])
        archive.writestr("train_labels.npy", label.getvalue())
    with pytest.raises(CaseError, match="an array does not have the size that it declares"):
        read_arrays(tmp_path / "a.npz")


def test_more_bytes_than_the_limit_are_not_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write(tmp_path / "a.npz")
    monkeypatch.setattr("tasks.ingest.picture_arrays.MAX_BYTES", 1000)
    with pytest.raises(CaseError, match="at most 1000 are read"):
        read_arrays(path)


@pytest.mark.parametrize("damage", ["empty", "cut", "flipped", "text"])
def test_a_damaged_file_is_refused_without_its_name(tmp_path: Path, damage: str) -> None:
    path = write(tmp_path / "a.npz")
    data = bytearray(path.read_bytes())
    data[400] ^= 255  # within the pixels of the first array: the checksum tells
    path.write_bytes({"empty": b"", "cut": data[:300], "flipped": bytes(data), "text": b"no zip"}[damage])
    with pytest.raises(CaseError, match=r"truncated or damaged: they cannot be read \(\w+\)"):
        read_arrays(path)


def test_a_file_that_is_absent_is_no_verdict_on_its_pictures(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        read_arrays(tmp_path / "a.npz")


def test_pneumoniamnist_is_3158_pictures_in_two_classes(real_data: Path) -> None:
    inbox = scan_pictures(real_data / "pneumoniamnist", classes=("normal", "pneumonia"))
    assert (inbox.series_seen, len(inbox.pictures), len(inbox.set_aside)) == (3166, 3158, 8)
    assert {found.class_name for found in inbox.pictures} == {"normal", "pneumonia"}
