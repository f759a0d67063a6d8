"""Which segmented cases are shown, and the pictures of one: sections through what was annotated, with both outlines."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from storage.volume import Triple, Volume
from tasks.report.drawn import DrawnPlane
from tasks.report.greyscale import STEPS, Inks, limits
from tasks.report.overlay import cut, scene
from tasks.report.panel import PLANES, draw_plane
from tasks.report.segmentation_settings import SegmentationSettings

Labels = npt.NDArray[np.integer[Any]]


def choose_cases(dice: Mapping[str, float | None], count: int) -> list[str]:
    """Cases to look at, best first: the best, the worst, and others evenly between in rank; those without Dice last."""
    ranked = sorted(dice, key=lambda case: (dice[case] is None, -(dice[case] or 0.0), case))
    known = [case for case in ranked if dice[case] is not None] or ranked
    if count >= len(known):
        return known
    if count < 2:
        return known[len(known) // 2 :][:count]
    return [known[round(place)] for place in np.linspace(0, len(known) - 1, count).tolist()]


def rank_words(place: int, count: int) -> str:
    """What the case at a place, from 0, is called among those that are shown."""
    if count == 3 and place == 1:
        return "median"
    return "best" if place == 0 and count > 1 else "worst" if place == count - 1 and count > 1 else "between"


def draw_segmented(
    image: Volume, found: Labels, truth: Labels | None, settings: SegmentationSettings, *, case: str
) -> tuple[DrawnPlane, ...]:
    """Axial, coronal and sagittal section through the centre of what was annotated, else of what was segmented.

    ``found`` and ``truth`` are label maps on the grid of ``image``; ``truth`` is ``None`` without an annotation.
    """
    case_scene = scene(image, found, truth)
    at_mm = _centre_mm(image, truth if truth is not None and truth.any() else found)
    scales = [(settings.window, low, high) for low, high in limits(case_scene.volume, (settings.window,))]
    _, quality, lossless_bytes = STEPS[0]
    inks = Inks(tuple(scales), settings.maximum_pixels, quality, lossless_bytes)
    return tuple(draw_plane(cut(case_scene, name, at_mm), inks, name.capitalize(), case, None) for name in PLANES)


def _centre_mm(image: Volume, labels: Labels) -> Triple:
    voxels = np.argwhere(labels)
    middle = voxels.mean(axis=0) if len(voxels) else (np.asarray(image.shape) - 1) / 2
    x, y, z = (float(mm) for mm in image.to_world_mm(middle))
    return x, y, z
