"""Looking into a store by hand: a case step by step, places that look alike, and what steps there are."""

from __future__ import annotations

from pathlib import Path
from typing import Any, cast

import numpy as np
import pytest
from typer.testing import CliRunner

from flows.cli import app
from flows.similar import find_similar
from storage.artifacts import ArtifactStore
from storage.case import Case
from storage.errors import StoreError
from storage.keys import digest
from storage.ome_zarr import write_volume
from storage.volume import Volume
from tasks.imaging.catalog import steps
from tasks.normalize import task as normalize
from tasks.normalize.settings import Settings as NormalizeSettings
from tasks.sample import task as sample
from tasks.sample.settings import Settings as SampleSettings
from tasks.task import Outcome, StageTask, Work, hand_over

RUN = CliRunner()
MARKS: dict[str, Any] = {"settings": {}, "inputs": {}, "source": "", "versions": {}}
ORIGIN = (-50.0, -40.0, 10.0)


def done(store: ArtifactStore, task: StageTask, work: Work) -> str:
    outcome: Outcome = cast(Any, task).fn(*hand_over(work, store)).result()
    assert outcome.failure is None
    return outcome.key


def pet(*lesions: tuple[tuple[int, int, int], tuple[float, float, float], float]) -> Volume:
    """A body of SUV 0.5 with noise and ellipsoids: centre and half axes in voxels of 4 mm, and SUV."""
    shape = (24, 40, 40)
    z, y, x = np.indices(shape)
    suv = np.where(np.hypot(y - 20, x - 20) < 18, 0.5, 0.0)
    for (cz, cy, cx), (a, b, c), height in lesions:
        suv = np.where(((z - cz) / a) ** 2 + ((y - cy) / b) ** 2 + ((x - cx) / c) ** 2 < 1, height, suv)
    noise = np.random.default_rng(0).normal(0, 0.02, shape)
    return Volume((suv + noise).astype(np.float32), (4.0, 4.0, 4.0), ORIGIN, unit="SUV")


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> ArtifactStore:
    """Three cases: a ball, a rod, and a ball elsewhere that is twice as bright."""
    store = ArtifactStore(tmp_path_factory.mktemp("store"))
    volumes = {
        "C-BALL": pet(((12, 20, 14), (3, 3, 3), 6.0)),
        "C-ROD": pet(((12, 20, 20), (2, 2, 9), 6.0)),
        "C-TWIN": pet(((9, 24, 25), (3, 3, 3), 12.0)),
    }
    for name, volume in volumes.items():
        key = digest(name)
        with store.write(stage="ingest", key=key, subject=name, **MARKS) as folder:
            write_volume(folder / "pet.zarr", volume)
        case = Case(id=name, patient=f"P-{name}", digest=key, keys={"ingest": key})
        work = normalize.plan(case, NormalizeSettings(), image="pet")
        case = case.with_key("normalize", done(store, normalize.normalize_case, work))
        done(store, sample.sample_case, sample.plan(case, SampleSettings()))
    return store


def where(*voxel: float) -> tuple[float, float, float]:
    z, y, x = voxel
    return (ORIGIN[0] + 4 * x, ORIGIN[1] + 4 * y, ORIGIN[2] + 4 * z)


def test_the_twin_is_found_first_whatever_its_brightness_and_place(store: ArtifactStore) -> None:
    answer = find_similar(store, "C-BALL", at_mm=where(12, 20, 14), size_mm=40.0, k=3)
    best, likeness = answer.found[0]
    assert best.case == "C-TWIN"
    assert np.linalg.norm(np.subtract(best.position_mm, where(9, 24, 25))) < 4
    assert likeness > 0.9
    assert {place.case for place, _ in answer.found} <= {"C-TWIN", "C-ROD"}
    assert [score for _, score in answer.found] == sorted((score for _, score in answer.found), reverse=True)


def test_the_command_prints_them_and_draws_them(store: ArtifactStore, tmp_path: Path) -> None:
    picture = tmp_path / "alike.png"
    place = [str(mm) for mm in where(12, 20, 14)]
    options = ["--store", str(store.root), "--size", "40", "-k", "2", "--picture", str(picture), "--at", *place]
    shown = RUN.invoke(app, ["similar", "C-BALL", *options])
    assert shown.exit_code == 0, shown.output
    assert picture.read_bytes().startswith(b"\x89PNG")


@pytest.mark.parametrize(
    ("case", "message"),
    [("C-BALL", "has 0 findings"), ("C-", "names 3 of the 3 cases"), ("C-NOBODY", "names 0 of the 3 cases")],
)
def test_what_cannot_be_asked_is_said(store: ArtifactStore, case: str, message: str) -> None:
    with pytest.raises(StoreError, match=message):
        find_similar(store, case)


def test_a_case_is_shown_step_by_step_as_it_was_normalized(store: ArtifactStore, tmp_path: Path) -> None:
    before = sorted(store.root.rglob("*"))
    preview = tmp_path / "case.png"
    shown = RUN.invoke(app, ["normalize", "C-R", "--store", str(store.root), "--preview", str(preview)])
    assert shown.exit_code == 0, shown.output
    assert preview.read_bytes().startswith(b"\x89PNG")
    assert sorted(store.root.rglob("*")) == before


STUDY = """
name = "other"
[ingest.images.pet]
modality = "PT"
[[normalize.steps]]
name = "gaussian"
sigma_mm = 6
[[normalize.steps]]
name = "crop_organ"
"""


def test_other_steps_can_be_tried_and_the_one_that_fails_is_named(store: ArtifactStore, tmp_path: Path) -> None:
    study, preview = tmp_path / "other.toml", tmp_path / "case.png"
    study.write_text(STUDY)
    options = ["--store", str(store.root), "--study", str(study), "--preview", str(preview)]
    shown = RUN.invoke(app, ["normalize", "C-ROD", *options])
    assert shown.exit_code == 3, shown.output
    assert preview.exists()


def test_every_operation_is_listed_and_described() -> None:
    listed = RUN.invoke(app, ["steps"], env={"COLUMNS": "300"})
    assert listed.exit_code == 0
    for name in steps():
        assert name in listed.output
        described = RUN.invoke(app, ["steps", name])
        assert described.exit_code == 0, described.output


def test_an_unknown_operation_is_told_with_the_nearest(tmp_path: Path) -> None:
    refused = RUN.invoke(app, ["steps", "medain"], env={"COLUMNS": "300"})
    assert refused.exit_code == 2
    assert "Did you mean 'median'" in refused.output
