"""The settings of the models that compete, searched for before they do; see :mod:`tasks.train.search`."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from tasks.discover import MODELS, part
from tasks.train.search import TrialRecord, best_of, search
from tasks.train.settings import Settings
from tasks.train.trial_files import read_trials, write_trial

Trials = dict[str, tuple[TrialRecord, ...]]


def tuned(
    settings: Settings, score: Callable[[Settings], Iterator[float]], workshop: Path | None
) -> tuple[Settings, Trials]:
    """The same settings with the best options found for each model that suggests any, and all trials by model.

    Parameters
    ----------
    settings
        Of train; without trials they are returned as they are.
    score
        Scores settings in which one model competes, after each inner fold: of training patients alone.
    workshop
        Folder in which finished trials outlive a killed search; ``None``: nowhere.
    """
    trials: Trials = {}
    for name in settings.models:
        suggest = getattr(part(MODELS, name), "suggest", None)
        if settings.search.trials and suggest is not None:
            trials[name] = _searched(settings, name, suggest, score, workshop)
    best = {name: best_of(records).options for name, records in trials.items()}
    return settings.model_copy(update={"options": {**settings.options, **best}}), trials


def _searched(
    settings: Settings,
    name: str,
    suggest: Callable[[Any], dict[str, Any]],
    score: Callable[[Settings], Iterator[float]],
    workshop: Path | None,
) -> tuple[TrialRecord, ...]:
    folder = None if workshop is None else workshop / "trials" / name

    def score_options(options: dict[str, Any]) -> Iterator[float]:
        return score(settings.model_copy(update={"models": (name,), "options": {name: options}}))

    return search(
        suggest,
        score_options,
        settings.search,
        own=settings.options.get(name, {}),
        seed=settings.seed,
        known=() if folder is None else read_trials(folder),
        keep=None if folder is None else lambda record: write_trial(folder, record),
    )
