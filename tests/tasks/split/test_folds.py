"""Folds by hand, and what holds of them for every cohort."""

from __future__ import annotations

from collections import Counter
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from storage.keys import digest
from tasks.leakage import Pair
from tasks.split.folds import Folds, Member, patient_folds


def cohort(*lesions: int | None) -> list[Member]:
    """One case per patient: patient 0 has ``lesions[0]``, and so on."""
    return [Member(f"P-{number}", digest(number), count) for number, count in enumerate(lesions)]


@st.composite
def cohorts(draw: st.DrawFn) -> list[Member]:
    """Up to 25 cases of up to 12 patients."""
    cases = draw(st.lists(st.tuples(st.integers(0, 11), st.sampled_from([None, 0, 0, 1, 3])), max_size=25))
    return [Member(f"P-{patient}", digest(number), count) for number, (patient, count) in enumerate(cases)]


def test_six_patients_make_three_folds_of_one_with_and_one_without_lesions() -> None:
    members = cohort(1, 1, 1, 0, 0, 0)
    folds = patient_folds(members, folds=3, seed=0)
    assert (folds.count, folds.note) == (3, None)
    for fold in range(3):
        inside = [member for member in members if folds.patients[member.patient] == fold]
        assert sorted(bool(member.lesions) for member in inside) == [False, True]


def test_patients_are_dealt_in_the_order_of_their_digests_and_the_seed() -> None:
    members = cohort(1, 1, 1, 1)
    order = sorted(members, key=lambda member: digest([member.digest, 7]))
    folds = patient_folds(members, folds=4, seed=7)
    assert folds.patients == {member.patient: fold for fold, member in enumerate(order)}


def test_another_seed_deals_differently() -> None:
    members = cohort(*[1] * 10)
    assert patient_folds(members, folds=5, seed=0) != patient_folds(members, folds=5, seed=1)


@settings(max_examples=150, deadline=None)
@given(members=cohorts(), asked=st.integers(2, 6), seed=st.integers(0, 3))
def test_every_annotated_patient_is_in_one_fold_and_positives_are_spread(
    members: list[Member], asked: int, seed: int
) -> None:
    folds = patient_folds(members, folds=asked, seed=seed)
    lesions: dict[str, int] = {}
    for member in members:
        if member.lesions is not None:
            lesions[member.patient] = lesions.get(member.patient, 0) + member.lesions
    if folds.count == 0:
        assert len(lesions) < 3 or sum(map(bool, lesions.values())) < 2
        assert folds.patients == {}
        return
    assert set(folds.patients) == set(lesions)
    assert set(folds.patients.values()) == set(range(folds.count))
    for chosen in (lesions, [patient for patient, count in lesions.items() if count]):
        sizes = Counter(dict.fromkeys(range(folds.count), 0))
        sizes.update(folds.patients[patient] for patient in chosen)
        assert max(sizes.values()) - min(sizes.values()) <= 1
    for fold in range(folds.count):
        learnt = [patient for patient in lesions if folds.patients[patient] != fold]
        assert len(learnt) >= 2
        assert any(lesions[patient] for patient in learnt)


@settings(max_examples=100, deadline=None)
@given(members=cohorts(), order=st.randoms(use_true_random=False))
def test_neither_pseudonyms_nor_the_order_of_the_cases_matter(members: list[Member], order: st.DataObject) -> None:
    renamed = {f"P-{n}": f"P-{digest(['another key', n])}" for n in range(12)}
    shuffled = [Member(renamed[member.patient], member.digest, member.lesions) for member in members]
    order.shuffle(shuffled)
    before, after = patient_folds(members, folds=4, seed=0), patient_folds(shuffled, folds=4, seed=0)
    assert after == Folds(before.count, {renamed[p]: fold for p, fold in before.patients.items()}, before.note)


def test_a_patient_is_dealt_once_whatever_he_brings() -> None:
    members = [*cohort(1, 1, 0, 0), Member("P-2", digest("second examination"), 2)]
    folds = patient_folds(members, folds=3, seed=0)
    assert len(folds.patients) == 4
    assert len({folds.patients[patient] for patient in ("P-0", "P-1", "P-2")}) == 3  # all three have lesions


def test_cases_that_nobody_annotated_are_in_no_fold() -> None:
    assert set(patient_folds(cohort(1, None, 1, 0, None), folds=2, seed=0).patients) == {"P-0", "P-2", "P-3"}


def test_fewer_folds_than_asked_are_said() -> None:
    folds = patient_folds(cohort(1, 1, 1, 0, 0, 0), folds=5, seed=0)
    assert (folds.count, folds.note) == (3, "3 folds instead of 5: 6 annotated patients, 3 of them with lesions")


@pytest.mark.parametrize("asked", [2, 3, 5])
@pytest.mark.parametrize("lesions", [(1, 1, 0), (1, 1, 1)])
def test_three_patients_make_three_folds_so_that_two_are_left_to_learn_from(
    asked: int, lesions: tuple[int, ...]
) -> None:
    folds = patient_folds(cohort(*lesions), folds=asked, seed=0)
    assert folds.count == 3
    assert (folds.note is None) == (asked == 3)


@pytest.mark.parametrize(
    ("lesions", "said"),
    [
        ((1, 1), "2 annotated patients, 2 of them with lesions"),
        ((1, 0, 0, 0), "4 annotated patients, 1 of them with lesions"),
        ((None, None, None, 1, 1), "2 annotated patients"),
        ((), "0 annotated patients"),
    ],
)
def test_too_few_patients_are_not_trained_on_and_it_is_said_why(lesions: tuple[int | None, ...], said: str) -> None:
    folds = patient_folds(cohort(*lesions), folds=5, seed=0)
    assert (folds.count, folds.patients) == (0, {})
    assert folds.note is not None
    assert folds.note.startswith(f"nothing is trained: {said}")
    assert folds.note.endswith("at least 3 annotated patients and 2 with lesions are needed")


def test_one_more_patient_leaves_the_order_of_the_others() -> None:
    members = cohort(*[1] * 9)
    before, after = (patient_folds(chosen, folds=9, seed=0).patients for chosen in (members[:8], members))
    dealt = sorted(before, key=before.__getitem__)
    assert all(after[one] < after[other] for one, other in pairwise(dealt))


def test_patients_that_show_nearly_the_same_are_dealt_and_counted_as_one() -> None:
    members = [Member(f"P-{n}", digest(n), 1, f"C-{n}") for n in range(6)]
    pairs = [Pair("C-0", "C-3", 0.98), Pair("C-3", "C-5", 0.95)]
    folds = patient_folds(members, folds=6, seed=0, pairs=pairs)
    assert folds.count == 4
    assert folds.patients["P-0"] == folds.patients["P-3"] == folds.patients["P-5"]
    assert len({folds.patients[f"P-{n}"] for n in (0, 1, 2, 4)}) == 4
    assert len({folds.groups[f"C-{n}"] for n in (0, 3, 5)}) == 1
    assert folds.pairs == tuple(pairs)
    assert "kept together: C-0 and C-3, C-3 and C-5" in str(folds.note)


def test_two_patients_are_not_three_because_one_came_twice() -> None:
    members = [Member(f"P-{n}", digest(n), 1, f"C-{n}") for n in range(3)]
    assert patient_folds(members, folds=3, seed=0, pairs=[Pair("C-0", "C-1", 1.0)]).count == 0
