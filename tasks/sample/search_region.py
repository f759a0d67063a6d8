"""Where candidates are searched: the body, an organ, or a mask that another tool made."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import numpy as np

from storage.errors import CaseError
from storage.volume import Volume
from tasks.imaging.imported_mask import read_mask
from tasks.imaging.morphology import BoolArray
from tasks.imaging.organ import OrganMask, Remark, figures_of
from tasks.imaging.step import View
from tasks.sample.settings import ImportedMask, SearchSettings, Settings

MOST_OUTSIDE = 0.1
"""Share of an imported mask that may lie outside of the body."""


class SearchRegion(NamedTuple):
    """The body, and the organ that is searched, which was not refused."""

    body: BoolArray
    organ: OrganMask


def search_region(image: Volume, settings: SearchSettings | None = None, mask: Path | None = None) -> SearchRegion:
    """Find the body and what is searched.

    Parameters
    ----------
    image
        ``(z, y, x)`` in ``"HU"``, ``"SUV"`` or ``"arbitrary"``.
    settings
        ``None``: the defaults.
    mask
        The file, where the settings name an imported mask.

    Raises
    ------
    CaseError
        When there is no body, or the organ was not found or refused, with the reasons.
    """
    settings = settings or Settings()
    body = settings.organ("body").find_in(image)
    place = settings.search_in or ("lungs" if image.unit == "HU" else "body")
    if place == "body":
        return SearchRegion(body.usable(), body)
    if isinstance(place, str):
        organ = settings.organ(place).find_in(image, body=body.usable())
    else:
        organ = _imported(place, mask, image, body.usable())
    organ.usable()
    return SearchRegion(body.usable(), organ)


def _imported(place: ImportedMask, path: Path | None, image: Volume, body: BoolArray) -> OrganMask:
    if path is None:
        raise CaseError("the mask of another tool was not found")
    labels = read_mask(path, image, labels=place.labels).astype(np.uint8)
    outside = float(np.mean(~body[labels > 0]))
    remarks = [Remark("doubtful", f"{100 * outside:.0f} % of the mask lies outside of the body")]
    view = View.of(labels, image.spacing_mm, direction=image.direction)
    figures = figures_of(labels, ("imported",), view)
    return OrganMask("imported", labels, ("imported",), tuple(remarks) if outside > MOST_OUTSIDE else (), figures)
