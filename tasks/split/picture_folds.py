"""Folds of pictures: whole groups, every class in each fold.

A *group* is what must not be torn apart: a patient, or pictures that show nearly the same. Cut it, and a model is
tested on what it has learned by heart: in one widely used collection of brain MR pictures 251 of 394 test pictures
repeat one of the training pictures.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

from pydantic import Field

from storage.keys import digest
from tasks.imaging.duplicates import Settings as DuplicateSettings
from tasks.settings import StageSettings

MINIMUM_FOLDS = 3
"""One to test on, one to learn from, and one to calibrate plain rules with."""


class PictureSplit(StageSettings):
    """How many folds, dealt in which order, and which pictures count as one."""

    folds: int = Field(default=5, ge=MINIMUM_FOLDS, le=20)
    seed: int = Field(default=0, ge=0)
    duplicates: DuplicateSettings = DuplicateSettings()


class Member(NamedTuple):
    """A picture with a known class: its case, the digest of its file, its group and its class."""

    case: str
    digest: str
    group: int
    label: str


@dataclass(frozen=True)
class PictureFolds:
    """Fold (from 0) and group of each case with a known class, and the classes in their order.

    ``count`` is 0 when nothing can be trained, and ``note`` says why.
    """

    count: int
    classes: tuple[str, ...]
    folds: dict[str, int]
    groups: dict[str, int]
    duplicates: int = 0
    note: str | None = None


def picture_folds(members: Sequence[Member], settings: PictureSplit, *, duplicates: int = 0) -> PictureFolds:
    """Deal groups of pictures into folds, class by class.

    A group counts as the class that most of its pictures have. Within a class the groups are dealt in turn, in an order
    that depends on the digests of the files and the seed alone; each class begins where the one before it ended, so
    that the folds are of nearly one size.

    Parameters
    ----------
    members
        Pictures whose class is known, in any order.
    duplicates
        How many of them show nearly the same as another one; only noted.
    """
    classes = tuple(sorted({member.label for member in members}))
    groups: dict[int, list[Member]] = {}
    for member in sorted(members, key=lambda member: member.digest):
        groups.setdefault(member.group, []).append(member)
    label_of = {group: _label(several) for group, several in groups.items()}
    fewest = min(Counter(label_of.values()).values(), default=0)
    count = min(settings.folds, fewest)
    if len(classes) < 2 or count < MINIMUM_FOLDS or len(set(label_of.values())) < len(classes):
        found = ", ".join(f"{label} {sum(member.label == label for member in members)}" for label in classes) or "none"
        note = f"nothing is trained: at least 2 classes with {MINIMUM_FOLDS} pictures each are needed; found {found}"
        return PictureFolds(0, classes, {}, {}, duplicates, note)
    folds: dict[str, int] = {}
    position = 0
    for label in classes:
        mine = [group for group in groups if label_of[group] == label]
        for group in sorted(mine, key=lambda group: digest([groups[group][0].digest, settings.seed])):
            folds.update({member.case: position % count for member in groups[group]})
            position += 1
    fewer = (
        None if count == settings.folds else f"{count} folds instead of {settings.folds}: a class has {fewest} groups"
    )
    return PictureFolds(count, classes, folds, {member.case: member.group for member in members}, duplicates, fewer)


def _label(members: Sequence[Member]) -> str:
    counts = Counter(member.label for member in members)
    return min(counts, key=lambda label: (-counts[label], label))
