"""One DICOM file of a series: its pixels, and the header values that place and scale them.

Nothing is guessed: a value that is missing or makes no sense is a `storage.errors.CaseError` that says which. Paths and
identifiers never appear in the message.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from io import BytesIO
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt
import pydicom
from pydicom.datadict import dictionary_description
from pydicom.dataset import Dataset
from pydicom.uid import UID, ExplicitVRLittleEndian, ImplicitVRLittleEndian

from storage.errors import CaseError
from tasks.ingest.header import DEFLATED, HeaderError, inflate, transfer_syntax

T = TypeVar("T")

# pydicom's validation quotes header values, identifiers among them, in warnings that end up in logs.
# What we use, we check.
pydicom.config.settings.reading_validation_mode = pydicom.config.IGNORE

INFLATED_LIMIT_BYTES = 256 * 2**20
PIXELS_LIMIT = 2**26
"""8192 × 8192: more than any scanner's slice; a header that asks for more is damaged."""


@dataclass(frozen=True, eq=False)
class Slice:
    """One single-frame image.

    Attributes
    ----------
    header
        Everything but the pixels.
    stored
        Stored values ``(row, column)``, before rescaling.
    position_mm
        Image Position (Patient): LPS position of the centre of the first pixel, ``(x, y, z)``.
    orientation
        Image Orientation (Patient): LPS direction along a row, then along a column, ``(2, 3)``.
    spacing_mm
        Pixel Spacing: distance between rows, then between columns.
    """

    header: Dataset
    stored: npt.NDArray[np.integer[Any]]
    position_mm: npt.NDArray[np.float64]
    orientation: npt.NDArray[np.float64]
    spacing_mm: npt.NDArray[np.float64]


def read_slice(path: Path) -> Slice:
    """Read one file.

    Raises
    ------
    CaseError
        The file is no single grey-scale image with a place in space, or its pixel data cannot be decoded.
    """
    header = read_dataset(path)
    _check_kind(header)
    position = numbers(header, "ImagePositionPatient", 3)
    orientation = numbers(header, "ImageOrientationPatient", 6).reshape(2, 3)
    spacing = numbers(header, "PixelSpacing", 2)
    if spacing.min() <= 0:
        raise CaseError("Pixel Spacing must be positive")
    stored = _pixels(header)
    del header.PixelData
    return Slice(header, stored, position, orientation, spacing)


def read_dataset(path: Path) -> Dataset:
    """Read a DICOM file with pydicom, whatever is wrong with it being a `CaseError`."""
    data = path.read_bytes()
    try:
        syntax, start = transfer_syntax(data)
        too_long = syntax == DEFLATED and len(inflate(data[start:], INFLATED_LIMIT_BYTES + 1)) > INFLATED_LIMIT_BYTES
    except HeaderError as error:
        raise CaseError(f"a file cannot be read: {error}") from None
    if too_long:
        raise CaseError(f"a compressed file unfolds to more than {INFLATED_LIMIT_BYTES // 2**20} MiB")
    # force: files without preamble are read too; the scan has let through only what sorts into a series.
    dataset: Dataset = guarded(lambda: pydicom.dcmread(BytesIO(data), force=True), "a file cannot be read")
    declared = guarded(lambda: dataset.file_meta.get("TransferSyntaxUID"), "the transfer syntax cannot be read")
    if not declared:
        implicit = dataset.original_encoding[0]
        dataset.file_meta.TransferSyntaxUID = ImplicitVRLittleEndian if implicit else ExplicitVRLittleEndian
    elif not isinstance(declared, UID):
        raise CaseError("the transfer syntax is no UID")
    return dataset


def guarded(read: Callable[[], T], fault: str) -> T:
    """Call pydicom, which may raise anything on damaged data, and say `fault`: its own words may quote the header."""
    try:
        return read()
    except CaseError:
        raise
    except Exception as error:
        raise CaseError(f"{fault} ({type(error).__name__})") from None


@cache
def _name(keyword: str) -> str:
    """What the standard calls an element."""
    return str(dictionary_description(keyword))


def element(header: Dataset, keyword: str) -> Any:
    """The value of an element, ``None`` if it is absent or empty."""
    value = guarded(lambda: header.get(keyword), f"{_name(keyword)} cannot be read")
    return None if value is None or (isinstance(value, str) and not value.strip("\0 ")) else value


def text(header: Dataset, keyword: str) -> str:
    """An element as text without padding, empty if it is absent."""
    value = element(header, keyword)
    return "" if value is None else str(value).strip("\0 ")


def number(header: Dataset, keyword: str) -> float | None:
    """One finite number of an element, ``None`` if it is absent or empty."""
    return None if element(header, keyword) is None else float(numbers(header, keyword, 1)[0])


def numbers(header: Dataset, keyword: str, count: int) -> npt.NDArray[np.float64]:
    """Exactly `count` finite numbers of an element.

    Raises
    ------
    CaseError
        The element is missing, or holds something else.
    """
    name = _name(keyword)
    value = element(header, keyword)
    if value is None:
        raise CaseError(f"no {name}")
    array = guarded(lambda: np.atleast_1d(np.asarray(value, dtype=np.float64)), f"{name} holds no number")
    if array.shape != (count,) or not np.isfinite(array).all():
        raise CaseError(f"{name} must be {count} finite number{'s' if count > 1 else ''}; it holds {array.size}")
    return array


def _check_kind(header: Dataset) -> None:
    """Refuse what is not one grey-scale picture."""
    if (number(header, "NumberOfFrames") or 1) > 1 or "PerFrameFunctionalGroupsSequence" in header:
        raise CaseError("several frames in one file (multi-frame) are not supported yet")
    if (number(header, "SamplesPerPixel") or 1) != 1:
        raise CaseError("colour image: expected one sample per pixel")
    photometric = text(header, "PhotometricInterpretation")
    if photometric not in ("MONOCHROME1", "MONOCHROME2"):
        raise CaseError("colour image or unknown Photometric Interpretation: expected MONOCHROME1 or MONOCHROME2")


def _pixels(header: Dataset) -> npt.NDArray[np.integer[Any]]:
    """Decode the stored values, after a check that header and data agree on how many there are."""
    rows, columns, allocated, stored = (
        int(numbers(header, keyword, 1)[0]) for keyword in ("Rows", "Columns", "BitsAllocated", "BitsStored")
    )
    if rows < 1 or columns < 1 or rows * columns > PIXELS_LIMIT:
        raise CaseError(f"an image of {rows} × {columns} pixels; expected 1 to {PIXELS_LIMIT}")
    if allocated not in (8, 16, 32) or not 1 <= stored <= allocated:
        raise CaseError(
            f"{stored} bits stored in {allocated} allocated; expected 8, 16 or 32 allocated and no more stored"
        )
    high = number(header, "HighBit")
    if high is not None and high != stored - 1:
        raise CaseError(f"High Bit is {high:.0f}; expected {stored - 1}, one less than Bits Stored")
    data = element(header, "PixelData")
    if not isinstance(data, bytes):
        raise CaseError("no pixel data")
    syntax = header.file_meta.TransferSyntaxUID
    if syntax.is_transfer_syntax and not syntax.is_compressed:
        _check_length(len(data), rows * columns * allocated // 8)
    name = syntax.name if syntax.is_transfer_syntax and not syntax.is_private else "unknown"
    pixels: npt.NDArray[np.integer[Any]] = guarded(
        lambda: header.pixel_array, f"pixel data cannot be decoded, transfer syntax {name}"
    )
    if pixels.shape != (rows, columns):
        raise CaseError(f"decoded pixels are {pixels.shape}; expected {(rows, columns)}")
    return pixels


def _check_length(actual: int, expected: int) -> None:
    """Compare the length of uncompressed pixel data, in bytes, with what the header promises."""
    if actual < expected:
        raise CaseError(f"truncated pixel data: {actual} of {expected} bytes")
    if actual >= 2 * expected and expected > 1:
        raise CaseError(f"{actual} bytes of pixel data; expected {expected} for one frame")
