"""The vessels of a fundus picture: dark lines of the green channel, by hysteresis.

Green shows blood best. It is divided by what it is around, so that the field's shading goes; outside of the field it is
what the field has next to it, so that the rim is no line. Sato's measure at the widths that vessels have answers lines
(doi:10.1016/S1361-8415(98)80009-1). Its spread where there is no vessel sets the two thresholds: what exceeds the lower
one belongs to a vessel where it hangs together with something that exceeds the upper one.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import ClassVar, Literal

import numpy as np
import numpy.typing as npt
from pydantic import Field
from scipy import ndimage

from tasks.imaging.edges.sato import sato
from tasks.imaging.morphology import BoolArray
from tasks.imaging.organ import Labels, Organ, Remark, beyond
from tasks.imaging.organs.retina_field import field_of_view
from tasks.imaging.plane_masks import distance_px, equal_area_diameter
from tasks.imaging.step import Array, Kind, View

WIDTHS = (0.0014, 0.0022, 0.0035)
"""Standard deviations of the line measure, as shares of the field's diameter: vessels are 0.4 to 1.4 % of it wide."""
BACKGROUND = 0.03
"""Standard deviation of the Gaussian that tells the surroundings, as share of that diameter."""
RIM = 0.012
"""Depth below the field's rim where nothing is looked for, as share of that diameter."""
LEAST_PIECE = 2e-5
"""Pieces smaller than this share of the field are no vessels."""


class Settings(Organ):
    """The vessels of a fundus picture: dark lines of the green channel, strong ones and what hangs on them.

    Attributes
    ----------
    strong, weak
        Thresholds of the line measure, in multiples of its median in the field.
    """

    kinds: ClassVar[frozenset[Kind]] = frozenset({"colour"})

    name: Literal["retina_vessels"] = "retina_vessels"
    strong: float = Field(9.0, gt=0)
    weak: float = Field(4.5, gt=0)

    def segment(self, array: Array, view: View, body: BoolArray | None) -> BoolArray:
        """Vessels, by hysteresis of the line measure."""
        from skimage.filters import apply_hysteresis_threshold
        from skimage.morphology import remove_small_objects

        del view, body
        field = field_of_view(array)
        lines, inside = line_measure(array, field)
        usual = float(np.median(lines[inside]))
        found = apply_hysteresis_threshold(lines, self.weak * usual, max(self.weak, self.strong) * usual) & inside
        return np.asarray(remove_small_objects(found, max_size=int(LEAST_PIECE * field.sum())))

    def examine(self, labels: Labels, array: Array, view: View) -> Iterable[Remark]:
        """Vessels cover some 4 to 18 % of a field."""
        del view
        share = 100 * float((labels > 0).sum()) / float(field_of_view(array).sum())
        yield from beyond("share of the field", share, "%", usual=(3.0, 18.0), possible=(0.3, 40.0))


def line_measure(array: Array, field: BoolArray) -> tuple[npt.NDArray[np.float32], BoolArray]:
    """How much each pixel of a fundus picture ``(y, x, 3)`` is on a dark line; and where that can be said."""
    across = equal_area_diameter(field)
    inside = distance_px(~field) > RIM * across
    green = array[..., 1].astype(np.float32)
    nearest = ndimage.distance_transform_edt(~inside, return_distances=False, return_indices=True)
    green = green[tuple(nearest)]
    around = np.asarray(ndimage.gaussian_filter(green, BACKGROUND * across))
    even = np.ascontiguousarray(green / np.maximum(around, 1.0), dtype=np.float32)
    scales = tuple(width * across for width in WIDTHS)
    return sato(even, spacing_mm=(1.0, 1.0), scales_mm=scales, ridges="dark"), inside
