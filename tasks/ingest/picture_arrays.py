"""Pictures in one file of arrays, as the MedMNIST collections come (Yang et al. 2023, doi:10.1038/s41597-022-01721-8).

An ``.npz`` file holds ``train_images``, ``val_images`` and ``test_images``, and as many ``…_labels``. Its *rows* are
the pictures of these parts one after the other; a part may be absent. A label is the number of a class; what the
classes are called, the file does not say. How the file is divided into parts is not kept: the study makes folds of its
own.

Nothing of such a file is run, and what it declares is checked before memory is taken for it.
"""

from __future__ import annotations

import hashlib
import zipfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from storage.errors import CaseError
from tasks.ingest.picture_file import MAX_PIXELS, MIN_SIDE

SUFFIX = ".npz"
PARTS = ("train", "val", "test")
MAX_BYTES = 2**31
"""Of all arrays together, decompressed."""


@dataclass(frozen=True, eq=False)
class PictureArrays:
    """The pictures of a file: uint8 ``(n, y, x)``, or ``(n, y, x, 3)`` in colour; and their labels ``(n,)``, from 0."""

    pictures: npt.NDArray[np.uint8]
    labels: npt.NDArray[np.int64]

    def pixels(self, row: int) -> npt.NDArray[np.uint8]:
        """One picture as uint8 RGB ``(y, x, 3)``; a grey one has three equal channels."""
        picture = self.pictures[row]
        return picture.copy() if picture.ndim == 3 else np.repeat(picture[..., None], 3, axis=-1)

    def digest(self, row: int) -> str:
        """Hex SHA-256 of one picture's shape and pixels: the same in whatever file or row it lies."""
        picture = self.pictures[row]
        return hashlib.sha256(f"{picture.shape}".encode() + picture.tobytes()).hexdigest()


def read_arrays(path: Path) -> PictureArrays:
    """All pictures and labels of a file.

    Raises
    ------
    CaseError
        The file is no ``.npz`` file or is damaged; it holds other arrays than these, or of another shape or type; its
        pictures have a side below `MIN_SIDE`, or it claims more than `MAX_BYTES`. The text does not name the file.
    OSError
        The file cannot be opened.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            parts = _checked(archive)
        with np.load(path, allow_pickle=False) as arrays:
            pictures = np.concatenate([arrays[f"{part}_images"] for part in parts])
            labels = np.concatenate([arrays[f"{part}_labels"].reshape(-1) for part in parts])
    except CaseError:
        raise
    except Exception as error:  # zip, zlib and NumPy each have errors of their own for a damaged file
        if isinstance(error, OSError) and error.errno is not None:
            raise
        failure = type(error).__name__
    else:
        if labels.min() < 0:
            raise CaseError(f"labels are counted from 0; got {labels.min()}")
        return PictureArrays(pictures, labels.astype(np.int64))
    raise CaseError(f"the arrays are truncated or damaged: they cannot be read ({failure})")


def _checked(archive: zipfile.ZipFile) -> tuple[str, ...]:
    """The parts that a file declares, after a look at the declared shape and type of every array."""
    declared = {member.filename.removesuffix(".npy"): _declared(archive, member) for member in archive.infolist()}
    parts = tuple(part for part in PARTS if f"{part}_images" in declared)
    wanted = {f"{part}_{kind}" for part in parts for kind in ("images", "labels")}
    if not parts or set(declared) != wanted or len(archive.infolist()) != len(wanted):
        expected = ", ".join(f"{part}_images, {part}_labels" for part in PARTS)
        raise CaseError(f"the file holds other arrays than pictures and their labels; expected {expected}")
    if (size := sum(member.file_size for member in archive.infolist())) > MAX_BYTES:
        raise CaseError(f"the arrays claim {size} bytes; at most {MAX_BYTES} are read")
    for part in parts:
        _check_pictures(*declared[f"{part}_images"])
        _check_labels(*declared[f"{part}_labels"], pictures=declared[f"{part}_images"][0][0])
    if len({declared[f"{part}_images"][0][1:] for part in parts}) > 1:
        raise CaseError("the parts of the file hold pictures of different sizes")
    return parts


def _declared(archive: zipfile.ZipFile, member: zipfile.ZipInfo) -> tuple[tuple[int, ...], np.dtype[np.generic]]:
    """Shape and type in an array's header, which must fit the size of what follows it."""
    with archive.open(member) as stream:
        version = np.lib.format.read_magic(stream)
        read = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
        shape, _, kind = read(stream)
        if kind.hasobject or stream.tell() + kind.itemsize * int(np.prod(shape, dtype=object)) != member.file_size:
            raise CaseError("an array does not have the size that it declares")
    return shape, kind


def _check_pictures(shape: tuple[int, ...], kind: np.dtype[np.generic]) -> None:
    grey_or_colour = len(shape) == 3 or (len(shape) == 4 and shape[3] == 3)
    if kind != np.uint8 or not grey_or_colour or not shape[0]:
        raise CaseError(f"expected pictures (n, y, x) or (n, y, x, 3) of uint8, at least one; got {shape} of {kind}")
    if min(shape[1:3]) < MIN_SIDE or shape[1] * shape[2] > MAX_PIXELS:
        raise CaseError(
            f"the pictures have {shape[2]}×{shape[1]} pixels; expected at least {MIN_SIDE} on each side "
            f"and at most {MAX_PIXELS} together"
        )


def _check_labels(shape: tuple[int, ...], kind: np.dtype[np.generic], *, pictures: int) -> None:
    if shape not in ((pictures,), (pictures, 1)) or not np.issubdtype(kind, np.integer):
        raise CaseError(f"expected one whole number as the label of each of {pictures} pictures; got {shape} of {kind}")
