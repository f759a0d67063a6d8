"""The lung fields on a frontal chest X-ray: the two dark regions inside the body, right and left.

Lungs let X-rays through, and so does the air beside the patient: what is black and hangs together with the picture's
edge is not lung. A threshold alone cannot be one for the whole picture, since the fields fade towards the bases: each
pixel is compared with the mean of its surroundings as well (after van Ginneken and ter Haar Romeny 2000,
doi:10.1118/1.1288678, rules only). Ribs and vessels are closed. Bright and dark may be swapped: ``inverted``.
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
from tasks.imaging.plane_masks import closed, filled, opened
from tasks.imaging.step import Array, Kind, View

WORKED_ON_PX = 256
LEAST_SHARE = 0.02
"""Of the picture: smaller dark regions are no lung."""
HEIGHTS, COLUMNS = (0.2, 0.8), (0.08, 0.48)
"""Where in a picture the middle of the first lung lies, as shares of its height and width; the second is mirrored."""


class Settings(Organ):
    """The lung fields on a frontal chest X-ray: dark regions inside the body, right and left.

    Attributes
    ----------
    inverted
        Whether air is bright (MONOCHROME1 shown as it is).
    right_is_first
        Whether the patient's right is at the picture's left, as radiologists look at it.
    opening_share, closing_share
        Radii of the discs that open and close the fields, as shares of the shorter side.
    """

    kinds: ClassVar[frozenset[Kind]] = frozenset({"2-D"})
    units: ClassVar[frozenset[str] | None] = frozenset({"arbitrary", "grey", "share", "z"})
    parts: ClassVar[tuple[str, ...]] = ("right lung", "left lung")

    name: Literal["lungs_xray"] = "lungs_xray"
    inverted: bool = False
    right_is_first: bool = True
    opening_share: float = Field(0.012, gt=0, lt=0.2)
    closing_share: float = Field(0.05, ge=0, lt=0.3)

    def segment(self, array: Array, view: View, body: BoolArray | None) -> Labels:
        """The two fields, found on a coarser picture."""
        del body
        step = max(1, round(min(view.shape) / WORKED_ON_PX))
        grey = np.asarray(ndimage.uniform_filter(luminance(array, 2).astype(np.float32), step))[::step, ::step]
        side = min(grey.shape)
        dark = dark_inside(-grey if self.inverted else grey)
        fields = _two_fields(opened(dark, self.opening_share * side))
        labels = np.zeros(grey.shape, dtype=np.uint8)
        for label, field in zip((1, 2) if self.right_is_first else (2, 1), fields, strict=True):
            labels[filled(closed(field, self.closing_share * side)) & (labels == 0)] = label
        large = np.kron(labels, np.ones((step, step), np.uint8))
        return large[: view.shape[0], : view.shape[1]]

    def examine(self, labels: Labels, array: Array, view: View) -> Iterable[Remark]:
        """Two fields of comparable size that fill a part of the picture and end within it."""
        del array, view
        shares = [100 * float((labels == label).mean()) for label in (1, 2)]
        yield from beyond("share of the picture", sum(shares), "%", usual=(15, 65), possible=(5, 80))
        if labels[0].any() or labels[-1].any():
            yield Remark("doubtful", "a field reaches the picture's upper or lower edge")
        if min(shares) == 0:
            yield Remark("refused", "two fields expected, one found")
        elif min(shares) < 0.4 * max(shares):
            yield Remark("doubtful", f"one field has {min(shares):.0f} % of the picture, the other {max(shares):.0f} %")


def dark_inside(grey: npt.NDArray[np.float32]) -> BoolArray:
    """Dark regions of a picture without the air beside the patient; air is dark."""
    from skimage.filters import threshold_otsu
    from skimage.segmentation import clear_border

    low, high = (float(v) for v in np.percentile(grey, (1, 99)))
    if not low < high:
        raise CaseError("no lungs found: the picture has one brightness")
    smooth = np.asarray(ndimage.gaussian_filter(np.clip(grey, low, high), 0.008 * min(grey.shape)))
    around = np.asarray(ndimage.gaussian_filter(smooth, 0.2 * min(grey.shape)))
    outside = clear_border(smooth < low + 0.1 * (high - low)) ^ (smooth < low + 0.1 * (high - low))
    inside = ~outside
    threshold = 0.5 * (float(threshold_otsu(smooth[inside])) + around)
    return np.asarray((smooth < threshold) & inside)


def _two_fields(dark: BoolArray) -> tuple[BoolArray, BoolArray]:
    """The largest region in each half, that at low x first; one of them may be empty."""
    labels, _ = ndimage.label(dark)
    sizes = np.bincount(np.asarray(labels).ravel())
    sizes[0] = 0
    large = np.flatnonzero(sizes >= LEAST_SHARE * dark.size)
    middles = np.asarray(ndimage.center_of_mass(dark, labels, large)).reshape(-1, 2) / dark.shape
    placed = (middles[:, 0] > HEIGHTS[0]) & (middles[:, 0] < HEIGHTS[1])
    fields = []
    for low, high in (COLUMNS, (1.0 - COLUMNS[1], 1.0 - COLUMNS[0])):
        here = large[placed & (middles[:, 1] > low) & (middles[:, 1] < high)]
        field = labels == here[np.argmax(sizes[here])] if here.size else np.zeros_like(dark)
        fields.append(np.asarray(field))
    if not (fields[0].any() or fields[1].any()):
        raise CaseError("no lungs found: no dark region of their size lies where lungs are")
    return fields[0], fields[1]
