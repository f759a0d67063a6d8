"""One picture file: decoded to 8-bit RGB, upright, or refused with a reason that names nobody."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

import numpy as np
import numpy.typing as npt

from storage.errors import CaseError

if TYPE_CHECKING:
    from PIL import Image

FORMATS = ("JPEG", "PNG", "BMP", "TIFF", "WEBP")
MAX_PIXELS = 2**26
"""8192²: three times the largest mammogram, 200 MB once decoded. What claims more is refused unread."""
MIN_SIDE = 16
"""Pixels; smaller ones are icons and spacers of web pages."""


@dataclass(frozen=True, eq=False)
class Picture:
    """A decoded picture: `pixels` uint8 RGB ``(height, width, 3)``, upright; format and mode of the file (Pillow's)."""

    pixels: npt.NDArray[np.uint8]
    format: str
    mode: str


def read_picture(path: Path) -> Picture:
    """Decode one picture to 8-bit RGB.

    The orientation in EXIF is applied, colour profiles are not. What is transparent is laid over black. Grey values of
    more than 8 bits are stretched linearly from the picture's minimum and maximum to 0–255: such files hold 10 to 16
    bits and do not say how many.

    Raises
    ------
    CaseError
        The file is no picture, is damaged or truncated, holds several pages, or has more than `MAX_PIXELS` pixels or a
        side below `MIN_SIDE`. The text does not name the file.
    OSError
        The file cannot be opened. That is the disk's fault and no verdict on the picture; its text may name the path.
    """
    from PIL import Image, UnidentifiedImageError

    try:
        with path.open("rb") as stream:
            return _decode(stream)
    except (CaseError, MemoryError):
        raise
    except UnidentifiedImageError:
        failure = f"the file is none of {', '.join(FORMATS)}"
    except (Image.DecompressionBombError, Image.DecompressionBombWarning):  # Pillow's own limit came first
        failure = f"the picture claims more than {MAX_PIXELS} pixels"
    except Exception as error:
        if isinstance(error, OSError) and error.errno is not None:
            raise
        failure = f"the picture is truncated or damaged: its pixels cannot be decoded ({type(error).__name__})"
    raise CaseError(failure)  # outside the handlers: texts of the original may name the file


def _decode(stream: BinaryIO) -> Picture:
    from PIL import Image, ImageOps

    with Image.open(stream, formats=FORMATS) as image:
        width, height = image.size
        if width * height > MAX_PIXELS:
            raise CaseError(f"the picture claims more than {MAX_PIXELS} pixels: {width}×{height}")
        if min(width, height) < MIN_SIDE:
            raise CaseError(f"the picture has {width}×{height} pixels; expected at least {MIN_SIDE} on each side")
        # A camera's MPO is a JPEG with previews; the first is the picture itself.
        if (pages := getattr(image, "n_frames", 1)) > 1 and image.format != "MPO":
            raise CaseError(f"the file holds {pages} pages; expected one picture")
        kind, mode = str(image.format), image.mode
        image.load()
        return Picture(_rgb(ImageOps.exif_transpose(image)), kind, mode)


def _rgb(image: Image.Image) -> npt.NDArray[np.uint8]:
    """Pixels of a picture of any mode as uint8 RGB ``(height, width, 3)``."""
    from PIL import Image

    if image.mode.startswith(("I", "F")):
        grey = np.asarray(image, dtype=np.float64)
        if not np.isfinite(grey).all():
            raise CaseError("the picture holds values that are not finite")
        low, high = float(grey.min()), float(grey.max())
        stretched = np.rint((grey - low) * (255.0 / (high - low if high > low else 1.0))).astype(np.uint8)
        return np.repeat(stretched[..., None], 3, axis=-1)
    if image.has_transparency_data:
        black = Image.new("RGBA", image.size, (0, 0, 0, 255))
        image = Image.alpha_composite(black, image.convert("RGBA"))
    return np.array(image.convert("RGB"), dtype=np.uint8)
