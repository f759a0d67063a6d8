"""Folds of pictures: groups stay whole, classes are spread, and nothing but digests and the seed decides."""

from __future__ import annotations

import random
from collections import Counter

import pytest

from storage.keys import digest
from tasks.split.picture_folds import Member, PictureFolds, PictureSplit, picture_folds


def members(per_class: int, *, group_size: int = 1, classes: str = "abc") -> list[Member]:
    """So many groups per class, numbered across classes."""
    found = []
    for number, label in enumerate(label for label in classes for _ in range(per_class)):
        for copy in range(group_size):
            name = f"{label}{number}.{copy}"
            found.append(Member(f"C-{name}", digest([name]), number, label))
    return found


def deal(several: list[Member], *, folds: int = 4, seed: int = 0) -> PictureFolds:
    return picture_folds(several, PictureSplit(folds=folds, seed=seed))


def test_a_group_is_in_one_fold() -> None:
    several = members(8, group_size=3)
    found = deal(several)
    for group in {member.group for member in several}:
        assert len({found.folds[member.case] for member in several if member.group == group}) == 1


def test_each_fold_has_its_share_of_each_class() -> None:
    several = members(8)
    found = deal(several)
    shares = Counter((member.label, found.folds[member.case]) for member in several)
    assert set(shares.values()) == {2}
    assert len(shares) == 3 * 4


def test_folds_of_uneven_classes_have_nearly_one_size() -> None:
    several = members(5, classes="abcd")
    sizes = Counter(deal(several).folds.values())
    assert max(sizes.values()) - min(sizes.values()) <= 1


def test_order_and_names_decide_nothing_and_the_seed_does() -> None:
    several = members(8)
    found = deal(several)
    shuffled = random.Random(1).sample(several, len(several))
    renamed = [Member(f"X{member.case}", *member[1:]) for member in several]
    assert deal(shuffled) == found
    assert {f"X{case}": fold for case, fold in found.folds.items()} == deal(renamed).folds
    assert deal(several, seed=1).folds != found.folds


def test_fewer_groups_than_folds_make_fewer_folds_and_it_is_said() -> None:
    found = deal(members(3), folds=5)
    assert found.count == 3
    assert found.note == "3 folds instead of 5: a class has 3 groups"


@pytest.mark.parametrize("several", [[], members(8, classes="a"), members(2)])
def test_what_cannot_be_learned_is_said(several: list[Member]) -> None:
    found = deal(several)
    assert (found.count, found.folds) == (0, {})
    assert found.note is not None
    assert found.note.startswith("nothing is trained: at least 2 classes with 3 pictures each")


def test_a_group_counts_as_the_class_that_most_of_it_has() -> None:
    several = members(4, classes="ab")
    mixed = [Member("C-x", digest(["x"]), 0, "b"), Member("C-y", digest(["y"]), 0, "a")]
    found = deal([*several, *mixed], folds=3)
    assert found.folds["C-x"] == found.folds["C-y"] == found.folds["C-a0.0"]
    assert found.classes == ("a", "b")
