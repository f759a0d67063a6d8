"""Labelled patches of a case in the store: balanced, hard, the same for everyone who draws them."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, cast

import numpy as np
import pandas as pd
import pytest

from storage.artifacts import ArtifactStore
from storage.case import Case
from storage.keys import digest
from storage.ome_zarr import write_volume
from storage.volume import Volume
from tasks.imaging.candidate_files import read_candidates, write_candidates
from tasks.imaging.candidate_set import CandidateSet, Piece
from tasks.imaging.patch_files import PatchSet, read_patches
from tasks.imaging.patches import GridSettings, PatchShape
from tasks.sample import patch_task as windows
from tasks.sample.patch_settings import PatchSettings as WindowSettings
from tasks.task import Outcome, StageTask, Work, hand_over
from tasks.train.patch_settings import PatchSettings
from tasks.train.patch_task import cut_patches, plan
from tasks.train.patches import choose_patches

SHAPE = (24, 40, 40)
SPACING = (3.0, 2.0, 2.0)
SETTINGS = PatchSettings(patch=PatchShape(size=(8, 12, 12)), per_lesion=5, hard=2, jitter_mm=6.0)


def boxed(*box: tuple[int, int]) -> tuple[slice, slice, slice]:
    z, y, x = (slice(*side) for side in box)
    return z, y, x


LESIONS = [boxed((4, 8), (8, 13), (8, 13)), boxed((15, 18), (28, 32), (25, 31))]
OTHERS = [boxed((4, 8), (26, 31), (8, 13)), boxed((16, 20), (6, 11), (26, 31)), boxed((10, 13), (18, 21), (18, 21))]


def put(store: ArtifactStore, stage: str, content: Any, write: Callable[[Path], object]) -> str:
    key = digest([stage, content])
    marks: dict[str, Any] = {"inputs": {}, "settings": {}, "source": "s", "versions": {}}
    with store.write(stage=stage, key=key, subject="C", **marks) as folder:
        write(folder)
    return key


def make_case(store: ArtifactStore, *, lesions: int | None = 2, name: str = "C-1") -> Case:
    """A body with bright boxes, of which the first ``lesions`` are annotated and all are candidates."""
    image = np.random.default_rng(1).normal(0, 0.1, SHAPE).astype(np.float32)
    boxes = [*LESIONS, *OTHERS]
    for level, box in enumerate(boxes):
        image[box] += 5.0 + level
    body = np.zeros(SHAPE, np.uint8)
    body[1:-1, 2:-2, 2:-2] = 1
    drawn = np.zeros(SHAPE, np.uint16)
    for number, box in enumerate(LESIONS[:lesions] if lesions else [], start=1):
        drawn[box] = number
    volume = Volume(image, SPACING, (1.0, 2.0, 3.0), unit="SUV")
    pieces = [Piece("component", 1.0, b, np.ones([s.stop - s.start for s in b], dtype=bool)) for b in boxes]
    candidates = CandidateSet.from_pieces(pieces, image, voxel_ml=0.012, scores=[9.0, 8.0, 3.0, 7.0, 5.0])

    def sample(folder: Path) -> None:
        write_candidates(folder, candidates)
        write_volume(folder / "body.zarr", volume.with_array(body, unit="label"))

    def annotate(folder: Path) -> None:
        (folder / "facts.json").write_text(json.dumps({"lesions": lesions}))
        if lesions is not None:
            write_volume(folder / "lesions.zarr", volume.with_array(drawn, unit="label"))

    keys = {
        "normalize": put(store, "normalize", 1, lambda f: write_volume(f / "image.zarr", volume)),
        "sample": put(store, "sample", 1, sample),
        "annotate": put(store, "annotate", lesions, annotate),
    }
    return Case(id=name, patient="P-7", digest=digest("image"), keys=keys)


def done(store: ArtifactStore, task: StageTask, work: Work) -> Outcome:
    return cast(Outcome, task.fn(*hand_over(work, store)).result())


def patches_of(store: ArtifactStore, case: Case, settings: PatchSettings = SETTINGS) -> PatchSet:
    work = plan(case, settings)
    assert done(store, cut_patches, work).verdict is None
    return read_patches(store.open("patches", work.key))


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> ArtifactStore:
    return ArtifactStore(tmp_path_factory.mktemp("store"))


def test_patches_are_balanced_and_labelled_by_what_they_hold(store: ArtifactStore) -> None:
    found = patches_of(store, make_case(store))
    assert found.table["kind"].value_counts().to_dict() == {"lesion": 10, "background": 10, "hard": 2}
    held = [int(mask.max()) for mask in found.masks[:]]
    assert (found.table["label"] == [int(h > 0) for h in held]).all()
    assert set(found.table["label"][found.table["kind"] == "lesion"]) == {1}
    assert set(found.table["label"][found.table["kind"] != "lesion"]) == {0}
    assert set(found.table["patient"]) == {"P-7"}


def test_hard_negatives_score_highest_and_overlap_no_lesion(store: ArtifactStore) -> None:
    hard = patches_of(store, make_case(store)).table.query("kind == 'hard'")
    assert hard["score"].tolist() == [7.0, 5.0]
    assert hard[["centre_z", "centre_y", "centre_x"]].to_numpy().tolist() == [[18, 8, 28], [11, 19, 19]]


def test_images_and_masks_are_cut_at_the_centres_of_the_table(store: ArtifactStore) -> None:
    found = patches_of(store, make_case(store))
    masks, images = np.asarray(found.masks[:]), np.asarray(found.images[:])
    assert images[masks == 1].min() > 4.0
    assert images[masks == 2].min() > 5.0
    world = found.table[["x_mm", "y_mm", "z_mm"]].to_numpy()
    centres = found.table[["centre_x", "centre_y", "centre_z"]].to_numpy()
    assert np.allclose(world, centres * np.array([2.0, 2.0, 3.0]) + np.array([1.0, 2.0, 3.0]))


@pytest.mark.parametrize("form", ["2-D", "slices", "planes"])
def test_every_form_is_labelled_by_its_own_voxels(store: ArtifactStore, form: str) -> None:
    settings = SETTINGS.model_copy(update={"patch": PatchShape(form=form, size=(9, 9, 9))})
    found = patches_of(store, make_case(store), settings)
    assert found.images.shape[1:] == settings.patch.array_shape
    assert set(found.table["label"][found.table["kind"] == "lesion"]) == {1}
    assert (found.table["label"] == [int(mask.any()) for mask in found.masks[:]]).all()


def test_pseudonyms_workers_and_other_sources_change_no_patch(
    tmp_path: Path, store: ArtifactStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    one = patches_of(store, make_case(store))
    elsewhere = ArtifactStore(tmp_path / "elsewhere")
    monkeypatch.setenv("OMP_NUM_THREADS", "3")
    other = patches_of(elsewhere, make_case(elsewhere, name="C-another"))
    pd.testing.assert_frame_equal(one.table, other.table)
    assert (one.images[:] == other.images[:]).all()
    without = patches_of(store, make_case(store), SETTINGS.model_copy(update={"per_lesion": 0, "background_least": 10}))
    assert (
        one.table.query("kind == 'background'")["centre_y"].tolist()
        == without.table.query("kind == 'background'")["centre_y"].tolist()
    )
    reseeded = patches_of(store, make_case(store), SETTINGS.model_copy(update={"seed": 1}))
    assert reseeded.table["centre_y"].tolist() != one.table["centre_y"].tolist()


def test_a_case_without_lesions_gives_negatives_alone_and_one_without_annotation_a_verdict(
    store: ArtifactStore,
) -> None:
    healthy = patches_of(store, make_case(store, lesions=0))
    assert healthy.table["kind"].value_counts().to_dict() == {"background": 8, "hard": 2}
    assert set(healthy.table["label"]) == {0}
    outcome = done(store, cut_patches, plan(make_case(store, lesions=None), SETTINGS))
    assert outcome.verdict == "no annotation: patches of this case cannot be labelled"


SHOWN = SETTINGS.model_copy(update={"show_candidate": True, "jitter_mm": 0.0})


def centres(found: PatchSet, kind: str) -> list[list[int]]:
    rows = found.table[found.table["kind"] == kind]
    return rows[["centre_z", "centre_y", "centre_x"]].to_numpy().tolist()


def test_where_candidates_are_shown_every_patch_lies_on_one(store: ArtifactStore) -> None:
    found = patches_of(store, make_case(store), SHOWN.model_copy(update={"hard": 1}))
    assert centres(found, "lesion") == [[6, 10, 10]] * 5 + [[16, 30, 28]] * 5
    assert (centres(found, "hard"), found.table["score"].max()) == ([[18, 8, 28]], 7.0)
    assert sorted(centres(found, "background")) == [[6, 28, 10], [11, 19, 19]]  # all that are left
    assert set(found.table["label"][found.table["kind"] != "lesion"]) == {0}


def test_a_patch_shows_its_own_candidate(store: ArtifactStore) -> None:
    found = patches_of(store, make_case(store), SHOWN.model_copy(update={"jitter_mm": 6.0, "hard": 1}))
    images, shown = np.asarray(found.images[:]), np.asarray(found.candidates[:])
    assert ((images > 2) == (shown > 0)).all()  # each box is bright, far from the others, and a candidate
    assert (shown[found.table["kind"] == "lesion"] == (np.asarray(found.masks[:])[:10] > 0)).all()
    assert patches_of(store, make_case(store)).candidates is None


def test_a_candidate_that_outlines_a_lesion_badly_is_not_shown_as_one(store: ArtifactStore) -> None:
    fits = SHOWN.model_copy(update={"least_iou": 1.0})
    half = np.zeros(SHAPE, np.uint16)
    half[boxed((2, 8), (8, 13), (8, 13))] = 1  # two thirds of it are a candidate
    sample = read_candidates(store.open("sample", make_case(store).keys["sample"]))

    def drawn(settings: PatchSettings) -> int:
        body = np.ones(SHAPE, dtype=bool)
        lesion, *_ = choose_patches(half, body, sample, settings, digest=digest(1), spacing_mm=SPACING)
        return len(lesion.centres)

    assert (drawn(SHOWN.model_copy(update={"least_iou": 0.6})), drawn(fits)) == (5, 0)


def test_patches_of_a_grid_or_of_planes_show_no_candidate() -> None:
    for about in ({"grid": {}}, {"patch": {"form": "planes", "size": (8, 8, 8)}}):
        with pytest.raises(ValueError, match="show no candidates"):
            PatchSettings.model_validate({"show_candidate": True, **about})


def test_a_grid_is_added_when_asked(store: ArtifactStore) -> None:
    found = patches_of(store, make_case(store), SETTINGS.model_copy(update={"grid": GridSettings()}))
    assert (found.table["kind"] == "grid").sum() == 3 * 4 * 4


def test_windows_cover_the_body_without_looking_at_any_annotation(store: ArtifactStore) -> None:
    case = make_case(store)
    work = windows.plan(case, WindowSettings(patch=SETTINGS.patch))
    assert "annotate" not in work.inputs
    assert done(store, windows.cut_windows, work).verdict is None
    found = read_patches(store.open("windows", work.key))
    assert found.masks is None
    assert set(found.table["kind"]) == {"grid"}
    assert set(found.table["label"]) == {-1}
    seen = np.zeros(SHAPE, dtype=bool)
    for centre in found.table[["centre_z", "centre_y", "centre_x"]].to_numpy():
        start = centre - np.array([4, 6, 6])
        seen[tuple(slice(max(0, a), a + n) for a, n in zip(start, (8, 12, 12), strict=True))] = True
    assert seen[1:-1, 2:-2, 2:-2].all()
