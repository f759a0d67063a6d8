"""From scored candidates to ranked, non-overlapping ones, and from those above the operating point to findings."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from storage.finding import Finding
from storage.volume import Volume
from tasks.detect.measure import axes_mm, centroid_mm, intensity_statistics, touches_border
from tasks.imaging.consensus import consensus
from tasks.imaging.resample import resample_onto

Box = tuple[slice, slice, slice]


@dataclass(frozen=True, eq=False)
class Ranked:
    """Candidates that do not overlap, best first.

    Attributes
    ----------
    index
        Their rows in the candidate table, ``(n,)``.
    scores
        ``(n,)``, falling.
    accepted
        ``(n,)``: above the operating point, so a finding. The rest only feed the FROC curve.
    labels
        ``(z, y, x)`` on the candidates' grid: candidate ``k`` of the ranking is ``k + 1``.
    """

    index: npt.NDArray[np.intp]
    scores: npt.NDArray[np.float64]
    accepted: npt.NDArray[np.bool_]
    labels: Volume


@dataclass(frozen=True)
class Source:
    """What a finding says of where it came from.

    ``instances`` are the remapped SOP Instance UIDs of all slices as received, and ``crop_start_zyx`` is where the
    stored image begins in them. ``flags`` are those of the whole case.
    """

    case: str
    patient: str
    image: str
    model: str
    label: str
    instances: Sequence[str]
    crop_start_zyx: tuple[int, int, int]
    mask_key: str
    flags: tuple[str, ...] = ()


def rank(
    scores: npt.NDArray[np.float64],
    dice: npt.NDArray[np.float32],
    masks: Sequence[tuple[Box, npt.NDArray[np.bool_]]],
    grid: Volume,
    *,
    threshold: float,
    most: int | None,
    most_ranked: int,
) -> Ranked:
    """Rank candidates and accept those whose score is above the threshold, ``most`` of them at most."""
    places = consensus(scores, dice, most=most_ranked)
    index = np.asarray([place.index for place in places], dtype=np.intp)
    confidence = np.asarray([place.score for place in places], dtype=float)
    accepted = (confidence > threshold) & (np.arange(len(index)) < (len(index) if most is None else most))
    labels = np.zeros(grid.shape, dtype=np.uint16)
    for number, row in enumerate(index, start=1):
        box, mask = masks[row]
        labels[box][mask] = number
    return Ranked(index, confidence, accepted, grid.with_array(labels, unit="label"))


def findings(ranked: Ranked, peaks_zyx: npt.NDArray[Any], image: Volume, source: Source) -> list[Finding]:
    """Describe the accepted candidates.

    Parameters
    ----------
    ranked, peaks_zyx
        The ranking, and the voxel of every candidate's peak on the candidates' grid, by row of the candidate table.
    image
        The image as ingest stored it, in its own unit: intensities are measured here, on its own grid.
    """
    on_image = resample_onto(ranked.labels, image)
    found: list[Finding] = []
    for position in np.flatnonzero(ranked.accepted):
        mask = ranked.labels.array == position + 1
        world = ranked.labels.to_world_mm(peaks_zyx[ranked.index[position]])
        stored = np.clip(np.rint(image.to_index(world)).astype(int), 0, np.asarray(image.shape) - 1)
        inside = on_image.array == position + 1
        # A finding smaller than the image's own voxels has none of them for itself: its peak's voxel stands for it.
        values = image.array[inside] if inside.any() else image.array[tuple(stored)]
        long_mm, short_mm = axes_mm(mask, ranked.labels.spacing_mm)
        slice_index, row, column = (int(i) for i in stored + np.asarray(source.crop_start_zyx))
        found.append(
            Finding(
                case=source.case,
                patient=source.patient,
                number=len(found) + 1,
                image=source.image,
                model=source.model,
                label=source.label,
                confidence=round(float(ranked.scores[position]), 6),
                position_mm=_triple(world),
                centroid_mm=centroid_mm(ranked.labels.with_array(mask)),
                voxel=(slice_index, row, column),
                source_instance=source.instances[slice_index],
                long_axis_mm=round(long_mm, 2),
                short_axis_mm=round(short_mm, 2),
                volume_ml=round(float(mask.sum()) * ranked.labels.voxel_ml, 4),
                intensity=intensity_statistics(values, image.unit),
                mask=source.mask_key,
                flags=(*source.flags, *(("touches_border",) if touches_border(mask) else ())),
            )
        )
    return found


def _triple(values: npt.ArrayLike) -> tuple[float, float, float]:
    x, y, z = np.asarray(values, dtype=float)
    return round(float(x), 3), round(float(y), 3), round(float(z), 3)
