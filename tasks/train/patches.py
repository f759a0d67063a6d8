"""Labelled patches of one case: on its lesions, away from them, and on what is easily taken for one."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from storage.volume import Triple
from tasks.imaging.candidate_set import CandidateSet
from tasks.imaging.morphology import BoolArray
from tasks.imaging.patch_table import Group
from tasks.imaging.patches import background_centres, grid_within, hardest, lesion_centres, patch_rng, voxels_in
from tasks.train.patch_settings import PatchSettings


def choose_patches(
    lesions: npt.NDArray[np.integer[Any]],
    body: BoolArray,
    candidates: CandidateSet,
    settings: PatchSettings,
    *,
    digest: str,
    spacing_mm: Triple,
    scores: npt.NDArray[np.floating[Any]] | None = None,
) -> list[Group]:
    """Where the patches of a case lie: on lesions, in the background, hard negatives, grid.

    Parameters
    ----------
    lesions
        ``(z, y, x)``: 0, or the number of the lesion.
    body
        Where background is drawn and the grid lies.
    candidates
        Of the same image.
    digest
        Of the image: seeds what is drawn.
    scores
        ``(n,)``: how much each candidate looks like a lesion, e.g. to a model of the same fold; ``None``: its contrast.
    """
    patch, seed = settings.patch, settings.seed
    on_lesions, _ = lesion_centres(
        lesions,
        patch,
        each=settings.per_lesion,
        jitter_mm=settings.jitter_mm,
        spacing_mm=spacing_mm,
        rng=patch_rng(digest, seed, "lesion"),
    )
    count = max(settings.background_least, round(settings.background_per_lesion_patch * len(on_lesions)))
    background = background_centres(body, lesions, patch, count=count, rng=patch_rng(digest, seed, "background"))
    groups = [Group("lesion", on_lesions), Group("background", background)]
    groups.append(_hard_negatives(lesions, candidates, settings, scores))
    if settings.grid is not None:
        groups.append(Group("grid", grid_within(body, patch, settings.grid)))
    return groups


def _hard_negatives(
    lesions: npt.NDArray[np.integer[Any]],
    candidates: CandidateSet,
    settings: PatchSettings,
    scores: npt.NDArray[np.floating[Any]] | None,
) -> Group:
    table = candidates.table
    scores = table["score"].to_numpy(dtype=float) if scores is None else np.asarray(scores, dtype=float)
    overlaps = np.array([bool(lesions[box][mask].any()) for box, mask in candidates.masks()], dtype=bool)
    places = np.rint(table[["centroid_z", "centroid_y", "centroid_x"]].to_numpy(dtype=float)).astype(np.int64)
    lesion = overlaps | (voxels_in(lesions > 0, places, settings.patch) > 0)
    apart = max(1, min(settings.patch.reach[1:]) // 2)
    chosen = hardest(places, scores, lesion, count=settings.hard, apart=apart)
    return Group("hard", places[chosen], scores[chosen])
