"""Labelled patches of one case: on its lesions, away from them, and on what is easily taken for one.

Where models are shown candidates, all of these lie on one.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from storage.volume import Triple
from tasks.imaging.candidate_set import CandidateSet
from tasks.imaging.morphology import BoolArray
from tasks.imaging.patch_table import Group
from tasks.imaging.patches import (
    background_centres,
    grid_within,
    hardest,
    jittered,
    lesion_centres,
    patch_rng,
    voxels_in,
)
from tasks.train.label import label_candidates
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
    if settings.show_candidate:
        return _on_candidates(lesions, candidates, settings, scores, digest=digest, spacing_mm=spacing_mm)
    patch, seed = settings.patch, settings.seed
    on_lesions, _ = lesion_centres(
        lesions,
        patch,
        each=settings.per_lesion,
        jitter_mm=settings.jitter_mm,
        spacing_mm=spacing_mm,
        rng=patch_rng(digest, seed, "lesion"),
    )
    count = _background(settings, len(on_lesions))
    background = background_centres(body, lesions, patch, count=count, rng=patch_rng(digest, seed, "background"))
    groups = [Group("lesion", on_lesions), Group("background", background)]
    groups.append(_hard_negatives(candidates, _away(lesions, candidates, settings), settings, scores))
    if settings.grid is not None:
        groups.append(Group("grid", grid_within(body, patch, settings.grid)))
    return groups


def _on_candidates(
    lesions: npt.NDArray[np.integer[Any]],
    candidates: CandidateSet,
    settings: PatchSettings,
    scores: npt.NDArray[np.floating[Any]] | None,
    *,
    digest: str,
    spacing_mm: Triple,
) -> list[Group]:
    places, away = _places(candidates), _away(lesions, candidates, settings)
    good = _on_lesions(lesions, candidates, settings)
    rng = patch_rng(digest, settings.seed, "lesion")
    on_lesions = jittered(places[good], settings.patch, lesions.shape, settings.jitter_mm, spacing_mm, rng)
    hard = _hard_negatives(candidates, away, settings, scores)
    others = np.setdiff1d(np.flatnonzero(away), hard.candidates)
    drawn = patch_rng(digest, settings.seed, "background").permutation(others)[: _background(settings, len(good))]
    lesion = Group("lesion", on_lesions, candidates=good)
    return [lesion, Group("background", places[drawn], candidates=drawn), hard]


def _on_lesions(
    lesions: npt.NDArray[np.integer[Any]], candidates: CandidateSet, settings: PatchSettings
) -> npt.NDArray[np.int64]:
    """Candidates that are good enough for a lesion, in turn, until it has as many as the settings ask for."""
    peaks = candidates.table[["peak_z", "peak_y", "peak_x"]].to_numpy()
    labels = label_candidates(candidates.masks(), peaks, lesions, count=int(lesions.max(initial=0)))
    fits = labels.placed & (labels.iou >= settings.least_iou)
    of_each = [np.flatnonzero(fits & (labels.lesion == lesion)) for lesion in range(1, labels.lesions + 1)]
    drawn = [np.resize(rows, settings.per_lesion) for rows in of_each if len(rows)]
    return np.concatenate([np.zeros(0, np.int64), *drawn])


def _background(settings: PatchSettings, on_lesions: int) -> int:
    return max(settings.background_least, round(settings.background_per_lesion_patch * on_lesions))


def _places(candidates: CandidateSet) -> npt.NDArray[np.int64]:
    places = candidates.table[["centroid_z", "centroid_y", "centroid_x"]].to_numpy(dtype=float)
    return np.asarray(np.rint(places), dtype=np.int64)


def _away(lesions: npt.NDArray[np.integer[Any]], candidates: CandidateSet, settings: PatchSettings) -> BoolArray:
    """Candidates without a voxel of a lesion, in their patch neither."""
    overlaps = np.array([bool(lesions[box][mask].any()) for box, mask in candidates.masks()], dtype=bool)
    return ~(overlaps | (voxels_in(lesions > 0, _places(candidates), settings.patch) > 0))


def _hard_negatives(
    candidates: CandidateSet,
    away: BoolArray,
    settings: PatchSettings,
    scores: npt.NDArray[np.floating[Any]] | None,
) -> Group:
    scores = candidates.table["score"].to_numpy(dtype=float) if scores is None else np.asarray(scores, dtype=float)
    places, apart = _places(candidates), max(1, min(settings.patch.reach[1:]) // 2)
    chosen = hardest(places, scores, ~away, count=settings.hard, apart=apart)
    return Group("hard", places[chosen], scores[chosen], candidates=chosen)
