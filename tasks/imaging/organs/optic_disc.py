"""The optic disc of a fundus picture: the brightest round spot of its size.

A grey closing takes the vessels off. What is brighter than its surroundings at the scale of a disc, by a difference of
Gaussians, says where the disc is; Otsu's threshold around there, how far it reaches.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import ClassVar, Literal

import numpy as np
import numpy.typing as npt
from pydantic import Field
from scipy import ndimage

from storage.errors import CaseError
from tasks.imaging.morphology import BoolArray
from tasks.imaging.organ import Labels, Organ, Remark, beyond
from tasks.imaging.organs.retina_field import field_of_view
from tasks.imaging.plane_masks import distance_px, equal_area_diameter, filled, opened, roundness
from tasks.imaging.step import Array, Kind, View

VESSEL = 0.018
"""Width of the widest vessel, as share of the field's diameter."""
WORKED_ON_PX = 400
"""The picture is averaged down until the field is about as wide: a disc is large."""


class Settings(Organ):
    """The optic disc of a fundus picture: the brightest round spot of its size.

    Attributes
    ----------
    diameter
        Of the disc, as share of the field's diameter: about 1/7 in a picture of 45°.
    """

    kinds: ClassVar[frozenset[Kind]] = frozenset({"colour"})

    name: Literal["optic_disc"] = "optic_disc"
    diameter: float = Field(0.145, gt=0.03, lt=0.5)

    def segment(self, array: Array, view: View, body: BoolArray | None) -> BoolArray:
        """The disc, found on a coarser picture."""
        del view, body
        field = field_of_view(array)
        step = max(1, round(equal_area_diameter(field) / WORKED_ON_PX))
        coarse = np.asarray(ndimage.uniform_filter(array.astype(np.float32), (step, step, 1)))[::step, ::step]
        found = disc_mask(coarse, field[::step, ::step], diameter=self.diameter)
        return np.asarray(np.kron(found, np.ones((step, step), bool)))[: array.shape[0], : array.shape[1]] & field

    def examine(self, labels: Labels, array: Array, view: View) -> Iterable[Remark]:
        """A disc by shape and size, brighter than what surrounds it."""
        del view
        mask = labels > 0
        across, field = equal_area_diameter(mask), field_of_view(array)
        width = 100 * across / equal_area_diameter(field)
        expected = 100 * self.diameter
        yield from beyond("share of the field's diameter", width, "%", usual=(0.6 * expected, 1.6 * expected))
        yield from beyond("share inside of a disc", 100 * roundness(mask), "%", usual=(85, 100), possible=(60, 100))
        ring = (distance_px(mask) < 0.5 * across) & ~mask & field
        green = array[..., 1]
        excess = float(green[mask].mean()) / max(1.0, float(green[ring].mean())) if ring.any() else 0.0
        yield from beyond("brightness", excess, "times its surroundings", usual=(1.15, 99), possible=(1.03, 99))


def disc_mask(array: npt.NDArray[np.float32], field: BoolArray, *, diameter: float) -> BoolArray:
    """Find the disc in a picture ``(y, x, 3)``; ``diameter`` as share of the field's; else ``CaseError``."""
    from skimage.filters import threshold_otsu

    across = equal_area_diameter(field)
    radius = 0.5 * diameter * across
    inside = distance_px(~field) > 0.3 * radius
    bright = _without_vessels(array, field, round(VESSEL * across) | 1)
    blob = ndimage.gaussian_filter(bright, 0.7 * radius) - ndimage.gaussian_filter(bright, 1.8 * radius)
    blob = np.where(inside, blob, -np.inf)
    if not float(blob.max()) > 0:
        raise CaseError("no optic disc found: nothing of its size is brighter than its surroundings")
    centre = np.unravel_index(int(np.argmax(blob)), blob.shape)
    y, x = np.ogrid[: field.shape[0], : field.shape[1]]
    near = (np.hypot(y - centre[0], x - centre[1]) < 2.0 * radius) & field
    above = (bright > threshold_otsu(bright[near])) & (np.hypot(y - centre[0], x - centre[1]) < 1.5 * radius) & field
    labels, _ = ndimage.label(opened(filled(above), 0.3 * radius))
    here = np.bincount(labels[np.hypot(y - centre[0], x - centre[1]) < 0.6 * radius], minlength=2)
    if here[1:].max() == 0:
        raise CaseError("no optic disc found: the brightest spot has no edge")
    return np.asarray(labels == 1 + int(np.argmax(here[1:])))


def _without_vessels(array: npt.NDArray[np.float32], field: BoolArray, width: int) -> npt.NDArray[np.float32]:
    """Red and green together, vessels closed, the mount as the field next to it."""
    both = 0.4 * array[..., 0] + 0.6 * array[..., 1]
    nearest = ndimage.distance_transform_edt(~field, return_distances=False, return_indices=True)
    return np.asarray(ndimage.grey_closing(both[tuple(nearest)], size=(width, width)), dtype=np.float32)
