"""Lung fields of a CT, right and left, closed so that nodules on the pleura and vessels lie inside.

*Aerated lung* is air inside the body without trachea and main bronchi (:mod:`tasks.imaging.airways`). Where right and
left touch in front of or behind the heart, their cores part them. Of each lung, what it surrounds in a slice is filled;
its *closing* by a ball then spans the dents that nodules at the chest wall, vessels and the hilum make (Armato and
Sensakovic 2004, doi:10.1016/j.acra.2004.06.005). Each lung is closed by itself, so that no bridge is built between
the two.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, ClassVar, Literal

import numpy as np
import numpy.typing as npt
from pydantic import Field

from storage.errors import CaseError
from storage.volume import Triple
from tasks.imaging.airways import main_airways
from tasks.imaging.morphology import BoolArray, close_mask, distance_mm, fill_slices, label_components
from tasks.imaging.organ import Labels, Organ, Remark, beyond
from tasks.imaging.organs.body import body_mask
from tasks.imaging.step import Array, Kind, View

CORE_DEPTHS_MM = (2.0, 4.0, 6.0, 9.0, 12.0)
"""Depths below which two lungs that touch may come apart."""
LEAST_SHARE = 0.15
"""Of the aerated lung: a piece as large is a lung of its own."""
PIECE_ML = 10.0
"""Pieces that smaller ones, cut off with the airways, are not counted among."""
APART_MM = 40.0
"""Between the middles of two lungs, from right to left."""


class Settings(Organ):
    """The lungs in a CT: right and left, without trachea and main bronchi, with nodules on the pleura.

    Attributes
    ----------
    air_below_hu
        Voxels of the body below this are air; −400 HU lies between lung and soft tissue.
    min_ml
        Smaller pockets of air (bowel gas, airways outside the lung) are no lung.
    closing_mm
        Radius of the closing ball: half the width of the largest nodule on the pleura that shall be inside.
    airways
        Whether trachea and main bronchi are taken out.
    usual_l
        Litres of both lungs that nobody has to look at.
    """

    kinds: ClassVar[frozenset[Kind]] = frozenset({"3-D"})
    units: ClassVar[frozenset[str] | None] = frozenset({"HU"})
    parts: ClassVar[tuple[str, ...]] = ("right lung", "left lung")

    name: Literal["lungs"] = "lungs"
    air_below_hu: float = -400.0
    min_ml: float = Field(200.0, gt=0)
    closing_mm: float = Field(15.0, ge=0)
    airways: bool = True
    usual_l: tuple[float, float] = (1.0, 10.0)

    def segment(self, array: Array, view: View, body: BoolArray | None) -> Labels:
        """Right lung 1, left lung 2, by :func:`lung_labels`."""
        z, y, x = view.spacing_mm
        if body is None:
            body = body_mask(array, spacing_mm=(z, y, x), unit="HU")
        to_left = 1.0 if view.direction is None else view.direction[0][2]
        return lung_labels(array, body, spacing_mm=(z, y, x), settings=self, left_is_last=to_left >= 0)

    def examine(self, labels: Labels, array: Array, view: View) -> Iterable[Remark]:
        """Two fields of usual size, neither of which is tiny beside the other, of lung rather than of gas."""
        litres = np.bincount(labels.ravel(), minlength=3)[1:] * float(np.prod(view.spacing_mm)) / 1e6
        yield from beyond("volume", float(litres.sum()), "l", usual=self.usual_l)
        if litres.min() == 0:
            yield Remark("doubtful", "two fields expected, one found")
        elif litres.min() < LEAST_SHARE * litres.sum():
            yield Remark("doubtful", f"one field has {litres.min():.2g} l, the other {litres.max():.2g} l")
        air = array[labels > 0]
        median = float(np.median(air))
        if not -970.0 <= median <= -500.0:
            yield Remark("doubtful", f"median {median:.0f} HU; that of lung lies between -970 and -500 HU")


def lung_mask(
    hu: npt.NDArray[Any], body: BoolArray, *, spacing_mm: Triple, settings: Settings | None = None
) -> BoolArray:
    """Both lungs; see :func:`lung_labels`."""
    return lung_labels(hu, body, spacing_mm=spacing_mm, settings=settings) > 0


def lung_labels(
    hu: npt.NDArray[Any],
    body: BoolArray,
    *,
    spacing_mm: Triple,
    settings: Settings | None = None,
    left_is_last: bool = True,
) -> Labels:
    """Find the closed lung fields.

    Parameters
    ----------
    hu
        CT ``(z, y, x)`` in HU, slices along z.
    body
        Body mask of the same shape, lungs filled.
    spacing_mm
        Voxel spacing ``(z, y, x)`` in mm.
    settings
        ``None``: the defaults.
    left_is_last
        Whether the patient's left lies at the end of x.

    Returns
    -------
    numpy.ndarray
        uint8, same shape: 1 right lung, 2 left lung, 0 outside; within ``body``.

    Raises
    ------
    CaseError
        When the body holds no pocket of air of ``min_ml``.
    """
    settings = settings or Settings()
    hu = np.asarray(hu)
    air = (hu < settings.air_below_hu) & body
    aerated = _large_pockets(air, float(np.prod(spacing_mm)) / 1000.0, settings.min_ml)
    airways = main_airways(hu, air, spacing_mm=spacing_mm) if settings.airways else np.zeros_like(body)
    labels = np.zeros(hu.shape, dtype=np.uint8)
    sides = _sides(aerated & ~airways, body, spacing_mm)
    for label, lung in zip((1, 2) if left_is_last else (2, 1), sides, strict=True):
        if lung.any():
            closed = close_mask(fill_slices(lung), radius_mm=settings.closing_mm, spacing_mm=spacing_mm)
            labels[closed & body & ~airways & ((labels == 0) | lung)] = label
    return labels


def _large_pockets(air: BoolArray, voxel_ml: float, min_ml: float) -> BoolArray:
    labels, _ = label_components(air)
    ml = np.bincount(labels.ravel()) * voxel_ml
    ml[0] = 0.0
    if ml.max() < min_ml:
        raise CaseError(
            f"no lungs found: expected at least {min_ml:g} ml of air inside the body, got {ml.max():.1f} ml; "
            "where no lung is imaged, search in 'body'"
        )
    return np.asarray(ml >= min_ml)[labels]


def _sides(aerated: BoolArray, body: BoolArray, spacing_mm: Triple) -> tuple[BoolArray, BoolArray]:
    """The lung at low x and the one at high x; one of them empty where there is only one."""
    labels, boxes = label_components(aerated)
    sizes = np.bincount(labels.ravel())
    sizes[0] = 0
    kept = np.flatnonzero(sizes * float(np.prod(spacing_mm)) / 1000.0 >= PIECE_ML)
    x = _middles(labels, boxes, kept) * spacing_mm[2]
    large = sizes[kept] >= LEAST_SHARE * sizes.sum()
    if large.sum() > 1 and np.ptp(x[large]) >= APART_MM:
        between = float(np.mean([x[large].min(), x[large].max()]))
    else:
        cores = _cores(aerated, spacing_mm)
        if cores is not None:
            first, second = (distance_mm(core, spacing_mm) for core in cores)
            return aerated & (first <= second), aerated & (first > second)
        between = float(np.argwhere(body.any(axis=(0, 1))).mean()) * spacing_mm[2]
    low, high = (np.isin(np.arange(sizes.size), kept[choice])[labels] for choice in (x < between, x >= between))
    return low, high


def _cores(aerated: BoolArray, spacing_mm: Triple) -> tuple[BoolArray, BoolArray] | None:
    """Insides of two lungs that touch, low x first, at the least depth that parts them; ``None`` if none does."""
    depth = distance_mm(~aerated, spacing_mm)
    for least_mm in CORE_DEPTHS_MM:
        labels, boxes = label_components(depth > least_mm)
        sizes = np.bincount(labels.ravel())
        sizes[0] = 0
        two = np.argsort(-sizes, kind="stable")[:2]
        if two.size < 2 or sizes[two].min() < LEAST_SHARE * sizes.sum():
            continue
        x = _middles(labels, boxes, two) * spacing_mm[2]
        if np.ptp(x) >= APART_MM:
            low, high = two[np.argsort(x)]
            return labels == low, labels == high
    return None


def _middles(labels: npt.NDArray[np.int32], boxes: list[Any], which: npt.NDArray[Any]) -> npt.NDArray[np.float64]:
    """Mean index along x of some components."""
    means = []
    for label in which:
        counts = (labels[boxes[label - 1]] == label).sum(axis=(0, 1))
        means.append(boxes[label - 1][2].start + float(np.average(np.arange(counts.size), weights=counts)))
    return np.asarray(means, dtype=np.float64)
