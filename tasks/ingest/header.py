"""Reading the few header elements that sort a file into its series, with pydicom and within bounds.

A night begins by looking at every file of the inbox, whatever somebody dropped there. pydicom reads the elements; this
file asks it for the wanted ones only, stops it in front of the rest, and bounds what it may cost: the bytes that are
inflated, the length of a value, and the number of reads, without which a small hostile file could keep it busy for
hours. Pixels and everything else are read later, from the series that are really used.
"""

from __future__ import annotations

import re
import zlib
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from io import BytesIO

import pydicom
from pydantic import BaseModel, ConfigDict
from pydicom.charset import default_encoding
from pydicom.datadict import tag_for_keyword
from pydicom.dataelem import RawDataElement
from pydicom.dataset import Dataset
from pydicom.filereader import read_dataset, read_preamble, read_sequence
from pydicom.multival import MultiValue
from pydicom.tag import BaseTag
from pydicom.uid import DeflatedExplicitVRLittleEndian, ExplicitVRBigEndian, MediaStorageDirectoryStorage

# pydicom's validation quotes header values, identifiers among them, in warnings that end up in logs.
# What we use, we check.
pydicom.config.settings.reading_validation_mode = pydicom.config.IGNORE

HEADER_LIMIT_BYTES = 4 * 2**20
"""No header that we have seen comes near; a file whose wanted elements lie further in is refused."""
DEFLATED = str(DeflatedExplicitVRLittleEndian)

_READS_LIMIT = 2**17
"""A structure set that refers to 10 000 pictures needs up to 80 000 reads, an image about 100."""
_TEXT_LIMIT_BYTES = 1024
"""The standard allows 64 characters for most of what we want."""
_UNDEFINED = 0xFFFFFFFF
_UID = re.compile(r"[0-9.]{1,64}")


def _tags(*keywords: str) -> list[BaseTag | int]:
    return [tag for keyword in keywords if (tag := tag_for_keyword(keyword)) is not None]


_SORTING = _tags(
    "ImageType", "SOPClassUID", "SOPInstanceUID", "Modality", "SeriesDescription", "PatientID", "IssuerOfPatientID",
    "StudyInstanceUID", "SeriesInstanceUID", "FrameOfReferenceUID", "NumberOfFrames",
)  # fmt: skip
(_CHARACTER_SET,) = _tags("SpecificCharacterSet")
_STRUCTURES = _tags("StructureSetDate", "StructureSetTime", "ReferencedFrameOfReferenceSequence")


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


class _Stream(BytesIO):
    """Bytes that can be read so many times: pydicom steps back after a wrong guess, and hostile bytes make it guess."""

    def __init__(self, data: bytes) -> None:
        super().__init__(data)
        self.end = len(data)
        self.reads = 0

    def read(self, size: int | None = -1, /) -> bytes:
        self.reads += 1
        if self.reads > _READS_LIMIT:
            raise HeaderError("its header has too many parts")
        return super().read(size)


@contextmanager
def _damage_as_header_error() -> Iterator[None]:
    """Pydicom may raise anything on damaged data, and its own words may quote the header."""
    try:
        yield
    except HeaderError:
        raise
    except Exception as error:
        raise HeaderError(f"its header is damaged ({type(error).__name__})") from None


def has_magic(data: bytes) -> bool:
    """Whether the file carries the DICOM prefix (PS3.10 section 7.1)."""
    return data[128:132] == b"DICM"


def looks_bare(data: bytes) -> bool:
    """Whether the file may be a data set without preamble: it begins in group 0002 or 0008, little endian."""
    return len(data) >= 8 and data[:2] in (b"\x02\x00", b"\x08\x00") and data[3] == 0


@_damage_as_header_error()
def read_header(data: bytes) -> Header | None:
    """Read the elements that sort a file into its series.

    Parameters
    ----------
    data
        The file's bytes, or as many of its first ones as `HEADER_LIMIT_BYTES`.

    Returns
    -------
    Header or None
        ``None`` for a DICOMDIR, which is DICOM, but a table of contents and no series.

    Raises
    ------
    HeaderError
        The bytes are no DICOM header, or lack what sorts the file into a series.
    """
    stream = _Stream(data)
    meta = _file_meta(stream)
    syntax = _text(meta, "TransferSyntaxUID")
    if syntax == DEFLATED:
        stream = _Stream(inflate(stream.read(), HEADER_LIMIT_BYTES))
    big_endian = syntax == ExplicitVRBigEndian
    found = _elements(stream, lambda tag: tag > _SORTING[-1], _SORTING, big_endian=big_endian)
    if MediaStorageDirectoryStorage in (_text(meta, "MediaStorageSOPClassUID"), _text(found, "SOPClassUID")):
        return None
    structures = Dataset()
    if _text(found, "Modality") == "RTSTRUCT":
        structures = _elements(stream, lambda tag: tag > _STRUCTURES[-1], _STRUCTURES, big_endian=big_endian)
    return _header(found, structures)


@_damage_as_header_error()
def transfer_syntax(data: bytes) -> tuple[str, int]:
    """Transfer syntax UID (empty without file meta information) and the offset of the data set behind it.

    Raises
    ------
    HeaderError
        The file meta information is damaged.
    """
    stream = _Stream(data)
    syntax = _text(_file_meta(stream), "TransferSyntaxUID")
    return syntax, stream.tell()


def inflate(data: bytes, limit: int) -> bytes:
    """Undo the Deflated transfer syntax, at most `limit` bytes of it.

    Raises
    ------
    HeaderError
        The stream is damaged.
    """
    # pydicom would step over zeros as a command set (group 0000), and inflate what comes behind without any bound.
    if data.startswith(b"\0\0"):
        raise HeaderError("its compressed data set is damaged")
    try:
        return zlib.decompressobj(-zlib.MAX_WBITS).decompress(data, limit)
    except zlib.error:
        raise HeaderError("its compressed data set is damaged") from None


def _file_meta(stream: _Stream) -> Dataset:
    """Read the File Meta Information (group 0002, explicit little endian) and stop behind it."""
    read_preamble(stream, force=True)
    meta = _elements(stream, lambda tag: tag >> 16 != 2, None)
    # dcmread tries again as implicit if this fails, and could then see another transfer syntax; we refuse.
    next(iter(meta), None)
    return meta


def _elements(
    stream: _Stream, stop: Callable[[int], bool], wanted: list[BaseTag | int] | None, *, big_endian: bool = False
) -> Dataset:
    """Read the wanted elements (``None`` for all) up to the first tag to stop at, which is left unread."""
    start = stream.tell()
    # The data decide: senders exist that declare one encoding and write the other.
    representation = stream.read(6)[4:]
    explicit = representation.isalpha() and representation.isupper()
    stream.seek(start)

    def done(tag: BaseTag, _representation: str | None, length: int) -> bool:
        if stop(int(tag)):  # comparing pydicom's tags costs as much as reading them
            return True
        if length != _UNDEFINED and stream.tell() + length > stream.end:
            raise HeaderError("it ends within its header")
        if tag == _CHARACTER_SET and length > _TEXT_LIMIT_BYTES:  # pydicom reads it at once, and warns of every value
            raise HeaderError("its SpecificCharacterSet is no short text")
        return False

    return read_dataset(stream, not explicit, not big_endian, stop_when=done, specific_tags=wanted)


def _text(dataset: Dataset, keyword: str) -> str:
    """An element as text without padding, several values joined as the standard does; empty if it is absent."""
    raw = dataset.get_item(keyword)
    if raw is None:
        return ""
    # Before pydicom converts it: a sequence in the wrong place, or millions of values, would cost it dearly.
    if raw.VR == "SQ" or len(raw.value or b"") > _TEXT_LIMIT_BYTES:
        raise HeaderError(f"its {keyword} is no short text")
    if isinstance(raw.value, bytes) and raw.value.isascii() and b"\x1b" not in raw.value:  # no character set to ask for
        return "\\".join(part.strip("\0 ") for part in raw.value.decode("ascii").split("\\"))
    value = dataset[keyword].value
    parts = value if isinstance(value, MultiValue) else [value]
    return "\\".join("" if part is None else str(part) for part in parts).strip("\0 ")


def _items(dataset: Dataset, keyword: str) -> Iterable[Dataset]:
    """The items of a sequence, which pydicom leaves unread when its length is known; none if it is absent."""
    element = dataset.get_item(keyword)
    if not isinstance(element, RawDataElement):
        return () if element is None else list(element.value)
    value = element.value or b""
    items: Iterable[Dataset] = read_sequence(
        _Stream(value), element.is_implicit_VR, element.is_little_endian, len(value), default_encoding
    )
    return items


def _header(found: Dataset, structures: Dataset) -> Header:
    """Judge what was found."""

    def uid(keyword: str, name: str) -> str:
        text = _text(found, keyword)
        if not _UID.fullmatch(text):
            raise HeaderError(f"it has no valid {name}" if text else f"it has no {name}")
        return text

    frames = list(_items(structures, "ReferencedFrameOfReferenceSequence"))
    studies = [study for frame in frames for study in _items(frame, "RTReferencedStudySequence")]
    series = [one for study in studies for one in _items(study, "RTReferencedSeriesSequence")]
    number = _text(found, "NumberOfFrames")
    return Header(
        sop_uid=uid("SOPInstanceUID", "SOP Instance UID"),
        study_uid=uid("StudyInstanceUID", "Study Instance UID"),
        series_uid=uid("SeriesInstanceUID", "Series Instance UID"),
        sop_class=_text(found, "SOPClassUID"),
        modality=_text(found, "Modality"),
        description=_text(found, "SeriesDescription"),
        patient_id=_text(found, "PatientID"),
        issuer=_text(found, "IssuerOfPatientID"),
        frame_of_reference=_text(found, "FrameOfReferenceUID"),
        # What is no number is refused by name where the slice is read.
        frames=max(1, int(number)) if number.isdecimal() and len(number) < 8 else 1,
        localizer="LOCALIZER" in _text(found, "ImageType").upper().split("\\"),
        made=_text(structures, "StructureSetDate") + _text(structures, "StructureSetTime"),
        references=tuple(dict.fromkeys(_text(one, "SeriesInstanceUID") for one in series)),
        reference_frames=tuple(dict.fromkeys(_text(frame, "FrameOfReferenceUID") for frame in frames)),
    )
