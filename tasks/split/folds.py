"""Patient-grouped folds.

A *fold* is the set of patients that one model never sees. All examinations of a patient are in one fold, and so are
patients whose images show nearly the same: most often one patient under two names. Patients are dealt in an order that
depends on the digests of their images and the seed alone, patients with and without lesions in turn, so that each fold
has its share of both.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from storage.keys import digest
from tasks.leakage import Pair, linked_groups

MINIMUM_PATIENTS = 3
"""Fewer patients cannot be trained on, tested on, and kept apart from a choice of threshold."""


@dataclass(frozen=True)
class Member:
    """One case as split sees it; ``lesions`` counts annotated ones and is ``None`` without annotation.

    ``case`` names it where its images are compared with others', and ``ingest`` is the key of these.
    """

    patient: str
    digest: str
    lesions: int | None
    case: str = ""
    ingest: str | None = None


@dataclass(frozen=True)
class Folds:
    """Fold of each patient, from 0. ``count`` is 0 when nothing can be trained, and ``note`` says why.

    ``groups`` and ``pairs`` are for the leakage gate: what each case belongs to, and near-duplicates of two patients.
    """

    count: int
    patients: dict[str, int]
    note: str | None = None
    groups: dict[str, str] = field(default_factory=dict)
    pairs: tuple[Pair, ...] = ()


def patient_folds(members: Sequence[Member], *, folds: int, seed: int, pairs: Sequence[Pair] = ()) -> Folds:
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
    pairs
        Cases of two patients that show nearly the same. Their patients are dealt, and counted, as one.
    """
    members = sorted(members, key=lambda member: member.digest)
    group_of = _groups(members, pairs)
    lesions: dict[str, int] = {}
    order: dict[str, str] = {}
    for member in members:
        if member.lesions is not None:
            group = group_of[member.patient]
            lesions[group] = lesions.get(group, 0) + member.lesions
            order[group] = min(order.get(group, "~"), digest([member.digest, seed]))
    positive = [group for group, count in lesions.items() if count]
    twice = len({member.patient for member in members if member.lesions is not None}) - len(lesions)
    found = f"{len(lesions)} annotated patients, {len(positive)} of them with lesions"
    if len(lesions) < MINIMUM_PATIENTS or len(positive) < MINIMUM_PATIENTS - 1:
        needed = f"at least {MINIMUM_PATIENTS} annotated patients and {MINIMUM_PATIENTS - 1} with lesions are needed"
        return Folds(0, {}, f"nothing is trained: {found}; {needed}")
    count = min(folds, len(lesions), max(2, len(positive)))
    if len(lesions) == MINIMUM_PATIENTS:  # two folds would leave one patient, with whom no threshold can be chosen
        count = MINIMUM_PATIENTS
    dealt = sorted(lesions, key=lambda group: (lesions[group] == 0, order[group]))
    fold_of = {group: position % count for position, group in enumerate(dealt)}
    notes = [] if count == folds else [f"{count} folds instead of {folds}: {found}"]
    if twice:
        named = ", ".join(f"{pair.first} and {pair.second}" for pair in pairs)
        notes.append(f"patients whose images show nearly the same are kept together: {named}")
    return Folds(
        count,
        {patient: fold_of[group] for patient, group in group_of.items() if group in fold_of},
        "; ".join(notes) or None,
        {member.case: group_of[member.patient] for member in members if member.case},
        tuple(pairs),
    )


def _groups(members: Sequence[Member], pairs: Sequence[Pair]) -> Mapping[str, str]:
    """Group of each patient: himself, or the first of those that he is linked with."""
    patient_of = {member.case: member.patient for member in members}
    patients = {member.patient: member.patient for member in members}
    links = [Pair(patient_of[one.first], patient_of[one.second], one.correlation) for one in pairs]
    return linked_groups(patients, links)
