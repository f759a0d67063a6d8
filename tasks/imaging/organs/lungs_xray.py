"""The lung fields on a frontal chest X-ray: the two dark regions inside the body, right and left.

Lungs let X-rays through, and so does the air beside the patient: what is dark and hangs together with the picture's
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
        """Two fields of comparable size that fill a part of the picture."""
        del array, view
        shares = [100 * float((labels == label).mean()) for label in (1, 2)]
        yield from beyond("share of the picture", sum(shares), "%", usual=(15, 65), possible=(5, 80))
        if min(shares) == 0:
            yield Remark("refused", "two fields expected, one found")
        elif min(shares) < 0.4 * max(shares):
            yield Remark("doubtful", f"one field has {min(shares):.0f} % of the picture, the other {max(shares):.0f} %")


def dark_inside(grey: npt.NDArray[np.float32]) -> BoolArray:
    """Dark regions of a picture that do not reach its edge; air is dark."""
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
    return np.asarray(clear_border((smooth < threshold) & inside))


def _two_fields(dark: BoolArray) -> tuple[BoolArray, BoolArray]:
    """The two largest regions, that at low x first; one of them empty where there is one only."""
    labels, _ = ndimage.label(dark)
    sizes = np.bincount(np.asarray(labels).ravel())
    sizes[0] = 0
    two = [int(label) for label in np.argsort(-sizes, kind="stable")[:2] if sizes[label] >= LEAST_SHARE * dark.size]
    if not two:
        raise CaseError("no lungs found: no dark region of their size lies inside of the body")
    columns = {label: float(np.nonzero(labels == label)[1].mean()) for label in two}
    if len(two) == 1:
        low = columns[two[0]] < dark.shape[1] / 2
        one, none = np.asarray(labels == two[0]), np.zeros_like(dark)
        return (one, none) if low else (none, one)
    first, second = sorted(two, key=lambda label: columns[label])
    return np.asarray(labels == first), np.asarray(labels == second)
