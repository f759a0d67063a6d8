"""Which findings of one case hit which annotated lesions, by one published rule.

- *region*: a set of voxels that a detector or a baseline scored. An *accepted* region is a finding; the others only
  feed the FROC curve. Regions do not overlap each other.
- A region **hits** a lesion if its peak or its centroid lies inside the lesion and their IoU is at least 0.3.
- *Fragments*: each region is judged alone. Several regions that hit one lesion are one hit; a region that overlaps a
  lesion without hitting it is neither a hit nor a false positive. The stated IoU and Dice of a lesion are those of the
  single best finding, never of a union: a lesion shattered into ten findings was not delineated, and a union would
  reward a detector for covering everything.
- A region that spans two lesions is judged against each of them.
- A **false positive** has at least 0.5 ml, overlaps no lesion, and is farther than 10 mm from every lesion, measured
  between the nearest voxel centres.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from storage.volume import Triple, Volume
from tasks.evaluate.settings import Settings
from tasks.evaluate.verdicts import CaseMatch, LesionMatch, RegionMatch, Verdict
from tasks.metrics.overlap import dice_of_counts, iou_of_counts

BoolArray = npt.NDArray[np.bool_]
FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]

STRICT_IOU = 0.5
"""Reported beside the hit: the same rule with this IoU."""

ROUNDING_MM = 1e-6
"""A distance of exactly 10 mm is not more than 10 mm, however its square root was rounded."""


@dataclass(frozen=True, eq=False)
class ScoredRegions:
    """What one detector or rule says of one case, on the grid of its annotation.

    Attributes
    ----------
    labels
        Integers (z, y, x): 0 is background, k is region k (1…n). A region may have lost its last voxel to the grid.
    scores
        (n,), the higher the likelier a lesion.
    peaks_zyx
        (n, 3) voxel coordinates, which may be fractional.
    accepted
        (n,), true for findings.
    """

    labels: npt.NDArray[np.integer[Any]]
    scores: FloatArray
    peaks_zyx: FloatArray
    accepted: BoolArray

    def __post_init__(self) -> None:
        """Refuse regions whose parts do not fit together."""
        n = len(self.scores)
        if self.peaks_zyx.shape != (n, 3) or self.accepted.shape != (n,):
            raise ValueError(
                f"expected {n} peaks (n, 3) and {n} flags; got {self.peaks_zyx.shape} and {self.accepted.shape}"
            )
        if not np.isfinite(self.scores).all():
            raise ValueError("scores must be finite")
        if self.labels.size and not 0 <= int(self.labels.min()) <= int(self.labels.max()) <= n:
            raise ValueError(f"labels must be 0…{n}; got {self.labels.min()}…{self.labels.max()}")


@dataclass(frozen=True, eq=False)
class CaseTruth:
    """The annotation of one case.

    Attributes
    ----------
    case, patient
        Pseudonyms.
    lesions
        Integers: 0 is background, every other value is one lesion. May hold none.
    body_litres
        Volume of the body in the image, in litres; 0 where it is not known.
    """

    case: str
    patient: str
    lesions: Volume
    body_litres: float


@dataclass(frozen=True, eq=False)
class _Pairs:
    """Every region (rows) against every lesion (columns)."""

    iou: FloatArray
    dice: FloatArray
    overlap: BoolArray
    centroid: BoolArray
    placed: BoolArray  # peak or centroid inside


def match_case(regions: ScoredRegions, truth: CaseTruth, settings: Settings) -> CaseMatch:
    """Judge every region and every lesion of one case.

    Raises
    ------
    ValueError
        When regions and lesions are not on one grid.
    """
    lesions = truth.lesions
    if regions.labels.shape != lesions.shape:
        raise ValueError(f"regions have shape {regions.labels.shape}; the lesions have {lesions.shape}")
    # Lesions may carry any label: their columns are numbered 1…m, in ascending order of the labels.
    inside = lesions.array != 0
    lesion_labels, order = np.unique(lesions.array[inside], return_inverse=True)
    columns = np.zeros(lesions.shape, dtype=np.int64)
    columns[inside] = order + 1
    sizes = np.bincount(regions.labels.ravel(), minlength=len(regions.scores) + 1)[1:]
    pairs = _compare_pairs(regions, columns, sizes, len(lesion_labels))
    return CaseMatch(
        case=truth.case,
        patient=truth.patient,
        body_litres=truth.body_litres,
        lesions=_lesion_matches(regions, pairs, lesion_labels, columns, lesions.voxel_ml, settings),
        regions=_region_matches(regions, pairs, lesion_labels, sizes, lesions, settings),
    )


def within_mm(mask: BoolArray, spacing_mm: Triple, distance_mm: float) -> BoolArray:
    """Voxels (z, y, x) whose centre is at most `distance_mm` from the centre of a voxel of `mask`."""
    near = np.zeros(mask.shape, dtype=bool)
    parts, _ = ndimage.label(mask, np.ones((3, 3, 3)))
    for box in ndimage.find_objects(parts):
        reach = [int(distance_mm / s) + 1 for s in spacing_mm]
        around = tuple(slice(max(0, b.start - r), b.stop + r) for b, r in zip(box, reach, strict=True))
        distance = ndimage.distance_transform_edt(~mask[around], sampling=spacing_mm)
        near[around] |= distance <= distance_mm + ROUNDING_MM
    return near


def _compare_pairs(regions: ScoredRegions, columns: IntArray, sizes: IntArray, m: int) -> _Pairs:
    n = len(regions.scores)
    inside = columns > 0
    joint = regions.labels[inside].astype(np.int64) * (m + 1) + columns[inside]
    shared = np.bincount(joint, minlength=(n + 1) * (m + 1)).reshape(n + 1, m + 1)
    lesion_sizes = shared.sum(axis=0)[1:]
    shared = shared[1:, 1:]
    at_peak = _columns_at(regions.peaks_zyx, columns)
    at_centroid = _columns_at(_centroids(regions.labels, sizes), columns)
    which = np.arange(1, m + 1)
    centroid = at_centroid[:, None] == which
    return _Pairs(
        iou=iou_of_counts(shared, sizes[:, None], lesion_sizes),
        dice=dice_of_counts(shared, sizes[:, None], lesion_sizes),
        overlap=shared > 0,
        centroid=centroid,
        placed=centroid | (at_peak[:, None] == which),
    )


def _centroids(labels: npt.NDArray[np.integer[Any]], sizes: IntArray) -> FloatArray:
    """Centre of mass (n, 3) of each region in voxels; ``nan`` for a region without voxels."""
    where = np.nonzero(labels)
    owner = labels[where]
    with np.errstate(invalid="ignore"):
        return np.stack(
            [np.bincount(owner, weights=axis, minlength=len(sizes) + 1)[1:] / sizes for axis in where], axis=1
        )


def _columns_at(points_zyx: FloatArray, columns: IntArray) -> IntArray:
    """Column of the lesion at the voxel nearest to each point; 0 for none, also outside the grid."""
    nearest = np.floor(np.where(np.isfinite(points_zyx), points_zyx, -1.0) + 0.5).astype(np.int64)
    within = ((nearest >= 0) & (nearest < columns.shape)).all(axis=1)
    found = np.zeros(len(nearest), dtype=np.int64)
    found[within] = columns[tuple(nearest[within].T)]
    return found


def _lesion_matches(
    regions: ScoredRegions, pairs: _Pairs, labels: IntArray, columns: IntArray, voxel_ml: float, settings: Settings
) -> tuple[LesionMatch, ...]:
    voxels = np.bincount(columns.ravel(), minlength=len(labels) + 1)
    accepted = regions.accepted
    hits = pairs.placed & (pairs.iou >= settings.iou_hit)
    strict = pairs.placed & (pairs.iou >= STRICT_IOU)
    return tuple(
        LesionMatch(
            label=int(label),
            volume_ml=float(voxels[j + 1] * voxel_ml),
            iou=float(pairs.iou[accepted, j].max(initial=0.0)),
            dice=float(pairs.dice[accepted, j].max(initial=0.0)),
            overlap=bool(pairs.overlap[accepted, j].any()),
            centroid=bool(pairs.centroid[accepted, j].any()),
            hit=bool(hits[accepted, j].any()),
            strict_hit=bool(strict[accepted, j].any()),
            score=float(regions.scores[hits[:, j]].max()) if hits[:, j].any() else None,
        )
        for j, label in enumerate(labels)
    )


def _region_matches(
    regions: ScoredRegions,
    pairs: _Pairs,
    labels: IntArray,
    sizes: IntArray,
    lesions: Volume,
    settings: Settings,
) -> tuple[RegionMatch, ...]:
    volumes_ml = sizes * lesions.voxel_ml
    best = pairs.iou.argmax(axis=1) if len(labels) else np.zeros(len(sizes), dtype=np.int64)
    touches = np.asarray(pairs.overlap.any(axis=1))
    hits = np.asarray((pairs.placed & (pairs.iou >= settings.iou_hit)).any(axis=1))
    far = ~_near(regions, touches, lesions, settings.false_positive_mm)

    def verdict(k: int) -> Verdict:
        if hits[k]:
            return "hit"
        if touches[k]:
            return "overlap"
        if not far[k]:
            return "near"
        return "false_positive" if volumes_ml[k] >= settings.false_positive_ml else "small"

    return tuple(
        RegionMatch(
            number=k + 1,
            score=float(regions.scores[k]),
            accepted=bool(regions.accepted[k]),
            volume_ml=float(volumes_ml[k]),
            lesion=int(labels[best[k]]) if touches[k] else None,
            iou=float(pairs.iou[k, best[k]]) if touches[k] else 0.0,
            dice=float(pairs.dice[k, best[k]]) if touches[k] else 0.0,
            verdict=verdict(k),
        )
        for k in range(len(sizes))
    )


def _near(regions: ScoredRegions, touches: BoolArray, lesions: Volume, distance_mm: float) -> BoolArray:
    """Regions (n,) with a voxel at most `distance_mm` from a lesion. The distance is sought only where it decides."""
    near = touches.copy()
    if not touches.all():
        zone = within_mm(lesions.array != 0, lesions.spacing_mm, distance_mm)
        numbers = np.unique(regions.labels[zone])
        near[numbers[numbers > 0] - 1] = True
    return near
