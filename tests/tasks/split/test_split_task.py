"""The stage: its key follows the members, not their order, and the table comes back as it was dealt."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from storage.artifacts import ArtifactStore
from tasks.imaging.duplicate_volumes import volume_thumbnails
from tasks.leakage import Pair
from tasks.split.folds import Member, patient_folds
from tasks.split.settings import Settings
from tasks.split.task import plan, read_folds, split_cohort
from tasks.task import hand_over

MEMBERS = [Member(f"P-{n}", f"digest {n}", n % 2) for n in range(6)]


def test_the_order_of_the_cases_is_not_in_the_key() -> None:
    assert plan(MEMBERS[::-1], Settings()).key == plan(MEMBERS, Settings()).key


def test_every_member_and_every_setting_is_in_the_key() -> None:
    others = [
        plan(MEMBERS[:-1], Settings()),
        plan([*MEMBERS[:-1], Member("P-5", "digest 5", None)], Settings()),
        plan([*MEMBERS[:-1], Member("P-5", "repaired", 1)], Settings()),
        plan(MEMBERS, Settings(folds=3)),
        plan(MEMBERS, Settings(seed=1)),
    ]
    assert len({plan(MEMBERS, Settings()).key, *(work.key for work in others)}) == 6


def test_the_table_comes_back_from_the_store(tmp_path: Path) -> None:
    store, work = ArtifactStore(tmp_path), plan(MEMBERS, Settings(folds=3, seed=4))
    assert split_cohort.fn(*hand_over(work, store)).name == "Completed"
    assert read_folds(store.open("split", work.key)) == patient_folds(MEMBERS, folds=3, seed=4)


def test_one_examination_under_two_patients_is_one_group(tmp_path: Path) -> None:
    store, keys = ArtifactStore(tmp_path), {}
    for number in range(5):
        volume = np.random.default_rng(number % 4).normal(size=(8, 20, 20))  # the last is the first again
        marks = {"inputs": {}, "settings": {}, "source": "s", "versions": {}}
        with store.write(stage="ingest", key=f"{number}" * 64, subject="C", **marks) as folder:
            np.save(folder / "ct.thumbnails.npy", volume_thumbnails(volume))
        keys[number] = f"{number}" * 64
    members = [Member(f"P-{n}", f"digest {n}", 1, f"C-{n}", keys[n]) for n in range(5)]
    work = plan(members, Settings(folds=4), image="ct")
    assert split_cohort.fn(*hand_over(work, store)).name == "Completed"
    folds = read_folds(store.open("split", work.key))
    assert folds.pairs == (Pair("C-0", "C-4", 1.0),)
    assert folds.groups["C-4"] == folds.groups["C-0"] == "P-0"
    assert folds.patients["P-4"] == folds.patients["P-0"]
    assert plan(members, Settings(folds=4)).key != work.key
