"""What every model that looks at patches owes the house; a new file in ``tasks/models`` is picked up here."""

from __future__ import annotations

import inspect
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import pytest

from storage.errors import CaseError
from storage.keys import digest
from storage.volume import IDENTITY_DIRECTION, Volume
from tasks.discover import part
from tasks.imaging.candidate_set import CandidateSet, Piece
from tasks.imaging.patch_files import PatchFacts, PatchSet
from tasks.imaging.patches import PatchShape
from tasks.model_kinds import PATCH_LEARNERS, PATCH_NETWORKS
from tasks.train.inner_folds import deal_inner_folds
from tasks.train.patch_model_settings import PatchModelSettings
from tasks.train.patch_models import FittedOnPatches, PatchCase, fit_on_patches
from tasks.train.settings import Settings

EVERY = (*PATCH_NETWORKS, *PATCH_LEARNERS)
SHAPE, SPACING = PatchShape(size=(4, 8, 8)), (2.0, 1.0, 1.0)
QUICK: dict[str, dict[str, Any]] = {
    "cnn3d": {
        "options": {"width": 4, "levels": 1, "depth": 1, "dropout": 0.0},
        "augmentation": {},
        "held_out": 0.0,
        "engine": {"epochs": 6, "batch": 8, "learning_rate": 0.03, "precision": "float32"},
    },
    "haar_cascade": {"options": {"candidates": 100, "stages": 1, "stumps": 3, "fewest": 5, "scales": [1.0]}},
}
"""Settings with which a test takes no time; a model without any has its defaults."""


def settings_of(name: str) -> PatchModelSettings:
    entry = {"model": name, "inner_folds": 2, **QUICK.get(name, {})}
    return Settings.model_validate({"on_patches": [entry]}).on_patches[0]


def case_of(number: int, *, ill: bool = True, mislabelled: bool = False) -> PatchCase:
    """Five patches with something bright in the middle, if he is ill, five without; a candidate of either kind."""
    rng = np.random.default_rng(number)
    images = rng.normal(0, 0.5, (10, 4, 8, 8)).astype(np.float32)
    lesion = np.arange(10) < (5 if ill else 0)
    images[:, :, 0] += 2  # seen in all of them
    array = np.concatenate([images[0], images[9]], axis=2)
    array[1:3, 3:6, 3:6] += 3
    images[lesion, 1:3, 3:6, 3:6] += 3
    lesion = lesion != mislabelled
    about = {"number": range(10), "digest": digest(number), "patient": f"P-{number}", "label": lesion.astype(int)}
    table = pd.DataFrame(about).assign(kind=np.where(lesion, "lesion", "background"))
    facts = PatchFacts(SHAPE, SPACING, IDENTITY_DIRECTION, "SUV", 0)
    pieces = [
        Piece("blob", 1.0, (slice(1, 3), slice(3, 6), slice(x, x + 3)), np.ones((2, 3, 3), bool)) for x in (3, 11)
    ]
    return PatchCase(
        patient=f"P-{number}",
        digest=digest(number),
        patches=PatchSet(facts, table, images, None),  # type: ignore[arg-type]
        candidates=CandidateSet.from_pieces(pieces, array, voxel_ml=0.002, scores=[1.0, 1.0]),
        image=lambda: Volume(array, SPACING, unit="SUV"),
    )


@pytest.fixture(scope="module")
def fitted() -> dict[str, FittedOnPatches]:
    return {name: fit_on_patches([case_of(n) for n in range(4)], settings_of(name)) for name in EVERY}


def test_the_models_that_studies_name_are_there() -> None:
    assert set(EVERY) >= {"cnn3d", "haar_cascade"}


@pytest.mark.parametrize("name", PATCH_LEARNERS)
def test_one_that_is_no_network_learns_scores_and_is_kept_by_itself(name: str) -> None:
    module = part("tasks.models", name)
    assert list(inspect.signature(module.learn_on_patches).parameters) == ["sets", "settings", "seed"]
    assert list(inspect.signature(module.score_patches).parameters)[1:] == ["patches"]
    assert callable(module.save)
    assert callable(module.load)


@pytest.mark.parametrize("name", EVERY)
def test_lesions_of_patients_never_seen_score_higher(fitted: dict[str, FittedOnPatches], name: str) -> None:
    scores = np.stack([fitted[name].held_out[digest(n)] for n in range(4)])
    assert ((scores >= 0) & (scores <= 1)).all()
    assert scores[:, 0].min() > scores[:, 1].max()
    assert (fitted[name].patients, fitted[name].patches, fitted[name].lesions) == (4, 40, 20)


@pytest.mark.parametrize("name", EVERY)
def test_what_a_patient_teaches_never_comes_back_in_his_own_scores(
    fitted: dict[str, FittedOnPatches], name: str
) -> None:
    """His labels are wrong, and the cases in another order: others' candidates are scored anew, his as before."""
    cases = [case_of(n, mislabelled=n == 2) for n in (3, 2, 1, 0)]
    before, after = fitted[name].held_out, fit_on_patches(cases, settings_of(name)).held_out
    assert after[digest(2)].tobytes() == before[digest(2)].tobytes()
    changed = {n for n in range(4) if after[digest(n)].tobytes() != before[digest(n)].tobytes()}
    fold = dict(zip(order := sorted(range(4), key=digest), _folds(order), strict=True))
    assert changed == {n for n in range(4) if fold[n] != fold[2]}


def _folds(order: list[int]) -> list[int]:
    return deal_inner_folds([f"P-{n}" for n in order], [digest(n) for n in order], [True] * 4, count=2, seed=0)


@pytest.mark.parametrize("name", EVERY)
def test_an_inner_fold_that_teaches_nothing_says_nothing_and_all_of_them_are_a_fault(name: str) -> None:
    one = [case_of(n, ill=n == 0) for n in range(3)]
    found = fit_on_patches(one, settings_of(name))
    assert found.held_out[digest(0)].tolist() == [0, 0]  # nobody else is ill
    with pytest.raises(CaseError):
        fit_on_patches([case_of(n, ill=False) for n in range(3)], settings_of(name))


def test_images_on_other_grids_are_not_mixed() -> None:
    case = case_of(1)
    facts = replace(case.patches.facts, spacing_mm=(1.0, 1.0, 1.0))
    other = replace(case, patches=replace(case.patches, facts=facts))
    for name in EVERY:
        with pytest.raises(ValueError, match=r"one shape, spacing and unit; got 2"):
            fit_on_patches([case_of(0), other, case_of(2), case_of(3)], settings_of(name))


def test_both_examinations_of_a_patient_are_in_one_inner_fold_and_the_ill_are_dealt_evenly() -> None:
    patients = [f"P-{n % 6}" for n in range(12)]
    lesions = [n % 6 < 3 for n in range(12)]
    folds = deal_inner_folds(patients, [digest(n) for n in range(12)], lesions, count=3, seed=0)
    assert folds[:6] == folds[6:]
    assert sorted(fold for fold, ill in zip(folds[:6], lesions[:6], strict=True) if ill) == [0, 1, 2]
    assert deal_inner_folds(["a", "b"], ["1", "2"], [True, True], count=5, seed=0) in ([0, 1], [1, 0])
