"""Windows, their loss, and a small network that learns to segment phantoms."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from pydantic import ValidationError

from storage.errors import CaseError
from storage.volume import IDENTITY_DIRECTION
from tasks.deep.segmenter import segment
from tasks.phantom.labelled import SPACING_MM, STRUCTURES, labelled_volume
from tasks.train.segmentation import fit_segmenter, part_held_out
from tasks.train.segmentation_lesson import SegmentationLesson, window_centre
from tasks.train.segmentation_loss import dice_of_classes, window_losses
from tasks.train.segmentation_settings import SegmentationSettings
from tasks.train.segmentation_volumes import LabelledVolume, intensities

SETTINGS = SegmentationSettings.model_validate(
    {
        "window": [16, 24, 16],
        "windows": 2,
        "options": {"width": 4, "levels": 2},
        "held_out": 0.25,
        "engine": {"epochs": 2, "batch": 2, "learning_rate": 5e-3, "precision": "float32"},
    }
)


def labelled(number: int, patient: str | None = None) -> LabelledVolume:
    volume, classes = labelled_volume(number)
    digest = f"{number:064x}"
    return LabelledVolume(digest, patient or digest, volume.array, classes, SPACING_MM, IDENTITY_DIRECTION, "z")


@pytest.fixture(scope="module")
def cases() -> list[LabelledVolume]:
    return [labelled(number) for number in range(4)]


def lesson(cases: list[LabelledVolume], settings: SegmentationSettings = SETTINGS) -> SegmentationLesson:
    return SegmentationLesson(cases, [], settings, structures=2, mean=80.0, std=30.0)


def one_hot(classes: torch.Tensor, *, sure: float) -> torch.Tensor:
    return torch.nn.functional.one_hot(classes, 3).movedim(-1, 1).float().mul(sure).log_softmax(1)


def test_an_epoch_shows_every_window_once(cases: list[LabelledVolume]) -> None:
    steps = lesson(cases).steps(3)
    assert sorted(np.concatenate(steps).tolist()) == list(range(8))
    assert {len(rows) for rows in steps} == {2}


def test_the_order_changes_with_the_epoch(cases: list[LabelledVolume]) -> None:
    found = lesson(cases)
    assert [rows.tolist() for rows in found.steps(0)] != [rows.tolist() for rows in found.steps(1)]


def test_a_window_depends_on_epoch_and_row_alone(cases: list[LabelledVolume]) -> None:
    one, other = lesson(cases), lesson(cases)
    other.batch(np.array([5, 1]), 0)
    first, again = one.batch(np.array([2, 3]), 4), other.batch(np.array([3, 2]), 4)
    assert torch.equal(first.inputs[0], again.inputs[1])
    assert torch.equal(first.answers[1], again.answers[0])
    assert not torch.equal(first.inputs, one.batch(np.array([2, 3]), 5).inputs)


def test_batches_have_the_shape_of_windows(cases: list[LabelledVolume]) -> None:
    batch = lesson(cases).batch(np.array([0, 1, 2]), 0)
    assert (batch.inputs.shape, batch.inputs.dtype) == ((3, 1, 16, 24, 16), torch.float32)
    assert (batch.answers.shape, batch.answers.dtype) == ((3, 16, 24, 16), torch.int64)


def test_every_window_around_a_structure_holds_some_of_it(cases: list[LabelledVolume]) -> None:
    sure = SETTINGS.model_copy(update={"foreground": 1.0})
    shown = lesson(cases, sure)
    assert all((shown.window(row, epoch).mask > 0).any() for row in range(8) for epoch in range(4))  # type: ignore[operator]


def test_a_window_lies_within_the_image_or_in_its_middle() -> None:
    rng = np.random.default_rng(0)
    for _ in range(50):
        z, y, x = window_centre((40, 10, 16), (16, 24, 16), [], 1.0, rng)
        assert 8 <= z <= 32
        assert y == (10 - 24) // 2 + 12
        assert x == 8


def test_structures_without_voxels_are_passed_over() -> None:
    voxels = [np.zeros((0, 3), np.int64), np.array([[20, 20, 20]])]
    centre = window_centre((40, 40, 40), (16, 16, 16), voxels, 1.0, np.random.default_rng(0))
    assert centre.tolist() == [20, 20, 20]


def test_a_sure_and_right_answer_costs_nothing_and_a_wrong_one_much() -> None:
    answers = torch.from_numpy(labelled_volume(0)[1].astype(np.int64))[None]
    right, wrong = one_hot(answers, sure=60), one_hot((answers + 1) % 3, sure=60)
    assert float(window_losses(right, answers)) == pytest.approx(0, abs=1e-4)
    assert float(window_losses(wrong, answers)) > 10


def test_the_loss_of_ignorance_is_what_hands_compute() -> None:
    answers = torch.zeros(1, 2, 2, 2, dtype=torch.int64)
    answers[0, 0] = 1
    answers[0, 1, 0] = 2
    ignorant = torch.zeros(1, 3, 2, 2, 2).log_softmax(1)
    # Soft Dice 2 (n / 3) / (n + 8 / 3) of structures with 4 and with 2 voxels, and ln 3.
    missed = 1 - (2 * (4 / 3) / (4 + 8 / 3) + 2 * (2 / 3) / (2 + 8 / 3)) / 2
    assert float(window_losses(ignorant, answers)) == pytest.approx(missed + np.log(3), abs=1e-4)


def test_dice_of_classes_counts_an_absent_structure_as_right() -> None:
    answers = torch.zeros(1, 2, 2, 2, dtype=torch.int64)
    answers[0, 0] = 1
    assert float(dice_of_classes(answers, answers, 3)) == 1
    assert float(dice_of_classes(torch.zeros_like(answers), answers, 3)) == 0.5


def test_whole_patients_are_held_out_whatever_the_order() -> None:
    several = [labelled(number, patient=f"P-{number // 2}") for number in range(8)]
    learn, held_out = part_held_out(several, 0.25, seed=0)
    assert (len(learn), len(held_out)) == (6, 2)
    assert not {case.patient for case in learn} & {case.patient for case in held_out}
    assert [case.digest for case in part_held_out(several[::-1], 0.25, seed=0)[1]] == [c.digest for c in held_out]


def test_two_patients_are_always_left_to_learn_from() -> None:
    assert len(part_held_out([labelled(0), labelled(1)], 0.5, seed=0)[0]) == 2


def test_each_case_counts_the_same_for_mean_and_deviation(cases: list[LabelledVolume]) -> None:
    mean, std = intensities(cases[:2])
    both = np.stack([case.image for case in cases[:2]])
    assert (mean, std) == (pytest.approx(both.mean(), rel=1e-4), pytest.approx(both.std(), rel=1e-4))


def test_a_network_learns_and_a_killed_training_ends_the_same(cases: list[LabelledVolume], tmp_path: Path) -> None:
    class Killed(BaseException):
        pass

    def kill(record: object) -> None:
        raise Killed

    with pytest.raises(Killed):
        fit_segmenter(cases, STRUCTURES, SETTINGS, checkpoint=tmp_path / "checkpoint.pt", on_epoch=kill)
    resumed = fit_segmenter(cases, STRUCTURES, SETTINGS, checkpoint=tmp_path / "checkpoint.pt")
    whole = fit_segmenter(cases[::-1], STRUCTURES, SETTINGS)
    assert all(torch.equal(value, whole.fitted.state[name]) for name, value in resumed.fitted.state.items())
    assert (whole.patients, whole.cases, whole.held_out) == (3, 3, 1)
    assert whole.history[1]["training"]["loss"] < whole.history[0]["training"]["loss"]
    assert set(whole.history[1]["held_out"]) == {"loss", "dice"}
    found = segment(whole.fitted, cases[0].image)
    assert found.shape == (3, *cases[0].classes.shape)
    assert np.allclose(found.sum(axis=0), 1, atol=1e-3)


def test_cases_without_any_structure_teach_nothing() -> None:
    empty = [
        LabelledVolume(f"{n:064x}", f"P-{n}", np.ones((8, 8, 8)), np.zeros((8, 8, 8), np.uint8), (1, 1, 1),
                       IDENTITY_DIRECTION, "z")
        for n in range(3)
    ]  # fmt: skip
    with pytest.raises(CaseError, match="nothing to learn"):
        fit_segmenter(empty, STRUCTURES, SETTINGS)


def test_early_stopping_without_anybody_to_examine_is_refused_before_training(cases: list[LabelledVolume]) -> None:
    def never(record: object) -> None:
        pytest.fail("an epoch was trained")

    settings = SETTINGS.model_copy(update={"engine": SETTINGS.engine.model_copy(update={"patience": 2})})
    for share, count, needed in ((0.25, 2, 3), (0.1, 4, 6), (0.5, 2, 3)):
        few = settings.model_copy(update={"held_out": share})
        with pytest.raises(CaseError, match=f"of {count} none can be held out: expected at least {needed} with"):
            fit_segmenter(cases[:count], STRUCTURES, few, on_epoch=never)
        enough = [labelled(number) for number in range(needed)]
        assert part_held_out(enough, share, seed=0)[1]
        assert not part_held_out(enough[:-1], share, seed=0)[1]


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"model": "alexnet"}, "no network 'alexnet' for segmentation"),
        ({"options": {"depth": 3}}, "depth"),
        ({"held_out": 0, "engine": {"patience": 3}}, "patience needs patients"),
        ({"window": [4, 16, 16]}, "greater than or equal to 8"),
    ],
)
def test_settings_that_cannot_work_are_refused(changes: dict[str, object], says: str) -> None:
    with pytest.raises(ValidationError, match=says):
        SegmentationSettings.model_validate(changes)


def test_the_last_patient_with_a_structure_is_never_held_out() -> None:
    cases = [
        LabelledVolume(f"{n:064x}", f"P-{n}", np.ones((8, 8, 8)), np.full((8, 8, 8), n == 3, np.uint8), (1, 1, 1),
                       IDENTITY_DIRECTION, "z")
        for n in range(9)
    ]  # fmt: skip
    for seed in range(30):
        learn, held_out = part_held_out(cases, 0.3, seed=seed)
        assert (len(learn), len(held_out)) == (6, 3)
        assert any(case.patient == "P-3" for case in learn)


def test_a_window_that_the_poolings_do_not_divide_becomes_the_next_larger_one() -> None:
    settings = SETTINGS.model_copy(
        update={"window": (9, 10, 11), "engine": SETTINGS.engine.model_copy(update={"epochs": 1})}
    )
    cases = [labelled(n) for n in range(3)]
    found = fit_segmenter(cases, STRUCTURES, settings)
    assert all(length >= asked for length, asked in zip(found.fitted.window, (9, 10, 11), strict=True))
