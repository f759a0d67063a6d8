"""Images that lie in one file (NIfTI, NRRD, MetaImage), and whether two of them lie on one grid."""

from __future__ import annotations

import gzip
import struct
import zlib
from io import BufferedIOBase
from itertools import product
from math import prod
from pathlib import Path

import numpy as np

from storage.errors import CaseError
from storage.volume import Volume

_HEADER_BYTES = 544
_BLOCK_BYTES = 2**20
SAME_PLACE_MM = 1e-2
"""Corners of two grids closer than this are one: headers round."""


def read_image_file(path: Path, what: str, *, unit: str = "arbitrary") -> Volume:
    """Read a volume of one value a voxel.

    Parameters
    ----------
    path
        What SimpleITK reads: ``.nii``, ``.nii.gz``, ``.nrrd``, ``.mha``.
    what
        What the file is called in errors, e.g. ``"image"``: the path may name a patient.
    unit
        Of the intensities; the file does not say it.

    Raises
    ------
    CaseError
        When the file cannot be read or is cut short, has other than 3 axes, several values a voxel, or axes that are
        not at right angles.
    """
    import SimpleITK as sitk

    from tasks.imaging.resample import from_itk

    check_whole(path, what)
    try:
        image = sitk.ReadImage(str(path))
    except RuntimeError:
        failure = f"the {what} is no image that can be read"
    else:
        axes, parts = image.GetDimension(), image.GetNumberOfComponentsPerPixel()
        if (axes, parts) != (3, 1):
            raise CaseError(f"the {what} has {axes} axes and {parts} values a voxel; expected 3 and 1")
        try:
            return from_itk(image, unit=unit)
        except ValueError as error:
            failure = f"the {what} has no usable geometry: {error}"
    raise CaseError(failure)  # outside the handlers: texts of the original may name the file


def check_whole(path: Path, what: str) -> None:
    """``CaseError`` where a NIfTI file ends before its last voxel: ITK reads what is missing as 0, and says nothing.

    Files of other formats, and what is no NIfTI at all, pass: whoever reads them tells.
    """
    compressed = path.name.lower().endswith(".gz")
    try:
        with gzip.open(path) if compressed else path.open("rb") as stream:
            header = stream.read(_HEADER_BYTES)
            length = len(header) + _rest(stream)
    except (EOFError, zlib.error):
        whole = False
    except gzip.BadGzipFile as error:  # no gzip file at all, or one whose checksum is wrong
        whole = "Not a gzipped file" in str(error)
    else:
        whole = length >= _nifti_bytes(header)
    if not whole:
        raise CaseError(f"the {what} is cut short or damaged: its file ends before its last voxel")


def _rest(stream: BufferedIOBase) -> int:
    length = 0
    while block := stream.read(_BLOCK_BYTES):
        length += len(block)
    return length


def _nifti_bytes(header: bytes) -> float:
    """Bytes that a NIfTI file (version 1 or 2, header and voxels in one) has by its header; 0 of anything else."""
    for order in "<>":
        size = struct.unpack_from(f"{order}i", header)[0] if len(header) == _HEADER_BYTES else 0
        if size == 348 and header[344:347] == b"n+1":
            dimensions, (bits,) = (
                struct.unpack_from(f"{order}8h", header, 40),
                struct.unpack_from(f"{order}h", header, 72),
            )
            (start,) = struct.unpack_from(f"{order}f", header, 108)
        elif size == 540:
            dimensions, (bits,) = (
                struct.unpack_from(f"{order}8q", header, 16),
                struct.unpack_from(f"{order}h", header, 14),
            )
            (start,) = struct.unpack_from(f"{order}q", header, 168)
        else:
            continue
        return float(start + prod(dimensions[1 : 1 + dimensions[0]]) * bits / 8)
    return 0.0


def check_same_grid(mask: Volume, image: Volume, what: str = "mask") -> None:
    """``CaseError`` where a mask is not on the grid of its image."""
    if mask.shape != image.shape:
        raise CaseError(
            f"the {what} has {mask.shape} voxels (z, y, x) and the image {image.shape}: they are not on one grid"
        )
    ends = np.array(list(product(*((0, n - 1) for n in image.shape))))
    apart = float(np.abs(mask.to_world_mm(ends) - image.to_world_mm(ends)).max())
    if apart > SAME_PLACE_MM:
        raise CaseError(f"the {what} lies up to {apart:.3g} mm beside the image: they are not on one grid")
