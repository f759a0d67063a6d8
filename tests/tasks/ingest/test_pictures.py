"""A scan of class folders accounts for every file; a picture of any kind becomes upright RGB, or a sentence why not."""

from __future__ import annotations

import hashlib
import os
import shutil
import time
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from pydantic import ValidationError

from storage.errors import CaseError
from tasks.ingest.deidentify import Pseudonyms
from tasks.ingest.picture_file import MAX_PIXELS, read_picture
from tasks.ingest.picture_settings import PictureSettings
from tasks.ingest.pictures import PictureInbox, bucket_of, scan_pictures

FORMATS = ("JPEG", "PNG", "BMP", "TIFF", "WEBP")
SIDES = (20, 30)


def blocks() -> np.ndarray:
    """A 20×30 picture with one colour in each quarter: flat enough for JPEG to keep."""
    pixels = np.zeros((*SIDES, 3), dtype=np.uint8)
    pixels[:10, :15], pixels[:10, 15:], pixels[10:, :15] = (250, 0, 0), (0, 250, 0), (0, 0, 250)
    return pixels


def encoded(kind: str, image: Image.Image | None = None, **options: Any) -> bytes:
    stream = BytesIO()
    (image or Image.fromarray(blocks())).save(stream, kind, **options)
    return stream.getvalue()


def write(path: Path, data: bytes) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)
    return path


def grey(value: int) -> bytes:
    return encoded("PNG", Image.new("L", SIDES, value))


def fates(inbox: PictureInbox) -> dict[str, str]:
    """Where each file ended, by its name."""
    places = {"picture": inbox.pictures, "set aside": inbox.set_aside, "quarantined": inbox.quarantined}
    return {item.path.name: place for place, items in {**places, "waiting": inbox.waiting}.items() for item in items}


@pytest.mark.parametrize("kind", FORMATS)
def test_a_picture_is_known_by_its_content_not_by_its_name(kind: str, tmp_path: Path) -> None:
    data = encoded(kind)
    write(tmp_path / "glioma" / "scan.dat", data)
    [picture] = scan_pictures(tmp_path).pictures
    assert (picture.digest, picture.class_name) == (hashlib.sha256(data).hexdigest(), "glioma")


def test_every_file_ends_in_one_place(tmp_path: Path) -> None:
    write(tmp_path / "a" / "one.png", grey(1))
    write(tmp_path / "a" / "copy.png", grey(1))
    write(tmp_path / "a" / "in_a.png", grey(2))
    write(tmp_path / "b" / "in_b.png", grey(2))
    write(tmp_path / "a" / "deep" / "nested.png", grey(3))
    write(tmp_path / "rootless.png", grey(4))
    write(tmp_path / "a" / "notes.txt", b"BMW 320i, blue")
    write(tmp_path / "a" / "._one.png", b"\0\5\x16\7 of a Macintosh")
    write(tmp_path / "a" / "page.jpg", b"<html>not found</html>")
    write(tmp_path / "a" / "empty.png", b"")
    inbox = scan_pictures(tmp_path)
    assert fates(inbox) == {
        "copy.png": "picture",  # of equal files the first by path stays
        "one.png": "set aside",
        "in_a.png": "quarantined",
        "in_b.png": "quarantined",
        "nested.png": "picture",
        "rootless.png": "picture",
        "notes.txt": "set aside",
        "._one.png": "set aside",
        "page.jpg": "quarantined",
        "empty.png": "quarantined",
    }
    assert inbox.series_seen == 10
    assert {p.path.name: p.class_name for p in inbox.pictures} == {
        "copy.png": "a",
        "nested.png": "deep",
        "rootless.png": None,
    }
    assert {note.reason for note in inbox.quarantined} == {
        "the same picture lies in 2 classes: its class is not known",
        "its name says that it is a picture, its content does not",
        "it is empty",
    }
    assert [p.digest for p in inbox.pictures] == sorted(p.digest for p in inbox.pictures)


def test_a_copy_without_class_contradicts_nothing(tmp_path: Path) -> None:
    write(tmp_path / "loose.png", grey(1))
    write(tmp_path / "a" / "labelled.png", grey(1))
    inbox = scan_pictures(tmp_path)
    assert fates(inbox) == {"labelled.png": "picture", "loose.png": "set aside"}
    assert inbox.pictures[0].class_name == "a"


def test_names_and_nesting_change_nothing(tmp_path: Path) -> None:
    for value in range(6):
        write(tmp_path / "one" / f"c{value % 2}" / f"{value}.png", grey(value))
        write(tmp_path / "other" / "deep" / f"c{value % 2}" / f"x{9 - value}", grey(value))
    one, other = (scan_pictures(tmp_path / name).pictures for name in ("one", "other"))
    assert [(p.digest, p.class_name) for p in one] == [(p.digest, p.class_name) for p in other]


def test_young_files_wait(tmp_path: Path) -> None:
    write(tmp_path / "a" / "old.png", grey(1))
    write(tmp_path / "a" / "new.png", grey(2))
    os.utime(tmp_path / "a" / "new.png", (time.time() + 500, time.time() + 500))
    assert fates(scan_pictures(tmp_path, quiet_seconds=60, now=time.time() + 510)) == {
        "old.png": "picture",
        "new.png": "waiting",
    }
    assert len(scan_pictures(tmp_path).pictures) == 2


def test_a_folder_under_two_names_is_two_classes_and_a_circle_none(tmp_path: Path) -> None:
    write(tmp_path / "a" / "one.png", grey(1))
    (tmp_path / "a" / "circle").symlink_to(tmp_path / "a", target_is_directory=True)
    (tmp_path / "a" / "up").symlink_to(tmp_path, target_is_directory=True)
    os.mkfifo(tmp_path / "pipe.png")
    assert fates(scan_pictures(tmp_path)) == {"one.png": "picture"}
    (tmp_path / "b").symlink_to(tmp_path / "a", target_is_directory=True)
    assert fates(scan_pictures(tmp_path)) == {"one.png": "quarantined"}


@pytest.mark.skipif(os.geteuid() == 0, reason="root may open everything")
def test_what_cannot_be_opened_is_quarantined(tmp_path: Path) -> None:
    write(tmp_path / "a" / "one.png", grey(1)).chmod(0)
    [note] = scan_pictures(tmp_path).quarantined
    assert note.reason == "it cannot be opened (PermissionError)"


def test_names_of_what_cannot_be_opened_are_keyed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for number, name in enumerate(("Meier", "Huber")):
        write(tmp_path / f"{name}.png", grey(number))

    def locked(*_: object) -> None:
        raise PermissionError

    monkeypatch.setattr(Path, "open", locked)
    names = [
        [note.digest for note in scan_pictures(tmp_path, pseudonyms=Pseudonyms(key)).quarantined]
        for key in (b"one secret of the tests", b"one secret of the tests", b"another secret of tests")
    ]
    assert names[0] == names[1]
    assert len({*names[0], *names[2]}) == 4
    assert {note.digest for note in scan_pictures(tmp_path).quarantined} == {"unreadable"}


def test_an_inbox_that_is_no_folder_is_refused_and_progress_is_told(tmp_path: Path) -> None:
    path = write(tmp_path / "a" / "one.png", grey(1))
    with pytest.raises(NotADirectoryError):
        scan_pictures(path)
    calls: list[tuple[int, int]] = []
    scan_pictures(tmp_path, progress=lambda done, found: calls.append((done, found)))
    assert calls == [(0, 1), (1, 1)]


def test_buckets_are_stable_and_even() -> None:
    digests = [hashlib.sha256(str(number).encode()).hexdigest() for number in range(4000)]
    counts = np.bincount([bucket_of(digest, 16) for digest in digests], minlength=16)
    assert counts.min() > 200
    assert bucket_of("0f" + "0" * 62 + "11", 16) == 1
    with pytest.raises(ValueError, match="at least 1 bucket"):
        bucket_of("00", 0)


def test_a_picture_is_a_patient_of_its_own() -> None:
    names = Pseudonyms(b"0123456789abcdef0123456789abcdef")
    pairs = [names.picture(digest) for digest in ("aa", "ab")]
    flat = [name for pair in pairs for name in pair]
    assert [name[:2] for name in flat] == ["C-", "P-", "C-", "P-"]
    assert len({name[2:] for name in flat}) == 4
    assert names.picture("aa") == pairs[0]


def test_settings_refuse_no_bucket() -> None:
    assert PictureSettings().buckets == 16
    with pytest.raises(ValidationError):
        PictureSettings(buckets=0)


@pytest.mark.parametrize("kind", FORMATS)
def test_each_format_gives_its_colours(kind: str, tmp_path: Path) -> None:
    picture = read_picture(write(tmp_path / "x", encoded(kind)))
    assert (picture.pixels.shape, picture.pixels.dtype, picture.format) == ((20, 30, 3), np.uint8, kind)
    for row, column in ((4, 6), (4, 22), (14, 6), (14, 22)):
        assert np.abs(picture.pixels[row, column].astype(int) - blocks()[row, column]).max() <= 12


@pytest.mark.parametrize("mode", ["1", "L", "P", "LA", "RGBA", "CMYK", "YCbCr"])
def test_modes_of_colour_become_rgb(mode: str, tmp_path: Path) -> None:
    image = Image.fromarray(np.full((*SIDES, 3), 255, dtype=np.uint8)).convert(mode)
    kind = "TIFF" if mode in ("CMYK", "YCbCr") else "PNG"
    picture = read_picture(write(tmp_path / "x", encoded(kind, image)))
    assert (picture.pixels >= 254).all()
    assert picture.pixels.shape == (*SIDES, 3)


def test_a_colour_behind_full_transparency_does_not_show(tmp_path: Path) -> None:
    pixels = np.zeros((*SIDES, 4), dtype=np.uint8)
    pixels[..., :3], pixels[:10, :, 3] = 200, 255
    seen = read_picture(write(tmp_path / "x", encoded("PNG", Image.fromarray(pixels)))).pixels
    assert (seen[:10] == 200).all()
    assert (seen[10:] == 0).all()
    keyed = encoded("PNG", Image.new("L", SIDES, 7), transparency=7)
    assert (read_picture(write(tmp_path / "y", keyed)).pixels == 0).all()


@pytest.mark.parametrize("values", [np.uint16, np.int32, np.float32])
def test_deep_grey_values_are_stretched_to_8_bits(values: type, tmp_path: Path) -> None:
    # 12 bits in 16, as exports of MR are.
    array = np.full(SIDES, 100, dtype=values)
    array[0, 0], array[1, 1] = 4100, 2100
    seen = read_picture(write(tmp_path / "x", encoded("TIFF", Image.fromarray(array)))).pixels
    assert [seen[0, 0, 0], seen[1, 1, 0], seen[2, 2, 0]] == [255, 128, 0]
    flat = encoded("TIFF", Image.fromarray(np.full(SIDES, 9, dtype=values)))
    assert (read_picture(write(tmp_path / "y", flat)).pixels == 0).all()


def test_values_that_are_not_finite_are_refused(tmp_path: Path) -> None:
    data = encoded("TIFF", Image.fromarray(np.full(SIDES, np.nan, dtype=np.float32)))
    with pytest.raises(CaseError, match="not finite"):
        read_picture(write(tmp_path / "x", data))


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "TIFF", "WEBP"])
def test_the_orientation_in_exif_is_applied(kind: str, tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6  # the camera was turned: row 0 of the file is the right column
    picture = read_picture(write(tmp_path / "x", encoded(kind, exif=exif)))
    expected = np.rot90(blocks(), k=-1)
    assert picture.pixels.shape == (30, 20, 3)
    assert np.abs(picture.pixels[4, 4].astype(int) - expected[4, 4]).max() <= 12


@pytest.mark.parametrize("kind", FORMATS)
def test_a_truncated_picture_is_refused_without_its_name(kind: str, tmp_path: Path) -> None:
    noise = Image.fromarray(np.random.default_rng(0).integers(0, 255, (64, 64, 3), dtype=np.uint8))
    data = encoded(kind, noise)
    path = write(tmp_path / "Doe^John" / "x.jpg", data[: len(data) // 2])
    with pytest.raises(CaseError, match=r"truncated or damaged|none of JPEG") as caught:
        read_picture(path)
    assert "Doe" not in str(caught.value)
    assert caught.value.__cause__ is caught.value.__context__ is None


def test_a_bomb_is_refused_unread(tmp_path: Path) -> None:
    header = bytearray(encoded("BMP"))
    for claimed in (MAX_PIXELS // 1000 + 1, 10**6):
        header[18:26] = claimed.to_bytes(4, "little") + (1000).to_bytes(4, "little")
        with pytest.raises(CaseError, match=f"claims more than {MAX_PIXELS} pixels"):
            read_picture(write(tmp_path / "x", bytes(header)))


def test_what_is_not_one_picture_is_refused(tmp_path: Path) -> None:
    pages = [Image.new("L", SIDES, value) for value in (1, 2, 3)]
    with pytest.raises(CaseError, match="3 pages"):
        read_picture(write(tmp_path / "x", encoded("TIFF", pages[0], save_all=True, append_images=pages[1:])))
    with pytest.raises(CaseError, match="1×1 pixels; expected at least 16"):
        read_picture(write(tmp_path / "x", encoded("PNG", Image.new("L", (1, 1)))))
    with pytest.raises(CaseError, match="none of JPEG"):
        read_picture(write(tmp_path / "x", encoded("GIF")))


def test_a_file_that_is_gone_is_no_verdict(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        read_picture(tmp_path / "gone.png")


def test_real_pictures_are_found_and_read(real_data: Path, tmp_path: Path) -> None:
    inbox = scan_pictures(real_data / "brain_mri4")
    classes = [picture.class_name for picture in inbox.pictures]
    assert {name: classes.count(name) for name in set(classes)} == {
        f"{name}_tumor": 120 for name in ("glioma", "meningioma", "no", "pituitary")
    }
    assert (inbox.set_aside, inbox.quarantined) == ((), ())
    shutil.copy(inbox.pictures[0].path, tmp_path / "patient name.jpg")
    assert read_picture(tmp_path / "patient name.jpg").pixels.ndim == 3
