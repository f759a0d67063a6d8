"""The header reader keeps what pydicom reads from honest files and stays within bounds on hostile ones."""

from __future__ import annotations

import struct
import tracemalloc
import warnings
import zlib
from pathlib import Path

import numpy as np
import pydicom
import pydicom.data
import pytest

from tasks.ingest.header import HEADER_LIMIT_BYTES, HeaderError, has_magic, looks_bare, read_header

FIELDS = {
    "sop_class": "SOPClassUID",
    "sop_uid": "SOPInstanceUID",
    "study_uid": "StudyInstanceUID",
    "series_uid": "SeriesInstanceUID",
    "modality": "Modality",
    "description": "SeriesDescription",
    "patient_id": "PatientID",
    "issuer": "IssuerOfPatientID",
    "frame_of_reference": "FrameOfReferenceUID",
}
META = b"\0" * 128 + b"DICM" + b"\x02\x00\x10\x00UI"


def with_syntax(uid: bytes) -> bytes:
    """Preamble and file meta information that declare a transfer syntax."""
    uid += b"\0" * (len(uid) % 2)
    return META + struct.pack("<H", len(uid)) + uid


def identifiers() -> bytes:
    """The elements without which a file cannot be sorted, explicit little endian."""
    parts = b""
    for group, element, uid in ((8, 0x18, b"1.2"), (0x20, 0xD, b"1.3"), (0x20, 0xE, b"1.4")):
        parts += struct.pack("<HH2sH", group, element, b"UI", 4) + uid + b"\0"
    return parts


def test_pydicom_reads_the_same_from_its_own_test_files() -> None:
    folder = Path(pydicom.data.__file__).parent / "test_files"
    compared = 0
    for path in sorted(folder.rglob("*")):
        data = path.read_bytes() if path.is_file() else b""
        if not (has_magic(data) or looks_bare(data)) or path.name.startswith("DICOMDIR"):
            continue
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            theirs = pydicom.dcmread(path, stop_before_pixels=True, force=True)
            wanted = {name: str(theirs.get(keyword) or "").strip() for name, keyword in FIELDS.items()}
        try:
            ours = read_header(data)
        except HeaderError:
            assert not all(wanted[name] for name in ("sop_uid", "study_uid", "series_uid")), path.name
            continue
        assert ours is not None
        assert {name: getattr(ours, name) for name in FIELDS} == wanted, path.name
        compared += 1
    assert compared > 120


def test_a_dicomdir_is_no_image() -> None:
    path = Path(pydicom.data.__file__).parent / "test_files" / "dicomdirtests" / "DICOMDIR"
    assert read_header(path.read_bytes()) is None


def test_identifiers_behind_a_sequence_of_undefined_length_are_found() -> None:
    nested = struct.pack("<HH2sHL", 0x0008, 0x1140, b"SQ", 0, 0xFFFFFFFF)
    nested += struct.pack("<HHL", 0xFFFE, 0xE000, 0xFFFFFFFF) + struct.pack("<HH2sH", 8, 0x18, b"UI", 4) + b"9.9\0"
    nested += struct.pack("<HHL", 0xFFFE, 0xE00D, 0) + struct.pack("<HHL", 0xFFFE, 0xE0DD, 0)
    header = read_header(with_syntax(b"1.2.840.10008.1.2.1") + nested + identifiers())
    assert header is not None
    assert (header.sop_uid, header.study_uid, header.series_uid) == ("1.2", "1.3", "1.4")


def test_an_unknown_sequence_of_undefined_length_may_hold_implicit_elements() -> None:
    nested = struct.pack("<HH2sHL", 0x0009, 0x1010, b"UN", 0, 0xFFFFFFFF)
    nested += struct.pack("<HHL", 0xFFFE, 0xE000, 0xFFFFFFFF) + struct.pack("<HHL", 0x0009, 0x1011, 4) + b"abcd"
    nested += struct.pack("<HHL", 0xFFFE, 0xE00D, 0) + struct.pack("<HHL", 0xFFFE, 0xE0DD, 0)
    sop, rest = identifiers()[:12], identifiers()[12:]
    header = read_header(with_syntax(b"1.2.840.10008.1.2.1") + sop + nested + rest)
    assert header is not None
    assert header.series_uid == "1.4"


def test_a_structure_set_names_every_series_it_was_drawn_on(tmp_path: Path, write_structure_set) -> None:
    path = write_structure_set(tmp_path / "rs.dcm", {"a": []}, refers_to=7)
    dataset = pydicom.dcmread(path)
    frame = dataset.ReferencedFrameOfReferenceSequence[0]
    second = pydicom.Dataset()
    second.SeriesInstanceUID = "1.2.3.4"
    picture = pydicom.Dataset()
    picture.ReferencedSOPInstanceUID = "5.6"
    frame.RTReferencedStudySequence[0].RTReferencedSeriesSequence[0].ContourImageSequence = [picture]
    frame.RTReferencedStudySequence[0].RTReferencedSeriesSequence.append(second)
    for undefined in (False, True):
        frame.RTReferencedStudySequence[0].RTReferencedSeriesSequence.is_undefined_length = undefined
        dataset.save_as(path)
        header = read_header(path.read_bytes())
        assert header is not None
        assert header.references[0].endswith(".7")
        assert header.references[1] == "1.2.3.4"
        assert header.made == "20200101120000"
        assert len(header.reference_frames) == 1


def test_a_patient_id_in_another_character_set_is_decoded(tmp_path: Path, write_series) -> None:
    (path,) = write_series(tmp_path, slices=1, SpecificCharacterSet="ISO_IR 144", PatientID="Пациент")
    header = read_header(path.read_bytes())
    assert header is not None
    assert header.patient_id == "Пациент"


@pytest.mark.timeout(30)
def test_ten_thousand_nested_sequences_are_refused_without_a_long_search() -> None:
    opening = struct.pack("<HH2sHL", 0x0008, 0x1140, b"SQ", 0, 0xFFFFFFFF) + struct.pack(
        "<HHL", 0xFFFE, 0xE000, 0xFFFFFFFF
    )
    data = with_syntax(b"1.2.840.10008.1.2.1") + opening * 10_000
    with pytest.raises(HeaderError, match="is damaged"):
        read_header(data)


@pytest.mark.timeout(60)
def test_values_that_send_pydicom_back_and_forth_are_refused_without_a_long_search() -> None:
    # Every value claims a fragment that reaches the chain of empty fragments at the end; then the chain turns out
    # broken, and the value is found to end at once. Left alone, pydicom would walk the chain for every value.
    values, links = 50_000, 200_000
    opening = struct.pack("<HH2sHL", 0x0009, 0x1010, b"OB", 0, 0xFFFFFFFF)
    closing = struct.pack("<HHL", 0xFFFE, 0xE0DD, 0)
    size = len(opening) + 8 + len(closing)
    body = b"".join(
        opening + struct.pack("<HHL", 0xFFFE, 0xE000, (values - k) * size - 20) + closing for k in range(values)
    )
    data = with_syntax(b"1.2.840.10008.1.2.1") + body + struct.pack("<HHL", 0xFFFE, 0xE000, 0) * links + b"end."
    with pytest.raises(HeaderError, match="too many parts"):
        read_header(data)


def test_half_a_million_empty_items_are_refused_before_they_fill_the_memory() -> None:
    sequence = struct.pack("<HH2sHL", 0x0008, 0x1140, b"SQ", 0, 0xFFFFFFFF)
    data = with_syntax(b"1.2.840.10008.1.2.1") + sequence + struct.pack("<HHL", 0xFFFE, 0xE000, 0) * 500_000
    with pytest.raises(HeaderError, match=r"is damaged|too many parts"):
        read_header(data)


@pytest.mark.parametrize(("element", "keyword"), [(0x0005, "SpecificCharacterSet"), (0x0018, "SOPInstanceUID")])
def test_a_value_that_is_no_short_text_is_refused(element: int, keyword: str) -> None:
    value = b"a\\" * 10_000
    data = with_syntax(b"1.2.840.10008.1.2") + struct.pack("<HHL", 8, element, len(value)) + value
    with pytest.raises(HeaderError, match=f"its {keyword} is no short text"):
        read_header(data)


def test_a_sequence_where_an_identifier_belongs_is_refused() -> None:
    data = with_syntax(b"1.2.840.10008.1.2.1") + struct.pack("<HH2sHL", 8, 0x18, b"SQ", 0, 0)
    with pytest.raises(HeaderError, match="its SOPInstanceUID is no short text"):
        read_header(data)


def test_a_deflated_header_unfolds_no_further_than_the_limit() -> None:
    compressor = zlib.compressobj(wbits=-zlib.MAX_WBITS)
    filler = struct.pack("<HH2sHL", 0x0009, 0x1010, b"OB", 0, 2**28)
    body = (
        compressor.compress(filler)
        + b"".join(compressor.compress(bytes(2**20)) for _ in range(256))
        + compressor.flush()
    )
    data = with_syntax(b"1.2.840.10008.1.2.1.99") + body
    assert len(data) < 2**20
    tracemalloc.start()
    try:
        with pytest.raises(HeaderError):
            read_header(data)
        assert tracemalloc.get_traced_memory()[1] < 3 * HEADER_LIMIT_BYTES
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", "no SOP Instance UID"),
        (with_syntax(b"1.2.840.10008.1.2.1"), "no SOP Instance UID"),
        (with_syntax(b"1.2.840.10008.1.2.1") + identifiers()[:12], "no Study Instance UID"),
        (with_syntax(b"1.2.840.10008.1.2.1") + identifiers()[:-2], "ends within its header"),
        (with_syntax(b"1.2.840.10008.1.2.1") + identifiers().replace(b"1.3", b"a?b"), "no valid Study Instance UID"),
        (with_syntax(b"1.2.840.10008.1.2.1.99") + b"not deflate", "damaged"),
        (with_syntax(b"1.2.840.10008.1.2.1.99") + bytes(8), "compressed data set is damaged"),
        (META + b"\xff\xff1.2", "ends within its header"),
    ],
)
def test_what_cannot_be_sorted_is_refused_with_the_reason(data: bytes, reason: str) -> None:
    with pytest.raises(HeaderError, match=reason):
        read_header(data)


def test_damaged_bytes_raise_nothing_but_header_errors(tmp_path: Path, write_series, write_structure_set) -> None:
    rng = np.random.default_rng(7)
    (image,) = write_series(tmp_path, slices=1)
    structures = write_structure_set(tmp_path / "rs.dcm", {"a": [[[0, 0, 0], [1, 0, 0], [1, 1, 0]]]})
    refused = 0
    for original in (image.read_bytes(), structures.read_bytes()):
        for _ in range(2000):
            data = bytearray(original[: rng.integers(len(original))] if rng.random() < 0.3 else original)
            for place in rng.integers(0, max(1, len(data)), size=rng.integers(1, 6)):
                data[place : place + 1] = rng.bytes(1)
            try:
                read_header(bytes(data))
            except HeaderError:
                refused += 1
    assert refused > 500
