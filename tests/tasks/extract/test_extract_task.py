"""The stage in the store: an image, candidates and anatomy become a table; anatomy is read only if it is asked for."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from storage.artifacts import ArtifactStore
from storage.case import Case
from storage.ome_zarr import read_volume, write_volume
from storage.volume import Volume
from tasks.extract.map_settings import MapSettings
from tasks.extract.settings import Settings
from tasks.extract.task import extract_case, plan
from tasks.imaging.candidate_files import write_candidates
from tasks.imaging.candidate_set import CandidateSet, Piece
from tasks.task import hand_over

IMAGE = Volume(np.random.default_rng(0).normal(size=(12, 30, 40)).astype(np.float32), (2.0, 1.0, 1.0), unit="HU")
CASE = Case(id="C-1", patient="P-1", digest="d", keys={"normalize": "n", "sample": "s"})


def put(store: ArtifactStore, stage: str, key: str, write: Callable[[Path], object]) -> None:
    marks: dict[str, Any] = {"inputs": {}, "settings": {}, "source": "s", "versions": {}}
    with store.write(stage=stage, key=key, subject="C-1", **marks) as folder:
        write(folder)


def stored(folder: Path, *, anatomy: bool) -> ArtifactStore:
    """Two candidates of 3×3 voxels in an organ that reaches from column 5 to column 34."""
    store = ArtifactStore(folder)
    boxes = [(slice(6, 7), slice(14, 17), slice(x, x + 3)) for x in (8, 25)]
    pieces = [Piece("component", 1.0, box, np.ones((1, 3, 3), dtype=bool)) for box in boxes]
    candidates = CandidateSet.from_pieces(pieces, IMAGE.array, voxel_ml=IMAGE.voxel_ml, scores=[1.0, 2.0])
    organ = np.zeros(IMAGE.shape, np.uint8)
    organ[1:11, 3:27, 5:35] = 2

    def sample(folder: Path) -> None:
        write_candidates(folder, candidates)
        for name in ("organ", "body") if anatomy else ():
            write_volume(folder / f"{name}.zarr", IMAGE.with_array(organ, unit="label"), name=name)

    put(store, "normalize", "n", lambda folder: write_volume(folder / "image.zarr", IMAGE))
    put(store, "sample", "s", sample)
    return store


def extracted(store: ArtifactStore, *families: str) -> pd.DataFrame:
    work = plan(CASE, Settings(families=families, stability_regions=0))
    assert extract_case.fn(*hand_over(work, store)).name == "Completed"
    return pd.read_parquet(store.open("extract", work.key) / "features.parquet")


def test_the_anatomy_of_the_sample_stage_places_the_candidates(tmp_path: Path) -> None:
    table = extracted(stored(tmp_path, anatomy=True), "location", "neighbours")
    # Centres at columns 9 and 26 of an organ from 5 to 34, whose middle is at 19.5.
    assert table["location.depth_mean"].tolist() == [5.0, 9.0]
    assert table["location.midline_left"].tolist() == pytest.approx([-10.5, 6.5], abs=0.3)
    assert table["neighbours.nearest_distance"].tolist() == [17.0, 17.0]


def test_without_anatomy_other_families_are_computed_all_the_same(tmp_path: Path) -> None:
    assert extracted(stored(tmp_path, anatomy=False), "first_order").notna().all(axis=None)


def test_maps_that_are_asked_for_lie_beside_the_table(tmp_path: Path) -> None:
    store = stored(tmp_path, anatomy=False)
    maps = MapSettings(names=("first_order.mean", "glcm.contrast"))
    work = plan(CASE, Settings(families=("first_order",), stability_regions=0, maps=maps))
    assert extract_case.fn(*hand_over(work, store)).name == "Completed"
    folder = store.open("extract", work.key) / "maps"
    assert sorted(path.name for path in folder.iterdir()) == ["first_order.mean.zarr", "glcm.contrast.zarr"]
    mean = read_volume(folder / "first_order.mean.zarr")
    assert (mean.shape, mean.unit, mean.spacing_mm) == (IMAGE.shape, "HU", IMAGE.spacing_mm)
    assert np.isfinite(mean.array).sum() == 18
