"""False positives taken away by the patch around each candidate: learned from Zarr, bit for bit the same."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch

from storage.errors import CaseError
from storage.keys import digest
from storage.volume import Volume
from tasks.deep.patch_network import lesion_probability, network_input, seen_axes
from tasks.imaging.augmentation.settings import Settings as Augmentation
from tasks.imaging.candidate_set import CandidateSet, Piece
from tasks.imaging.patch_files import PatchFacts, PatchSet, read_patches, write_patches
from tasks.imaging.patch_table import Group, centres_of, cut_all, patch_table
from tasks.imaging.patches import Form, PatchShape
from tasks.patch_model import candidate_scores
from tasks.train.engine_settings import EngineSettings
from tasks.train.patch_fit import TrainedPatchNetwork, fit_patch_network, held_out_rows
from tasks.train.patch_lesson import PatchLesson, taught_rows
from tasks.train.patch_network_settings import PatchNetworkSettings

SHAPE, SPACING = (10, 30, 40), (2.0, 1.0, 1.0)
BLOCK = PatchShape(size=(6, 10, 10))
LESIONS = ((3, 8, 9), (6, 20, 30))
STREAKS = ((3, 20, 9), (6, 8, 30))
SETTINGS = PatchNetworkSettings(
    held_out=0.2,
    options={"width": 4, "levels": 2, "depth": 1, "dropout": 0.0},
    engine=EngineSettings(epochs=8, batch=8, learning_rate=0.02, precision="float32", examine_every=4),
)


def phantom(number: int, *, lesions: bool = True) -> tuple[Volume, np.ndarray[Any, Any]]:
    """Two balls that are lesions, and two streaks as bright, across noise: image, and the lesions' numbers."""
    image = np.random.default_rng(number).normal(0, 0.5, SHAPE).astype(np.float32)
    drawn = np.zeros(SHAPE, np.uint16)
    z, y, x = np.indices(SHAPE)
    for lesion, (a, b, c) in enumerate(LESIONS if lesions else (), start=1):
        ball = 4 * (z - a) ** 2 + (y - b) ** 2 + (x - c) ** 2 <= 9
        image[ball], drawn[ball] = image[ball] + 3, lesion
    for a, b, c in STREAKS:
        image[a, b, c - 9 : c + 9] += 6
    return Volume(image, SPACING, unit="SUV"), drawn


def patches_of(folder: Path, number: int, *, shape: PatchShape = BLOCK, lesions: bool = True) -> PatchSet:
    """Six patches of a patient: two on his lesions, two on streaks, two anywhere else."""
    volume, drawn = phantom(number, lesions=lesions)
    groups = [
        Group("lesion", np.array(LESIONS if lesions else np.zeros((0, 3))).astype(np.int64).reshape(-1, 3)),
        Group("background", np.array([(3, 26, 20), (7, 14, 20)])),
        Group("hard", np.array(STREAKS), np.array([2.0, 1.0])),
    ]
    table = patch_table(groups, volume, shape, digest=digest(number), patient=f"P-{number}", lesions=drawn)
    folder.mkdir(parents=True)
    images = cut_all(volume, centres_of(table), shape)
    write_patches(folder, table, images, None, PatchFacts(shape, SPACING, volume.direction, "SUV", seed=0))
    return read_patches(folder)


@pytest.fixture(scope="module")
def sets(tmp_path_factory: pytest.TempPathFactory) -> list[PatchSet]:
    home = tmp_path_factory.mktemp("patches")
    return [patches_of(home / str(number), number) for number in range(8)]


@pytest.fixture(scope="module")
def trained(sets: list[PatchSet]) -> TrainedPatchNetwork:
    return fit_patch_network(sets, SETTINGS)


def lesson_of(sets: Sequence[PatchSet], settings: PatchNetworkSettings = SETTINGS) -> PatchLesson:
    rows = taught_rows(sets)
    return PatchLesson(sets, rows, held_out_rows(rows, 0.25, seed=0), settings)


def test_lesions_of_patients_never_seen_are_told_from_streaks(trained: TrainedPatchNetwork) -> None:
    found = []
    for number in (100, 101, 102):
        volume, _ = phantom(number)
        boxes = [tuple(slice(n - 1, n + 2) for n in place) for place in (*LESIONS, *STREAKS)]
        pieces = [Piece("component", 1.0, box, np.ones((3, 3, 3), dtype=bool)) for box in boxes]  # type: ignore[arg-type]
        candidates = CandidateSet.from_pieces(pieces, volume.array, voxel_ml=0.002, scores=[1.0] * 4)
        found.append((candidate_scores(trained.fitted, volume, candidates), np.array([True, True, False, False])))
    scores, lesion = (np.concatenate(parts) for parts in zip(*found, strict=True))
    assert scores[lesion].min() > scores[~lesion].max()


def test_what_it_learned_from_is_counted_by_patients(trained: TrainedPatchNetwork) -> None:
    assert (trained.patients, trained.patches, trained.lesions, trained.held_out) == (6, 36, 12, 12)
    first, last = trained.training.history[0], trained.training.history[-1]
    assert last.training["loss"] < first.training["loss"]
    assert last.held_out["accuracy"] > 0.9


def test_the_order_of_cases_and_a_second_time_change_no_bit(sets: list[PatchSet], trained: TrainedPatchNetwork) -> None:
    again = fit_patch_network(sets[::-1], SETTINGS).fitted
    assert all(torch.equal(value, again.state[name]) for name, value in trained.fitted.state.items())


def test_a_patch_changes_by_itself_in_whatever_batch(sets: list[PatchSet]) -> None:
    lesson = lesson_of(sets)
    many = lesson.batch(np.array([5, 3, 20, 7]), 2)
    one = lesson.batch(np.array([20]), 2)
    assert torch.equal(many.inputs[2:3], one.inputs)
    assert not torch.equal(lesson.batch(np.array([20]), 3).inputs, one.inputs)


def test_an_epoch_shows_each_patch_once_and_none_that_is_held_out(sets: list[PatchSet]) -> None:
    lesson = lesson_of(sets)
    held_out = np.flatnonzero(held_out_rows(taught_rows(sets), 0.25, seed=0))
    for epoch in (0, 1):
        shown = np.concatenate(lesson.steps(epoch))
        assert sorted([*shown, *held_out]) == list(range(48))
    assert [rows.tolist() for rows in lesson.steps(0)] != [rows.tolist() for rows in lesson.steps(1)]


def test_what_is_held_out_leaves_no_trace(sets: list[PatchSet], tmp_path: Path) -> None:
    """Held-out patients replaced by others with ten times the contrast: the same statistics, the same first batch."""
    rows = taught_rows(sets)
    out = set(rows["patient"][held_out_rows(rows, 0.25, seed=0)])

    def louder(one: PatchSet) -> PatchSet:
        if one.table["patient"][0] not in out:
            return one
        return PatchSet(one.facts, one.table, np.asarray(one.images[:]) * 10, None)  # type: ignore[arg-type]

    quiet, loud = lesson_of(sets), lesson_of([louder(one) for one in sets])
    assert (quiet.mean, quiet.std) == (loud.mean, loud.std)
    first = quiet.steps(0)[0]
    assert torch.equal(quiet.batch(first, 0).inputs, loud.batch(first, 0).inputs)


def test_both_classes_weigh_the_same(sets: list[PatchSet]) -> None:
    lesson = lesson_of(sets)
    answers = np.concatenate([lesson.batch(rows, 0).answers.numpy() for rows in lesson.steps(0)])
    rows = np.concatenate(lesson.steps(0))
    assert lesson.weight(rows[answers == 1]) == pytest.approx(lesson.weight(rows[answers == 0]))
    assert lesson.weight(rows) == pytest.approx(len(rows))


def test_a_patch_that_only_touches_a_lesion_teaches_nothing(sets: list[PatchSet]) -> None:
    touched = sets[0].table.copy()
    touched.loc[5, ["kind", "label"]] = ["grid", 1]
    rows = taught_rows([PatchSet(sets[0].facts, touched, sets[0].images, None)])
    assert rows["number"].tolist() == [0, 1, 2, 3, 4]
    assert rows["answer"].tolist() == [1, 1, 0, 0, 0]


@pytest.mark.parametrize("form", ["2-D", "slices", "planes"])
def test_slices_and_planes_are_learned_from_as_channels(form: Form, tmp_path: Path) -> None:
    shape = PatchShape(form=form, size=(8, 8, 8))
    sets = [patches_of(tmp_path / str(number), number, shape=shape) for number in range(2)]
    engine = EngineSettings(epochs=1, batch=8, precision="float32")
    settings = SETTINGS.model_copy(update={"engine": engine, "held_out": 0.0, "augmentation": Augmentation()})
    fitted = fit_patch_network(sets, settings).fitted
    found = lesion_probability(fitted, np.asarray(sets[0].images[:]))
    assert found.shape == (6,)
    assert ((found > 0) & (found < 1)).all()


def with_candidates(one: PatchSet, shown: np.ndarray[Any, Any]) -> PatchSet:
    return PatchSet(one.facts, one.table, one.images, None, shown)  # type: ignore[arg-type]


def test_a_candidate_moves_with_its_patch_and_intensities_leave_it_alone(sets: list[PatchSet]) -> None:
    bright = [np.asarray(one.images[:]) > 2 for one in sets]
    lesson = lesson_of([with_candidates(one, mask) for one, mask in zip(sets, bright, strict=True)])
    inputs = lesson.batch(lesson.steps(0)[0], 0).inputs
    limit = (2 - lesson.mean) / lesson.std
    assert inputs.shape == (8, 2, 6, 10, 10)
    assert torch.equal(inputs[:, 1], torch.where(inputs[:, 0] > limit, 1.0, -1.0))
    assert (lesson.mean, lesson.std) == (lesson_of(sets).mean, lesson_of(sets).std)


def test_what_only_the_candidate_tells_is_learned_and_asked_for_again(sets: list[PatchSet]) -> None:
    """Images are noise; candidates on lesions are balls, the others streaks."""
    ball, streak = np.zeros((2, *BLOCK.size), np.uint8)
    ball[2:5, 3:8, 3:8], streak[3, 5] = 1, 1
    shown = []
    for number, one in enumerate(sets):
        masks = np.stack([ball if kind == "lesion" else streak for kind in one.table["kind"]])
        noise = np.random.default_rng(number).normal(0, 1, (6, *BLOCK.size)).astype(np.float32)
        shown.append(PatchSet(one.facts, one.table, noise, None, masks))  # type: ignore[arg-type]
    fitted = fit_patch_network(shown, SETTINGS).fitted
    assert fitted.shows_candidate

    image = Volume(np.random.default_rng(9).normal(0, 1, SHAPE).astype(np.float32), SPACING, unit="SUV")
    box = (slice(1, 4), slice(6, 11), slice(6, 11)), (slice(6, 7), slice(20, 21), slice(20, 30))
    pieces = [Piece("component", 1.0, where, np.ones([s.stop - s.start for s in where], dtype=bool)) for where in box]
    candidates = CandidateSet.from_pieces(pieces, image.array, voxel_ml=0.002, scores=[1.0, 1.0])
    first, second = candidate_scores(fitted, image, candidates)
    assert first > 0.5 > second
    with pytest.raises(ValueError, match=r"expected patches of \(2, 6, 10, 10\)"):
        lesion_probability(fitted, np.zeros((2, 6, 10, 10), np.float32))
    with pytest.raises(ValueError, match="one shape"):
        fit_patch_network([shown[0], sets[1]], SETTINGS)


def test_slices_with_their_candidates_are_twice_as_many_channels() -> None:
    shape = PatchShape(form="slices", size=(3, 8, 8))
    both = np.stack([np.full((2, *shape.size), 5.0), np.ones((2, *shape.size))], axis=1)
    inputs = network_input(both, shape, mean=3.0, std=2.0)
    assert inputs.shape == (2, 6, 8, 8)
    assert inputs[0, :, 0, 0].tolist() == [1.0] * 6
    assert seen_axes(shape, SPACING, shows_candidate=True) == (6, (1.0, 1.0), (8, 8))


def test_patients_are_held_out_as_a_whole_and_two_always_learn() -> None:
    rows = pd.DataFrame({"patient": list("aabbccddee"), "answer": [1, 0, 1, 0, 0, 0, 0, 0, 1, 0]})
    kept = held_out_rows(rows, 0.5, seed=1)
    assert rows[kept]["patient"].nunique() == 3
    assert not set(rows["patient"][kept]) & set(rows["patient"][~kept])
    assert rows["answer"][~kept].any()
    assert not held_out_rows(rows[:4], 0.5, seed=0).any()
    assert not held_out_rows(rows, 0.0, seed=0).any()


def test_patients_without_a_lesion_cannot_teach(tmp_path: Path) -> None:
    sets = [patches_of(tmp_path / str(number), number, lesions=False) for number in range(2)]
    with pytest.raises(CaseError, match="0 of 8 patches"):
        fit_patch_network(sets, SETTINGS)


def test_patches_of_two_shapes_are_not_mixed(sets: list[PatchSet], tmp_path: Path) -> None:
    other = patches_of(tmp_path / "other", 9, shape=PatchShape(size=(4, 10, 10)))
    with pytest.raises(ValueError, match="one shape"):
        fit_patch_network([sets[0], other], SETTINGS)
    with pytest.raises(ValueError, match="one shape"):
        fit_patch_network([], SETTINGS)


def test_an_image_on_another_grid_is_not_scored(trained: TrainedPatchNetwork) -> None:
    volume, _ = phantom(0)
    wrong = Volume(volume.array, (1.0, 1.0, 1.0), unit="SUV")
    none = CandidateSet.from_pieces([], volume.array, voxel_ml=0.002, scores=[])
    with pytest.raises(ValueError, match=r"\(2\.0, 1\.0, 1\.0\) mm"):
        candidate_scores(trained.fitted, wrong, none)
    assert candidate_scores(trained.fitted, volume, none).shape == (0,)


def test_patches_of_another_shape_are_not_scored(trained: TrainedPatchNetwork) -> None:
    with pytest.raises(ValueError, match=r"expected patches of \(6, 10, 10\)"):
        lesion_probability(trained.fitted, np.zeros((2, 6, 10, 9), np.float32))


def test_a_network_that_is_not_for_patches_is_refused_before_work_starts() -> None:
    with pytest.raises(ValueError, match="choose from: cnn3d"):
        PatchNetworkSettings(model="unet")
