"""Synthetic pictures are marked for ever, so that none is ever taken for a patient's.

Three marks, of which each lives where the others do not:

- *In the pixels.* The lowest bit of every pixel follows a fixed pattern. Nobody sees one grey level in 256, but a
  program does, wherever the pixels went: into a Zarr array, a PNG that was saved again, a table of patches. Half of the
  bits of any other picture follow the pattern by chance. It does not survive resizing or JPEG.
- *In the file.* A PNG names its origin in a text chunk, and shows the word SYNTHETIC in a band below the picture.
- *In the table.* `provenance` gives each picture its row: ``synthetic``, the key of its model, the seed, its class.

`refuse_synthetic` is the gate for all that must be real: folds, tests, calibration, whatever comes in from outside.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    import pandas as pd

TEXT = "lesionflow:synthetic"
"""Keyword of the text chunk in a PNG, and name of the attribute of a Zarr array."""
PATTERN_SEED = 20_140_610
FOLLOWING = 0.9
"""Share of lowest bits that follow the pattern in a marked picture. By chance 28 × 28 bits never do."""
FEWEST = 256
"""Pixels. A smaller picture cannot be told from chance, and is not marked."""
TILE_PX = 64
BAND_PX = 14
COLUMNS = {"number": "int64", "synthetic": "bool", "model": "str", "seed": "int64", "label": "str"}


@dataclass(frozen=True)
class Origin:
    """Where a synthetic picture comes from: key of the generator, seed and number of the picture, its class."""

    model: str
    seed: int
    number: int
    label: str

    def attributes(self) -> dict[str, Any]:
        """As it is written beside a picture."""
        return {"synthetic": True, **asdict(self)}


def marked(images: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """Pictures with the mark in their lowest bits.

    Parameters
    ----------
    images
        ``(…, y, x)`` of uint8, uint16 or float32; of a float the last bit of its mantissa. Colours and slices come
        before y and x, so that what is grey stays grey.

    Raises
    ------
    ValueError
        For another type, or fewer than 256 pixels.
    """
    bits = _bits(images)
    return np.asarray(((bits & ~bits.dtype.type(1)) | _pattern(images.shape[-2:], bits.dtype)).view(images.dtype))


def bears_mark(image: npt.NDArray[Any]) -> bool:
    """Whether one picture ``(…, y, x)``, or colours ``(y, x, 3)``, has the mark in its pixels. False if too small."""
    if image.ndim == 3 and image.shape[-1] == 3:
        image = np.moveaxis(image, -1, 0)
    if image.ndim < 2 or image.shape[-2] * image.shape[-1] < FEWEST or image.dtype not in (np.uint8, np.uint16, "f4"):
        return False
    bits = _bits(image)
    following = (bits & bits.dtype.type(1)) == _pattern(image.shape[-2:], bits.dtype)
    return bool(following.mean() >= FOLLOWING)


def provenance(origins: Iterable[Origin]) -> pd.DataFrame:
    """One row for each synthetic picture: ``COLUMNS``."""
    import pandas as pd

    return pd.DataFrame([one.attributes() for one in origins], columns=list(COLUMNS)).astype(COLUMNS)


def write_synthetic_png(path: Path, pixels: npt.NDArray[np.uint8], origin: Origin) -> None:
    """Write one picture, uint8 ``(y, x)`` or ``(y, x, 3)``, that says by all means what it is."""
    from PIL import Image, ImageDraw
    from PIL.PngImagePlugin import PngInfo

    image = Image.fromarray(pixels)
    sheet = Image.new(image.mode, (max(image.width, BAND_PX * 5), image.height + BAND_PX))
    sheet.paste(image, (0, 0))
    ImageDraw.Draw(sheet).text((2, image.height + 1), "SYNTHETIC", fill=(255,) * len(image.getbands()))
    drawn = np.asarray(sheet)
    kept = marked(drawn) if drawn.ndim == 2 else np.moveaxis(marked(np.moveaxis(drawn, -1, 0)), 0, -1)
    about = PngInfo()
    about.add_text(TEXT, json.dumps(origin.attributes(), sort_keys=True))
    Image.fromarray(np.ascontiguousarray(kept)).save(path, format="PNG", pnginfo=about)


def origin_of(path: Path) -> Origin | None:
    """What the text chunk of a PNG says; ``None`` for any other file, which may still bear the mark in its pixels."""
    from PIL import Image

    try:
        with Image.open(path, formats=["PNG"]) as image:
            image.load()
            said = json.loads(image.text[TEXT])  # type: ignore[attr-defined]
        return Origin(**{name: said[name] for name in ("model", "seed", "number", "label")})
    except (OSError, KeyError, TypeError, ValueError):
        return None


def refuse_synthetic(pictures: Mapping[str, npt.NDArray[Any]], *, where: str) -> None:
    """The gate: nothing synthetic may be where pictures must be real.

    Parameters
    ----------
    pictures
        By case, one picture each.
    where
        What they are for: ``"the folds"``.

    Raises
    ------
    ValueError
        When one bears the mark; names the cases, which are pseudonyms.
    """
    found = sorted(case for case, pixels in pictures.items() if bears_mark(pixels))
    if found:
        shown = ", ".join(found[:5]) + (" …" if len(found) > 5 else "")
        raise ValueError(f"{len(found)} of {len(pictures)} pictures in {where} are synthetic: {shown}; expected none")


def _bits(images: npt.NDArray[Any]) -> npt.NDArray[Any]:
    if images.dtype not in (np.uint8, np.uint16, np.float32):
        raise ValueError(f"expected uint8, uint16 or float32 pictures; got {images.dtype}")
    if images.ndim < 2 or images.shape[-2] * images.shape[-1] < FEWEST:
        raise ValueError(f"expected pictures (…, y, x) of at least {FEWEST} pixels; got {images.shape}")
    copied = np.ascontiguousarray(images)
    return copied.view(np.uint32) if images.dtype == np.float32 else copied


def _pattern(shape: tuple[int, ...], dtype: np.dtype[Any]) -> npt.NDArray[Any]:
    """The lowest bits of a picture ``(y, x)``: one tile, laid from the upper left corner on."""
    tile = np.random.default_rng(PATTERN_SEED).integers(0, 2, size=(TILE_PX, TILE_PX)).astype(dtype)
    return np.tile(tile, [-(-side // TILE_PX) for side in shape])[: shape[0], : shape[1]]
