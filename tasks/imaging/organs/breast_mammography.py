"""The breast on a mammogram, without the pectoral muscle.

The breast is the largest thing brighter than the film's background that touches the side of the chest wall; labels lie
apart. On an oblique view the muscle fills the upper corner on that side, and its edge is nearly straight (Karssemeijer
1998, doi:10.1088/0031-9155/43/2/011). Of all straight lines across that corner, the one with the highest contrast
between the strips on its two sides is taken, where that contrast is clear; on a view from above there is none.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import ClassVar, Literal

import numpy as np
import numpy.typing as npt
from pydantic import Field
from scipy import ndimage

from storage.errors import CaseError
from tasks.imaging.luminance import luminance
from tasks.imaging.morphology import BoolArray
from tasks.imaging.organ import Labels, Organ, Remark, beyond
from tasks.imaging.plane_masks import filled, largest, opened
from tasks.imaging.step import Array, Kind, View

WORKED_ON_PX = 256
"""The picture is averaged down until its longer side is about as long."""
STRIP_PX = 8
CANDIDATES = 24
"""Lines tried along each of the two edges of the corner."""


class Settings(Organ):
    """The breast on a mammogram, without background, labels and pectoral muscle.

    Attributes
    ----------
    muscle_contrast
        Least difference between the strips on the two sides of the muscle's edge, as share of the breast's range of
        intensities; ``None``: no muscle is looked for.
    """

    kinds: ClassVar[frozenset[Kind]] = frozenset({"2-D"})
    units: ClassVar[frozenset[str] | None] = frozenset({"arbitrary", "grey", "share", "z"})

    name: Literal["breast_mammography"] = "breast_mammography"
    muscle_contrast: float | None = Field(0.2, gt=0, lt=1)

    def segment(self, array: Array, view: View, body: BoolArray | None) -> BoolArray:
        """The breast, found on a coarser picture."""
        del body
        step = max(1, round(max(view.shape) / WORKED_ON_PX))
        grey = np.asarray(ndimage.uniform_filter(luminance(array, 2).astype(np.float32), step))[::step, ::step]
        breast = breast_mask(grey)
        if self.muscle_contrast is not None:
            breast &= ~pectoral_muscle(grey, breast, least_contrast=self.muscle_contrast)
        large = np.kron(opened(breast, 2.0), np.ones((step, step), bool))
        return np.asarray(large[: view.shape[0], : view.shape[1]])

    def examine(self, labels: Labels, array: Array, view: View) -> Iterable[Remark]:
        """A breast fills a part of the film and touches one side of it."""
        del array, view
        mask = labels > 0
        yield from beyond("share of the picture", 100 * float(mask.mean()), "%", usual=(8, 80), possible=(2, 97))
        sides = max(float(mask[:, :3].any(axis=1).mean()), float(mask[:, -3:].any(axis=1).mean()))
        yield from beyond("share of the chest wall's side", 100 * sides, "%", usual=(15, 100))


def breast_mask(grey: npt.NDArray[np.float32]) -> BoolArray:
    """The largest thing brighter than the background; ``CaseError`` where the picture has one brightness."""
    from skimage.filters import threshold_otsu

    black, bright = (float(v) for v in np.percentile(grey, (1, 99)))
    if not black < bright:
        raise CaseError("no breast found: the picture has one brightness")
    otsu = float(threshold_otsu(np.clip(grey, black, bright)))
    smooth = np.asarray(ndimage.gaussian_filter(grey, 1.0))
    return filled(largest(opened(smooth > black + 0.35 * (otsu - black), 3.0)))


def pectoral_muscle(grey: npt.NDArray[np.float32], breast: BoolArray, *, least_contrast: float) -> BoolArray:
    """The muscle in the upper corner at the chest wall's side; empty where no edge is clear enough."""
    half = breast.shape[1] // 2
    flipped = breast[:, half:].sum() > breast[:, :half].sum()
    image = np.asarray(ndimage.gaussian_filter(grey[:, ::-1] if flipped else grey, 1.0))
    inside = breast[:, ::-1] if flipped else breast
    rows, columns = np.flatnonzero(inside[:, 0]), np.flatnonzero(inside.any(axis=0))
    empty = np.zeros_like(breast)
    if rows.size == 0 or columns.size == 0 or rows[0] > 0.2 * len(breast):
        return empty
    top, y, x = int(rows[0]), *np.mgrid[: image.shape[0], : image.shape[1]]
    low, high = np.percentile(image[inside], (2, 98))
    best, muscle = least_contrast * float(high - low), empty
    for width in np.linspace(0.15, 0.95, CANDIDATES) * (columns[-1] + 1):
        for height in np.linspace(0.1, 0.85, CANDIDATES) * rows.size:
            away = (x / width + (y - top) / height - 1.0) / np.hypot(1.0 / width, 1.0 / height)
            within, beside = (away < 0) & inside, (away >= 0) & (away < STRIP_PX) & inside
            strip = within & (away >= -STRIP_PX)
            if min(int(strip.sum()), int(beside.sum())) < 4 * STRIP_PX:
                continue
            # The weaker half of an edge counts: a muscle's edge is clear all along.
            upper = x * height > (y - top) * width
            contrast = min(_mean(image, strip & part) - _mean(image, beside & part) for part in (upper, ~upper))
            if contrast > best:
                best, muscle = contrast, within
    return np.asarray(muscle[:, ::-1] if flipped else muscle)


def _mean(image: npt.NDArray[np.float32], where: BoolArray) -> float:
    return float(image[where].mean()) if where.any() else -np.inf
