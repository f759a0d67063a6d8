"""Images to demonstrate operations on, found in any folder: a few of each kind, the same ones each time.

The largest of a kind come first, since they show most, and each from another folder, since they differ most. Of where
they come from nothing is kept: names of files, folders and patients do not leave this file.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from tasks.report.example import EXAMPLE_KINDS, Example, ExampleKind

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

PER_KIND = 2
MINIMUM_PIXELS = 40
"""Images narrower than this show little."""
NIFTI_NAMES = (".nii", ".nii.gz")
DICOM_KINDS: Mapping[str, ExampleKind] = {"CT": "CT", "PT": "PET", "MR": "MR"}
WORDS: Mapping[str, ExampleKind] = {
    "ct": "CT",
    "pet": "PET",
    "pt": "PET",
    "mr": "MR",
    "mri": "MR",
    "ultrasound": "ultrasound",
    "us": "ultrasound",
    "busi": "ultrasound",
    "retina": "retina",
    "fundus": "retina",
    "histology": "tissue",
    "pathology": "tissue",
}
"""What a word in the name of a file or folder says of an image that does not say itself what it is."""
SHIPPED: Mapping[ExampleKind, str] = {"retina": "retina.jpg", "tissue": "ihc.png"}
"""Pictures that the installation of scikit-image has, for folders without one."""
MASK_WORDS = {"mask", "masks", "label", "labels", "gt", "seg", "segmentation", "segmentations"}
VOLUME_KINDS = ("CT", "PET", "MR")

Progress = Callable[[str], object]


@dataclass(frozen=True)
class Candidate:
    """Something that may become an example.

    Attributes
    ----------
    size
        About the bytes of its voxels.
    folder
        First folder below the one that is searched.
    order
        Breaks ties, the same way each time.
    contoured
        Whether readers' contours lie beside it: those come first.
    read
        Reads it; fails with ``CaseError``, ``OSError``, ``RuntimeError`` or ``ValueError`` where it is none.
    """

    kind: ExampleKind
    size: int
    folder: str
    order: str
    read: Callable[[int], Example]
    contoured: bool = False


def find_examples(
    folder: Path, *, per_kind: int = PER_KIND, tell: Progress = lambda _: None
) -> dict[ExampleKind, list[Example]]:
    """Examples of each kind, at most ``per_kind``; none of a kind that the folder has not.

    Parameters
    ----------
    folder
        Searched with all that lies in it: DICOM series of CT, PET and MR, NIfTI, and pictures.
    tell
        Called with what is being done.

    Raises
    ------
    NotADirectoryError
        `folder` is none.
    """
    tell("looking through the folder")
    candidates: dict[ExampleKind, list[Candidate]] = defaultdict(list)
    for candidate in (*_series(folder), *_nifti(folder), *_pictures(folder)):
        candidates[candidate.kind].append(candidate)
    found: dict[ExampleKind, list[Example]] = {}
    for kind in EXAMPLE_KINDS:
        tell(f"reading {kind}")
        found[kind] = list(_first_readable(_spread(candidates[kind]), per_kind))
    return {kind: examples or _shipped(kind) for kind, examples in found.items()}


def _first_readable(candidates: Iterable[Candidate], count: int) -> Iterator[Example]:
    from storage.errors import CaseError

    number = 1
    for candidate in candidates:
        if number > count:
            return
        try:
            example = candidate.read(number)
        except (CaseError, OSError, RuntimeError, ValueError):
            continue  # the next one is as good; what is wrong with this one is for ingest to say
        if min(example.array.shape[:2] if len(example.spacing_mm) == 2 else example.array.shape[1:]) >= MINIMUM_PIXELS:
            yield example
            number += 1


def _spread(candidates: list[Candidate]) -> list[Candidate]:
    """In turn from each folder, what is contoured first, then the largest."""
    by_folder: dict[str, list[Candidate]] = defaultdict(list)
    for candidate in sorted(candidates, key=lambda c: (not c.contoured, -c.size, c.order)):
        by_folder[candidate.folder].append(candidate)
    turns = [
        (turn, not c.contoured, -c.size, c.order, c) for several in by_folder.values() for turn, c in enumerate(several)
    ]
    return [candidate for *_, candidate in sorted(turns, key=lambda entry: entry[:4])]


def _series(folder: Path) -> Iterator[Candidate]:
    """Series of DICOM files that are whole."""
    from flows.reader_contours import contours_beside, read_contours
    from tasks.ingest.inbox import scan_inbox
    from tasks.ingest.series import read_series

    def reads(paths: list[Path], kind: ExampleKind, contours: Path | None) -> Callable[[int], Example]:
        def read(number: int) -> Example:
            volume = read_series(paths).volume
            lesion = None if contours is None else read_contours(contours, volume)
            return Example(kind, number, volume.array, volume.spacing_mm, volume.unit, volume.direction, lesion)

        return read

    for series in scan_inbox(folder).series:
        kind = DICOM_KINDS.get(series.modality)
        if kind and not series.suspect and not series.localizer and not series.multi_frame:
            paths = [file.path for file in series.files]
            size = sum(path.stat().st_size for path in paths)
            contours = contours_beside(min(paths).parent, folder)
            read = reads(paths, kind, contours)
            yield Candidate(kind, size, _top(folder, min(paths)), series.digest, read, contours is not None)


def _nifti(folder: Path) -> Iterator[Candidate]:
    """NIfTI volumes that no word calls masks; MR where no word says what they are."""
    import SimpleITK as sitk

    from tasks.imaging.resample import from_itk

    def reads(path: Path, kind: ExampleKind) -> Callable[[int], Example]:
        def read(number: int) -> Example:
            image = sitk.DICOMOrient(sitk.ReadImage(str(path), sitk.sitkFloat32), "LPS")
            volume = from_itk(image, unit={"CT": "HU", "PET": "SUV"}.get(kind, "arbitrary"))
            return Example(kind, number, volume.array, volume.spacing_mm, volume.unit, volume.direction)

        return read

    for path in _files(folder, NIFTI_NAMES):
        kind = _named_kind(folder, path, "MR")
        header = sitk.ImageFileReader()
        header.SetFileName(str(path))
        try:
            header.ReadImageInformation()
        except RuntimeError:
            continue
        if kind in VOLUME_KINDS and header.GetDimension() == 3:
            x, y, z = header.GetSize()
            yield Candidate(kind, 2 * x * y * z, _top(folder, path), str(path), reads(path, kind))


def _pictures(folder: Path) -> Iterator[Candidate]:
    """Pictures that no word calls masks; those of which all colours are equal become grey."""
    from tasks.ingest.pictures import PICTURE_NAMES

    def reads(path: Path, kind: ExampleKind) -> Callable[[int], Example]:
        def read(number: int) -> Example:
            return Example(kind, number, _pixels(path), (1.0, 1.0))

        return read

    for path in _files(folder, PICTURE_NAMES):
        kind = _named_kind(folder, path, "picture")
        kind = "picture" if kind in VOLUME_KINDS else kind
        yield Candidate(kind, path.stat().st_size, _top(folder, path), str(path), reads(path, kind))


def _pixels(path: Path) -> npt.NDArray[np.uint8]:
    """A picture as ``(y, x)``, or ``(y, x, 3)`` where its colours differ."""
    from tasks.ingest.picture_file import read_picture

    pixels = read_picture(path).pixels
    return pixels if (pixels != pixels[..., :1]).any() else pixels[..., 0].copy()


def _shipped(kind: ExampleKind) -> list[Example]:
    """The picture that comes with scikit-image, where its installation has it; nothing is fetched."""
    from importlib.resources import files

    picture = Path(str(files("skimage") / "data" / SHIPPED[kind])) if kind in SHIPPED else None
    return [Example(kind, 1, _pixels(picture), (1.0, 1.0))] if picture is not None and picture.is_file() else []


def _files(folder: Path, suffixes: tuple[str, ...]) -> list[Path]:
    """Files by the end of their name, sorted, without masks and hidden ones."""
    paths = (path for path in folder.rglob("*") if path.name.lower().endswith(suffixes) and path.is_file())
    return sorted(p for p in paths if not p.name.startswith(".") and not MASK_WORDS & _words(folder, p))


def _named_kind(folder: Path, path: Path, otherwise: ExampleKind) -> ExampleKind:
    """What the words of its path call it."""
    words = _words(folder, path)
    return next((kind for word, kind in WORDS.items() if word in words), otherwise)


def _words(folder: Path, path: Path) -> set[str]:
    return set(re.split(r"[^a-z]+", path.relative_to(folder).as_posix().lower()))


def _top(folder: Path, path: Path) -> str:
    return path.relative_to(folder).parts[0]
