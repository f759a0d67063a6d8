"""Reading the few header elements that sort a file into its series, fast and within bounds.

A night begins by looking at every file of the inbox. pydicom needs about a millisecond for a header, most of it for
elements that nobody asked for; this reader walks over the bytes once, keeps what it wants, steps over the rest, and
stops early. It never recurses, never allocates by what a length field claims, and always moves forward, so that a
hostile file costs no more than an honest one. Pixels and everything else are read by pydicom, from the series that
are really used.

Words: an *element* is tag, (value representation,) length and value (DICOM PS3.5 section 7); *explicit* headers carry
the value representation, *implicit* ones do not; an *undefined length* (``0xFFFFFFFF``) is closed by a delimiter
element.
"""

from __future__ import annotations

import re
import struct
import zlib
from typing import NamedTuple

from pydantic import BaseModel, ConfigDict
from pydicom.charset import convert_encodings, decode_bytes

HEADER_LIMIT_BYTES = 16 * 2**20
"""No header that we have seen comes near; a file whose wanted elements lie further in is refused."""

IMPLICIT = "1.2.840.10008.1.2"
DEFLATED = "1.2.840.10008.1.2.1.99"
BIG_ENDIAN = "1.2.840.10008.1.2.2"
MEDIA_DIRECTORY = "1.2.840.10008.1.3.10"
"""SOP class of a DICOMDIR: DICOM, but a table of contents and no series."""

_ENDS = "it ends within its header"
_UNDEFINED = 0xFFFFFFFF
_ITEM, _ITEM_END, _SEQUENCE_END = 0xFFFEE000, 0xFFFEE00D, 0xFFFEE0DD
_LONG = {b"OB", b"OD", b"OF", b"OL", b"OV", b"OW", b"SQ", b"SV", b"UC", b"UN", b"UR", b"UT", b"UV"}
"""Value representations with a 4-byte length behind two reserved bytes."""
_SHORT = {
    b"AE", b"AS", b"AT", b"CS", b"DA", b"DS", b"DT", b"FD", b"FL", b"IS", b"LO", b"LT", b"PN", b"SH", b"SL", b"SS",
    b"ST", b"TM", b"UI", b"UL", b"US",
}  # fmt: skip
_REFERENCES = {0x30060010, 0x30060012, 0x30060014}
"""Referenced Frame of Reference, RT Referenced Study and RT Referenced Series Sequence: the walk goes inside."""

_CHARSET, _IMAGE_TYPE, _SOP_CLASS, _SOP = 0x00080005, 0x00080008, 0x00080016, 0x00080018
_MODALITY, _DESCRIPTION, _PATIENT, _ISSUER = 0x00080060, 0x0008103E, 0x00100020, 0x00100021
_STUDY, _SERIES, _FRAME_OF_REFERENCE, _FRAMES = 0x0020000D, 0x0020000E, 0x00200052, 0x00280008
_STRUCTURES_DATE, _STRUCTURES_TIME, _STRUCTURES = 0x30060008, 0x30060009, 0x30060020
_WANTED = {
    _CHARSET, _IMAGE_TYPE, _SOP_CLASS, _SOP, _MODALITY, _DESCRIPTION, _PATIENT, _ISSUER,
    _STUDY, _SERIES, _FRAME_OF_REFERENCE, _FRAMES, _STRUCTURES_DATE, _STRUCTURES_TIME,
}  # fmt: skip
_UID = re.compile(r"[0-9.]{1,64}")


class HeaderError(Exception):
    """The header cannot be read; the message says why, without any value from the file."""


class Header(BaseModel):
    """What sorts a file into patient, study and series. Values as sent, without padding; empty where absent.

    Attributes
    ----------
    frames
        Number of frames, 1 for single-frame instances.
    localizer
        Image Type says that this is a survey picture for planning.
    made
        When a structure set was made, ``YYYYMMDDHHMMSS…``; empty for anything else.
    references
        Series Instance UIDs that a structure set was drawn on.
    reference_frames
        Frame of Reference UIDs that a structure set was drawn in.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    sop_class: str = ""
    sop_uid: str
    study_uid: str
    series_uid: str
    modality: str = ""
    description: str = ""
    patient_id: str = ""
    issuer: str = ""
    frame_of_reference: str = ""
    frames: int = 1
    localizer: bool = False
    made: str = ""
    references: tuple[str, ...] = ()
    reference_frames: tuple[str, ...] = ()


class _Elements(NamedTuple):
    """Values by tag at the top level, and the two kinds of UIDs found inside the reference sequences."""

    values: dict[int, bytes]
    references: list[bytes]
    reference_frames: list[bytes]


def has_magic(data: bytes) -> bool:
    """Whether the file carries the DICOM prefix (PS3.10 section 7.1)."""
    return data[128:132] == b"DICM"


def looks_bare(data: bytes) -> bool:
    """Whether the file may be a data set without preamble: it begins in group 0002 or 0008, little endian."""
    return len(data) >= 8 and data[:2] in (b"\x02\x00", b"\x08\x00") and data[3] == 0


def read_header(data: bytes) -> Header | None:
    """Read the elements that sort a file into its series.

    Parameters
    ----------
    data
        The file's bytes, or as many of its first ones as `HEADER_LIMIT_BYTES`.

    Returns
    -------
    Header or None
        ``None`` for a DICOMDIR.

    Raises
    ------
    HeaderError
        The bytes are no DICOM header, or lack what sorts the file into a series.
    """
    media_class, body, explicit, order = _open(data)
    if media_class == MEDIA_DIRECTORY:
        return None
    found = _walk(body, explicit, order)
    if _text(found.values.get(_SOP_CLASS, b"")) == MEDIA_DIRECTORY:
        return None
    return _header(found)


def inflate(data: bytes, limit: int) -> bytes:
    """Undo the Deflated transfer syntax, at most `limit` bytes of it.

    Raises
    ------
    HeaderError
        The stream is damaged.
    """
    try:
        return zlib.decompressobj(-zlib.MAX_WBITS).decompress(data, limit)
    except zlib.error as error:
        raise HeaderError("its compressed data set is damaged") from error


def transfer_syntax(data: bytes) -> tuple[str, int]:
    """Transfer syntax UID (empty without file meta information) and the offset of the data set behind it."""
    _, syntax, position = _file_meta(data)
    return syntax, position


def _open(data: bytes) -> tuple[str, bytes, bool, str]:
    """Media storage class, the bytes of the data set, whether it is explicit, and its byte order."""
    media_class, syntax, position = _file_meta(data)
    body = data[position:]
    if syntax == DEFLATED:
        body = inflate(body, HEADER_LIMIT_BYTES)
    order = ">" if syntax == BIG_ENDIAN else "<"
    # The data decide: senders exist that declare one encoding and write the other.
    explicit = body[4:6].isalpha() and body[4:6].isupper()
    return media_class, body, explicit, order


def _file_meta(data: bytes) -> tuple[str, str, int]:
    """Walk the File Meta Information (group 0002, always explicit little endian); its own length field may lie."""
    position = 132 if has_magic(data) else 0
    media_class = syntax = ""
    while data[position : position + 2] == b"\x02\x00":
        tag, length, start = _next(data, position, True, "<")
        if length == _UNDEFINED or start + length > len(data):
            raise HeaderError("its file meta information is damaged")
        if tag == 0x00020002:
            media_class = _text(data[start : start + length])
        elif tag == 0x00020010:
            syntax = _text(data[start : start + length])
        position = start + length
    return media_class, syntax, position


def _next(data: bytes, position: int, explicit: bool, order: str) -> tuple[int, int, int]:
    """Tag, value length and value position of the element at `position`."""
    try:
        group, element = struct.unpack_from(order + "HH", data, position)
        if explicit and (representation := data[position + 4 : position + 6]) in _SHORT:
            (length,) = struct.unpack_from(order + "H", data, position + 6)
            return group << 16 | element, length, position + 8
        if explicit and representation in _LONG:
            (length,) = struct.unpack_from(order + "L", data, position + 8)
            return group << 16 | element, length, position + 12
        # Items and delimiters, implicit data sets, and the implicit content of an UN element (PS3.5 section 6.2.2).
        (length,) = struct.unpack_from(order + "L", data, position + 4)
    except struct.error:
        raise HeaderError(_ENDS) from None
    return group << 16 | element, length, position + 8


def _walk(data: bytes, explicit: bool, order: str) -> _Elements:
    """Collect the wanted elements: the walk goes into the reference sequences and steps over all others."""
    found = _Elements({}, [], [])
    position, end, inside = 0, len(data), False
    while position + 8 <= end:
        tag, length, start = _next(data, position, explicit, order)
        if _FRAMES < tag < _ITEM and (tag >= _STRUCTURES or found.values.get(_MODALITY, b"")[:8] != b"RTSTRUCT"):
            return found
        if tag in _REFERENCES or tag >= _ITEM:
            inside, position = inside or tag in _REFERENCES, start
        elif length == _UNDEFINED:
            position = _step_over(data, start, explicit, order)
        else:
            position = start + length
            if tag in _WANTED and position <= end:
                _keep(found, tag, data[start:position], inside)
    if position > end:
        raise HeaderError(_ENDS)
    return found


def _keep(found: _Elements, tag: int, value: bytes, inside: bool) -> None:
    """File one wanted value under the top level or under the references."""
    if not inside:
        found.values.setdefault(tag, value)
    elif tag == _SERIES:
        found.references.append(value)
    elif tag == _FRAME_OF_REFERENCE:
        found.reference_frames.append(value)


def _step_over(data: bytes, position: int, explicit: bool, order: str) -> int:
    """Position behind a value of undefined length that begins at `position`. Nesting is counted, not recursed into."""
    depth = 1
    while depth:
        tag, length, start = _next(data, position, explicit, order)
        if tag in (_ITEM_END, _SEQUENCE_END):
            depth, position = depth - 1, start
        elif length == _UNDEFINED:
            depth, position = depth + 1, start
        else:
            position = start + length
    return position


def _text(value: bytes) -> str:
    """A value of plain characters, without padding."""
    return value.rstrip(b"\0 ").lstrip(b" ").decode("latin-1")


def _header(found: _Elements) -> Header:
    """Judge what was found."""
    values = found.values

    def uid(tag: int, name: str) -> str:
        text = _text(values.get(tag, b""))
        if not _UID.fullmatch(text):
            raise HeaderError(f"it has no valid {name}" if text else f"it has no {name}")
        return text

    frames = _text(values.get(_FRAMES, b""))
    charset = values.get(_CHARSET, b"")
    return Header(
        sop_uid=uid(_SOP, "SOP Instance UID"),
        study_uid=uid(_STUDY, "Study Instance UID"),
        series_uid=uid(_SERIES, "Series Instance UID"),
        sop_class=_text(values.get(_SOP_CLASS, b"")),
        modality=_text(values.get(_MODALITY, b"")),
        description=_decoded(values.get(_DESCRIPTION, b""), charset),
        patient_id=_decoded(values.get(_PATIENT, b""), charset),
        issuer=_decoded(values.get(_ISSUER, b""), charset),
        frame_of_reference=_text(values.get(_FRAME_OF_REFERENCE, b"")),
        frames=max(1, int(frames)) if frames.isdecimal() and len(frames) < 8 else 1,
        localizer="LOCALIZER" in _text(values.get(_IMAGE_TYPE, b"")).upper().split("\\"),
        made=_text(values.get(_STRUCTURES_DATE, b"")) + _text(values.get(_STRUCTURES_TIME, b"")),
        references=tuple(dict.fromkeys(_text(value) for value in found.references)),
        reference_frames=tuple(dict.fromkeys(_text(value) for value in found.reference_frames)),
    )


def _decoded(value: bytes, charset: bytes) -> str:
    """Free text in the character set that the file declares (PS3.5 section 6.1)."""
    if value.isascii():
        return _text(value)
    try:
        encodings = convert_encodings([part.strip() for part in _text(charset).split("\\")])
        return decode_bytes(value, encodings, set(b"\r\n\t\f")).strip("\0 ")
    except (LookupError, UnicodeError):
        return _text(value)
