"""Large volumes: slab after slab as in one piece, and in bounded memory."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any, cast

import numpy as np
import pytest

from storage.artifacts import ArtifactStore
from storage.case import Case
from storage.keys import digest
from storage.ome_zarr import create_volume, levels_of, read_volume, slabs, write_volume
from storage.volume import Volume
from tasks.imaging.catalog import step_named
from tasks.imaging.step import Step
from tasks.normalize import slabs as slab_room
from tasks.normalize import task
from tasks.normalize.settings import Settings
from tasks.task import hand_over

SHAPE = (40, 90, 70)
CHAIN: list[dict[str, Any]] = [
    {"name": "clip"},
    {"name": "median"},
    {"name": "resample", "spacing_mm": [2.0, 1.0, 1.5]},
    {"name": "gaussian", "sigma_mm": 2.0},
    {"name": "zscore"},
]


def thorax(shape: tuple[int, int, int] = SHAPE) -> Volume:
    z, y, x = np.meshgrid(*(np.linspace(-1, 1, n) for n in shape), indexing="ij")
    body = np.where(y**2 + x**2 < 0.7, 40.0, -1000.0) + np.random.default_rng(0).normal(0, 20, shape)
    return Volume(np.rint(body + 30 * z).astype(np.int16), (2.5, 0.9, 0.9), (-100.0, 5.0, 70.0), unit="HU")


def ingested(store: ArtifactStore, volume: Volume) -> Case:
    key = digest("image")
    with store.write(stage="ingest", key=key, subject="C-1", settings={}, inputs={}, source="", versions={}) as folder:
        write_volume(folder / "ct.zarr", volume)
    return Case(id="C-1", patient="P-1", digest=key, keys={"ingest": key})


def normalized(store: ArtifactStore, case: Case, settings: Settings) -> Path:
    work = task.plan(case, settings, image="ct")
    outcome = cast(Any, task.normalize_case).fn(*hand_over(work, store)).result()
    assert outcome.verdict is None, outcome.verdict
    return store.open("normalize", work.key)


def test_slab_after_slab_gives_what_the_whole_gives(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    settings = Settings(steps=cast(Any, tuple(step_named(s["name"])(**s) for s in CHAIN)))
    results = []
    for name, largest in (("whole", 10**9), ("slabs", 1000)):
        monkeypatch.setattr(slab_room, "LARGEST_WHOLE", largest)
        monkeypatch.setattr(slab_room, "SIDES", (16, 48, 64))
        store = ArtifactStore(tmp_path / name)
        folder = normalized(store, ingested(store, thorax()), settings)
        results.append((read_volume(folder / "image.zarr"), json.loads((folder / "quality.json").read_text())))
        assert sorted(path.name for path in folder.iterdir()) == ["_COMMIT.json", "image.zarr", "quality.json"]
    (whole, figures), (parts, other) = results
    assert np.abs(whole.array - parts.array).max() < 2e-4
    assert (whole.shape, whole.spacing_mm, whole.unit) == (parts.shape, parts.spacing_mm, parts.unit)
    assert np.allclose(whole.affine, parts.affine)
    assert figures["before"] == pytest.approx(other["before"], rel=1e-4)


def test_what_precedes_a_step_that_goes_through_all_is_computed_once(tmp_path: Path, monkeypatch: Any) -> None:
    """Of each block of the image the step before is done once, although the next one measures first."""
    monkeypatch.setattr(slab_room, "LARGEST_WHOLE", 1000)
    monkeypatch.setattr(slab_room, "SIDES", (16, 90, 70))
    kind = step_named("median")
    done: list[int] = []
    apply = kind.apply

    def counted(self: Step, block: Any, view: Any) -> Any:
        done.append(view.start[0])
        return apply(self, block, view)

    monkeypatch.setattr(kind, "apply", counted)
    store = ArtifactStore(tmp_path)
    normalized(store, ingested(store, thorax()), Settings(steps=cast(Any, (kind(), step_named("zscore")()))))
    assert len(done) == 3


MEMORY = """
import sys
from storage.artifacts import ArtifactStore
from storage.case import Case
from tasks.normalize import task
from tasks.normalize.settings import Settings
from tasks.task import hand_over
store = ArtifactStore(sys.argv[1])
[found] = [a for a in store.artifacts() if a.commit.stage == "ingest"]
case = Case(id="C-1", patient="P-1", digest="0", keys={"ingest": found.commit.key})
work = task.plan(case, Settings(spacing_mm=(1.25, 0.8, 0.8)), image="ct")
outcome = task.normalize_case.fn(*hand_over(work, store)).result()
assert outcome.verdict is None and outcome.failure is None, outcome
print(store.find("normalize", work.key).commit.peak_mib)
"""


@pytest.mark.slow
def test_a_ct_of_512_x_512_x_2000_takes_less_than_2_gib(tmp_path: Path) -> None:
    store = ArtifactStore(tmp_path)
    key = digest("large")
    tissue = np.where(np.hypot(*np.mgrid[-256:256, -256:256]) < 200, 40, -1000)
    texture = (tissue + np.random.default_rng(0).integers(-8, 8, (128, 512, 512))).astype(np.int16)
    with store.write(stage="ingest", key=key, subject="C-1", settings={}, inputs={}, source="", versions={}) as folder:
        target = create_volume(
            folder / "ct.zarr", shape=(2000, 512, 512), dtype="int16", spacing_mm=(1.0, 0.7, 0.7), unit="HU"
        )
        for z in slabs(target):
            target[z] = texture[: z.stop - z.start]
    done = subprocess.run(
        [sys.executable, "-c", MEMORY, str(tmp_path)],
        capture_output=True,
        text=True,
        timeout=900,
        check=False,
        cwd=Path(__file__).parents[3],
        env={**os.environ, "OMP_NUM_THREADS": "1"},
    )
    assert done.returncode == 0, done.stderr[-2000:]
    assert float(done.stdout.split()[-1]) < 2048


def test_coarser_levels_are_stored_with_the_volume(tmp_path: Path) -> None:
    store = ArtifactStore(tmp_path)
    case = ingested(store, thorax((30, 150, 140)))
    stored = levels_of(normalized(store, case, Settings()) / "image.zarr")
    assert [level.shape for level in stored] == [(30, 150, 140), (30, 75, 70), (15, 38, 35)]
    fine, coarse = stored[0].read(), stored[2].read()
    assert coarse.spacing_mm == (5.0, 3.6, 3.6)
    assert coarse.origin_mm == fine.origin_mm
    assert coarse.array.mean() == pytest.approx(fine.array.mean(), abs=15)
    [alone] = levels_of(normalized(store, case, Settings(levels=0)) / "image.zarr")
    assert alone.shape == (30, 150, 140)
