"""Patient-grouped folds.

A *fold* is the set of patients that one model never sees. All examinations of a patient are in one fold. Patients are
dealt in an order that depends on the digests of their images and the seed alone, patients with and without lesions in
turn, so that each fold has its share of both.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from storage.keys import digest

MINIMUM_PATIENTS = 3
"""Fewer patients cannot be trained on, tested on, and kept apart from a choice of threshold."""


@dataclass(frozen=True)
class Member:
    """One case as split sees it; ``lesions`` counts annotated ones and is ``None`` without annotation."""

    patient: str
    digest: str
    lesions: int | None


@dataclass(frozen=True)
class Folds:
    """Fold of each patient, from 0. ``count`` is 0 when nothing can be trained, and ``note`` says why."""

    count: int
    patients: dict[str, int]
    note: str | None = None


def patient_folds(members: Sequence[Member], *, folds: int, seed: int) -> Folds:
    """Deal patients into folds.

    Parameters
    ----------
    members
        All cases of the study, in any order.
    folds
        Folds asked for; as many as there are patients with lesions at most, since a fold without any trains nothing
        else than the others. Three patients make three folds, whatever was asked for: each leaves two to learn from.
    seed
        Changes the order in which patients are dealt.
    """
    lesions: dict[str, int] = {}
    order: dict[str, str] = {}
    for member in members:
        if member.lesions is not None:
            lesions[member.patient] = lesions.get(member.patient, 0) + member.lesions
            order[member.patient] = min(order.get(member.patient, "~"), digest([member.digest, seed]))
    positive = [patient for patient, count in lesions.items() if count]
    found = f"{len(lesions)} annotated patients, {len(positive)} of them with lesions"
    if len(lesions) < MINIMUM_PATIENTS or len(positive) < MINIMUM_PATIENTS - 1:
        needed = f"at least {MINIMUM_PATIENTS} annotated patients and {MINIMUM_PATIENTS - 1} with lesions are needed"
        return Folds(0, {}, f"nothing is trained: {found}; {needed}")
    count = min(folds, len(lesions), max(2, len(positive)))
    if len(lesions) == MINIMUM_PATIENTS:  # two folds would leave one patient, with whom no threshold can be chosen
        count = MINIMUM_PATIENTS
    dealt = sorted(lesions, key=lambda patient: (lesions[patient] == 0, order[patient]))
    fewer = None if count == folds else f"{count} folds instead of {folds}: {found}"
    return Folds(count, {patient: position % count for position, patient in enumerate(dealt)}, fewer)
