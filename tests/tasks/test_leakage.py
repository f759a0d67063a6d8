"""The gate by hand: what may be trained, what may not, and which pairs it names."""

from __future__ import annotations

import pytest

from tasks.leakage import LeakageError, Pair, check_apart, linked_groups

GROUPS = {"C-1": "P-1", "C-2": "P-2", "C-3": "P-1", "C-4": "P-4"}


def test_what_has_its_groups_on_one_side_passes() -> None:
    check_apart(["C-1", "C-3"], ["C-2", "C-4"], GROUPS)
    check_apart(["C-1", "C-2", "C-3", "C-4"], [], GROUPS)


def test_a_group_on_both_sides_is_refused_and_its_cases_are_named() -> None:
    with pytest.raises(LeakageError, match=r"training and test share a group: C-1 and C-3$"):
        check_apart(["C-1", "C-2"], ["C-3", "C-4"], GROUPS)


def test_a_case_on_both_sides_is_refused() -> None:
    with pytest.raises(LeakageError, match="C-2 and C-2"):
        check_apart(["C-1", "C-2"], ["C-2"], GROUPS)


@pytest.mark.parametrize("pair", [Pair("C-1", "C-4", 0.97), Pair("C-4", "C-1", 0.97)])
def test_near_duplicates_on_both_sides_are_refused_though_their_groups_differ(pair: Pair) -> None:
    with pytest.raises(LeakageError, match=rf"{pair.first} and {pair.second} \(correlation 0.97\)"):
        check_apart(["C-1"], ["C-4"], GROUPS, [pair])
    check_apart(["C-1", "C-4"], ["C-2"], GROUPS, [pair])


@pytest.mark.parametrize(("learn", "held_out"), [(["C-1", "C-9"], ["C-2"]), (["C-1"], ["C-2", "C-9"])])
def test_a_case_that_the_split_does_not_know_is_refused(learn: list[str], held_out: list[str]) -> None:
    with pytest.raises(LeakageError, match="does not know the group of C-9"):
        check_apart(learn, held_out, GROUPS)


def test_of_many_pairs_some_are_named_and_the_rest_counted() -> None:
    groups = {f"C-{n}": "P" for n in range(8)}
    with pytest.raises(LeakageError, match=r"C-0 and C-7, C-1 and C-7, .*C-4 and C-7, and 2 more$"):
        check_apart([f"C-{n}" for n in range(7)], ["C-7"], groups)


def test_groups_that_a_chain_of_pairs_links_become_the_first_of_them() -> None:
    groups = {"a": "A", "b": "B", "c": "C", "d": "D"}
    pairs = [Pair("d", "b", 1.0), Pair("c", "d", 1.0)]
    assert linked_groups(groups, pairs) == {"a": "A", "b": "B", "c": "B", "d": "B"}
    assert linked_groups(groups, pairs[::-1]) == linked_groups(groups, pairs)


def test_a_pair_with_a_stranger_links_nothing() -> None:
    assert linked_groups({"a": "A", "b": "B"}, [Pair("a", "x", 1.0)]) == {"a": "A", "b": "B"}
