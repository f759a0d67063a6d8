"""What a search for a model's own settings has tried, and what came of it, one line a model and fold."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from tasks.report.drawn import Part


class Searched(Part):
    """The search for the settings of one model.

    Attributes
    ----------
    model
        Its name.
    tried, given_up
        Trials beside the study's own settings, and how many of these were given up before the last inner fold.
    own, best
        Score of the study's own settings, and the highest: inner out-of-fold CPM, to which AUC / 1000 is added.
    chosen
        Settings of the best trial that differ from the study's own, by name; none where these were the best.
    """

    model: str
    tried: int
    given_up: int
    own: float
    best: float
    chosen: tuple[tuple[str, str], ...] = ()


def searched(trials: Mapping[str, Sequence[Mapping[str, Any]]]) -> tuple[Searched, ...]:
    """Sum up the trials of a model's card, by model; of equal scores the first trial counts, as in the search."""
    return tuple(_summed_up(model, records) for model, records in trials.items() if records)


def _summed_up(model: str, records: Sequence[Mapping[str, Any]]) -> Searched:
    own, *others = records
    best = max((one for one in records if not one["pruned"]), key=lambda one: one["scores"][-1])
    changed = {name: value for name, value in best["options"].items() if value != own["options"].get(name)}
    return Searched(
        model=model,
        tried=len(others),
        given_up=sum(one["pruned"] for one in others),
        own=own["scores"][-1],
        best=best["scores"][-1],
        chosen=tuple(
            (name, f"{value:.4g}" if isinstance(value, float) else str(value)) for name, value in changed.items()
        ),
    )
