"""The leakage gate: no model is trained while what it learns from and what it is tested on share a group.

A *group* is what must not be torn apart: the examinations of a patient, pictures that show nearly the same, and all
that are linked by such a pair. The split keeps groups together; the gate does not take its word for it. It is asked
again before each training, about the very cases that this model is about to see, and it is *fail-closed*: a case of
which it does not know the group stops the training too.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

SHOWN = 5
"""Pairs that a message names; it says how many more there are."""


class LeakageError(RuntimeError):
    """What a model would learn from is also what it would be tested on."""


class Pair(NamedTuple):
    """Two cases that show nearly the same, and how well they correlate."""

    first: str
    second: str
    correlation: float


@dataclass(frozen=True)
class Gate:
    """What one model learns from and is tested on, to be asked in the place where it is trained.

    Parameters as in `check_apart`.
    """

    learn: Collection[str]
    held_out: Collection[str]
    groups: Mapping[str, object]
    pairs: Sequence[Pair] = ()

    def check(self) -> None:
        """Raise ``LeakageError`` when the training would not be fair."""
        check_apart(self.learn, self.held_out, self.groups, self.pairs)


def check_apart(
    learn: Collection[str],
    held_out: Collection[str],
    groups: Mapping[str, object],
    pairs: Sequence[Pair] = (),
) -> None:
    """Let a training pass, or say which pairs of cases keep it from being fair.

    Parameters
    ----------
    learn, held_out
        Cases that the model learns from, and those that it will be tested on; none for a refit.
    groups
        Group of each case.
    pairs
        Near-duplicates, whatever their groups.

    Raises
    ------
    LeakageError
        When a case, a group or a pair of near-duplicates is on both sides, naming pairs of cases; or when the group of
        a case is not known.
    """
    unknown = sorted({*learn, *held_out} - set(groups))
    if unknown:
        raise LeakageError(f"nothing is trained: the split does not know the group of {_list(unknown)}")
    members: dict[object, list[str]] = {}
    for case in sorted(held_out):
        members.setdefault(groups[case], []).append(case)
    torn = [f"{case} and {other}" for case in sorted(learn) for other in members.get(groups[case], ())]
    for first, second, correlation in pairs:
        if (first in learn and second in held_out) or (second in learn and first in held_out):
            torn.append(f"{first} and {second} (correlation {correlation:.2f})")
    if torn:
        raise LeakageError(f"nothing is trained: training and test share a group: {_list(torn)}")


def linked_groups(groups: Mapping[str, str], pairs: Sequence[Pair]) -> dict[str, str]:
    """Group of each case, where those that a pair of near-duplicates links have become one.

    Parameters
    ----------
    groups
        Group of each case before, e.g. its patient. The group whose first case comes first gives its name to the whole.
    pairs
        Near-duplicates; a case that is in no group links nothing.
    """
    leader = {group: group for group in groups.values()}
    rank = {group: position for position, group in enumerate(leader)}

    def top(group: str) -> str:
        while leader[group] != group:
            group = leader[group]
        return group

    for first, second, _ in pairs:
        if first in groups and second in groups:
            one, other = sorted((top(groups[first]), top(groups[second])), key=rank.__getitem__)
            leader[other] = one
    return {case: top(group) for case, group in groups.items()}


def _list(several: Sequence[str]) -> str:
    more = f", and {len(several) - SHOWN} more" if len(several) > SHOWN else ""
    return ", ".join(several[:SHOWN]) + more
