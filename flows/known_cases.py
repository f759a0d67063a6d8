"""Whether a model is asked about what it has learned from: figures over such cases would be no test of it."""

from __future__ import annotations

from collections.abc import Sequence

from storage.artifacts import ArtifactStore
from storage.case import Case


def known_cases(store: ArtifactStore, model: str, cases: Sequence[Case]) -> str | None:
    """A warning for a night whose findings are scored: how many of its cases the model has learned from.

    ``None``: none of them. The very same images are recognized, those that show nearly the same are not.
    """
    learned = learned_from(store, model)
    known = sum(case.id in learned or case.digest in learned for case in cases)
    if not known:
        return None
    return f"{known} of {len(cases)} cases are among those that the model learned from: figures over them are no test."


def learned_from(store: ArtifactStore, model: str) -> frozenset[str]:
    """The cases that a model, or a member of it, was trained on: digests for volumes, pseudonyms for pictures."""
    found = store.find("train", model)
    if found is None:
        return frozenset()
    inputs = found.commit.inputs
    if "members" in inputs:
        return frozenset().union(*(learned_from(store, member) for member in inputs["members"].values()))
    if "fold" not in inputs:
        return frozenset(member["digest"] for member in inputs["cases"])
    if (
        store.find("split", inputs["split"]) is None
    ):  # collected since; the fold that was left out is not known any more
        return frozenset(inputs["cases"])
    folds = store.read_json("split", inputs["split"], "folds.json")["folds"]
    return frozenset(case for case in inputs["cases"] if folds.get(case, inputs["fold"]) != inputs["fold"])
