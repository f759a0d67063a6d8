"""Which places of the cohort look most like this one: the candidates of all cases in a store, compared as regions.

Every normalized volume is stored with its coarser levels; a region is cut from the coarsest one that still resolves it,
and levels are kept in memory while they are needed.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from flows.looking_up import made, newest, subject_named
from storage.artifacts import Artifact, ArtifactStore
from storage.errors import StoreError
from storage.ome_zarr import StoredVolume, levels_of

if TYPE_CHECKING:
    from tasks.imaging.step import Array

SIDE = 16
"""Voxels of a region along each axis."""
CACHE_BYTES = 512 * 2**20
Position = tuple[float, float, float]


@dataclass(frozen=True)
class Place:
    """A place in a case: position in mm (DICOM LPS), and the region around it, ``(16, 16, 16)``."""

    case: str
    position_mm: Position
    region: Array


@dataclass(frozen=True)
class Similar:
    """The place that was asked about, those found (best first) with their likeness, and how many were searched."""

    asked: Place
    found: tuple[tuple[Place, float], ...]
    searched: int


def find_similar(
    store: ArtifactStore,
    case: str,
    *,
    finding: int = 1,
    at_mm: Position | None = None,
    size_mm: float = 32.0,
    k: int = 5,
) -> Similar:
    """Search the candidates of the other cases that were normalized in the same way.

    Parameters
    ----------
    case
        Pseudonym, or how it begins.
    finding
        Number of the case's finding that is asked about.
    at_mm
        Place that is asked about instead, DICOM LPS in mm.
    size_mm
        Side of the cube that is compared.
    k
        How many places are returned.

    Raises
    ------
    StoreError
        When there is no such case or finding, or no other case to search.
    """
    from tasks.imaging.pyramid.retrieval import RegionIndex

    subject = subject_named(store, case)
    cohort = _prepared_alike(store, subject)
    cutter = _Cutter(cohort, size_mm)
    position = at_mm or _finding_position(store, subject, finding)
    asked = cutter.place(subject, position)
    others = [place for other in sorted(set(cohort) - {subject}) for place in cutter.candidates(other)]
    if not others:
        raise StoreError(f"the store has no candidates of other cases that were normalized as {subject} was")
    best = RegionIndex.of([place.region for place in others]).search(asked.region, k)
    found = [(others[n], float(score)) for n, score in zip(best.positions, best.scores, strict=True)]
    return Similar(asked, tuple(found), len(others))


@dataclass(frozen=True)
class _Prepared:
    """A case's normalized volume in all its levels, and its candidates."""

    levels: tuple[StoredVolume, ...]
    sample: Path


class _Cutter:
    """Cuts regions of one size in mm from the volumes of a cohort."""

    def __init__(self, cohort: dict[str, _Prepared], size_mm: float) -> None:
        from tasks.imaging.pyramid.cache import LevelCache

        self._cohort, self._size_mm = cohort, size_mm
        self._levels = LevelCache(lambda case, level: cohort[case].levels[level].read().array, CACHE_BYTES)

    def place(self, case: str, position_mm: Sequence[float]) -> Place:
        from tasks.imaging.geometry.crop_box import crop_layers

        fine_enough = self._size_mm / SIDE
        levels = self._cohort[case].levels
        level = max((n for n, stored in enumerate(levels) if max(stored.spacing_mm) <= fine_enough), default=0)
        grid = levels[level].grid
        array, centre = self._levels.get(case, level), list(map(float, grid.to_index(position_mm)))
        [region] = crop_layers(array, centre, [self._size_mm], grid.spacing_mm, (SIDE, SIDE, SIDE))
        x, y, z = (float(mm) for mm in position_mm)
        return Place(case, (x, y, z), region)

    def candidates(self, case: str) -> Iterator[Place]:
        from tasks.imaging.candidate_files import read_candidates

        table = read_candidates(self._cohort[case].sample).table
        finest = self._cohort[case].levels[0].grid
        for centroid in table[["centroid_z", "centroid_y", "centroid_x"]].to_numpy():
            yield self.place(case, list(map(float, finest.to_world_mm(centroid))))


def _prepared_alike(store: ArtifactStore, subject: str) -> dict[str, _Prepared]:
    """The newest volumes of all cases that were normalized as this one was: same image, settings, and what was learnt.

    How patients lie in the image is not looked at: axial images are compared with axial ones only in a study of such.
    """
    samples = newest(store, "sample").get(subject)
    ours = store.find("normalize", samples.commit.inputs["normalize"]) if samples else None
    if samples is None or samples.commit.verdict or ours is None:
        raise StoreError(f"{subject} has no candidates in the store: run the study, or screen it, first")
    alike: dict[str, _Prepared] = {}
    for sample in made(store, "sample"):
        normalized = store.find("normalize", sample.commit.inputs["normalize"])
        if not sample.commit.verdict and normalized is not None and _recipe(normalized) == _recipe(ours):
            alike[sample.commit.subject] = _Prepared(levels_of(normalized.folder / "image.zarr"), sample.folder)
    return alike


def _recipe(normalized: Artifact) -> tuple[Any, ...]:
    inputs = normalized.commit.inputs
    return inputs["image"], inputs.get("fitted"), normalized.commit.settings


def _finding_position(store: ArtifactStore, subject: str, number: int) -> Position:
    detected: Artifact | None = newest(store, "detect").get(subject)
    found: list[dict[str, Any]] = json.loads((detected.folder / "findings.json").read_text()) if detected else []
    for finding in found:
        if finding["number"] == number:
            x, y, z = (float(mm) for mm in finding["centroid_mm"])
            return x, y, z
    raise StoreError(
        f"{subject} has {len(found)} findings in the store, and no number {number}; give a place with --at"
    )
