"""Search for a model's own settings, inside the training patients of one fold.

A *trial* is one choice of settings, scored by whoever asks for the search: by inner, patient-grouped cross-validation,
so that the search is nested in the study's folds and no held-out patient has a say. Trial 0 is the study's own
settings; a search that finds nothing better changes nothing. The others are proposed by the tree-structured Parzen
estimator (Bergstra et al. 2011, NIPS 24; optuna, doi:10.1145/3292500.3330701), and given up as soon as their score
after an inner fold lies below the median of the trials before.

The trials depend on the seed and the scores alone. What the sampler draws for a trial is seeded by the trial's number:
a search that was killed goes on from its finished trials and ends as if nothing had happened. (Optuna's own journal
keeps neither the sampler's state nor a trial's place in it, leaves a lock and half a line behind a killed process, and
mixes the trials of two workers that do the same work.)

The scores of the chosen trial are the best of many and so too good: what the search is worth is told by the held-out
patients only.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from math import isfinite
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel, Field, JsonValue

from storage.keys import digest
from tasks.train.search_settings import SearchSettings

if TYPE_CHECKING:
    from optuna import Study, Trial
    from optuna.trial import FrozenTrial

Options = dict[str, Any]
Suggest = Callable[["Trial"], Options]
"""A model's ``suggest``: settings to try, by name."""
Score = Callable[[Options], Iterator[float]]
"""Scores settings: after each inner fold the score so far, higher is better; the last one counts."""


class TrialRecord(BaseModel, frozen=True, extra="forbid"):
    """One finished trial as plain data.

    Attributes
    ----------
    number
        0: the study's own settings.
    options
        The settings tried.
    scores
        After each inner fold; fewer where the trial was given up.
    pruned
        Whether it was.
    params, distributions
        What the sampler drew, and from which range (optuna's JSON).
    """

    number: int = Field(ge=0)
    options: dict[str, JsonValue]
    scores: tuple[float, ...] = Field(min_length=1)
    pruned: bool = False
    params: dict[str, JsonValue] = {}
    distributions: dict[str, str] = {}

    @property
    def value(self) -> float:
        """Its last score."""
        return self.scores[-1]


def search(
    suggest: Suggest,
    score: Score,
    settings: SearchSettings,
    *,
    own: Options,
    seed: int,
    known: Sequence[TrialRecord] = (),
    keep: Callable[[TrialRecord], None] | None = None,
) -> tuple[TrialRecord, ...]:
    """Try the study's own settings and ``settings.trials`` others.

    Parameters
    ----------
    suggest
        Of the model; what it returns is put over ``own``. Its values have to be plain JSON.
    score
        Must depend on nothing but the settings.
    own
        The study's own settings of the model, where they differ from the defaults.
    known
        The first trials of the same search, finished before.
    keep
        Called with each new trial once it is finished, e.g. to write it down.

    Returns
    -------
    tuple of TrialRecord
        By number; see `best_of`.

    Raises
    ------
    ValueError
        When a score is not finite, when nothing is scored, and when ``known`` are not the first trials.
    """
    records = list(known)
    if [record.number for record in records] != list(range(len(records))):
        raise ValueError(f"expected the first trials in their order; got {[record.number for record in records]}")
    study = _study(settings)
    for record in records[1:]:
        study.add_trial(_frozen(record))
    for number in range(len(records), settings.trials + 1):
        record = _own_trial(score, own) if number == 0 else _trial(study, number, suggest, score, settings, own, seed)
        records.append(record)
        if keep is not None:
            keep(record)
    return tuple(records)


def best_of(records: Sequence[TrialRecord]) -> TrialRecord:
    """The trial of the highest score among those not given up; of equal ones the first."""
    return max((record for record in records if not record.pruned), key=lambda record: (record.value, -record.number))


def _own_trial(score: Score, own: Options) -> TrialRecord:
    return TrialRecord(number=0, options=own, scores=tuple(_checked(score(own))))


def _trial(
    study: Study, number: int, suggest: Suggest, score: Score, settings: SearchSettings, own: Options, seed: int
) -> TrialRecord:
    from optuna.distributions import distribution_to_json
    from optuna.samplers import TPESampler
    from optuna.trial import TrialState

    drawn = int(digest([seed, number])[:8], 16)
    study.sampler = TPESampler(seed=drawn, n_startup_trials=settings.random_trials)
    trial = study.ask()
    options = {**own, **suggest(trial)}
    scores: list[float] = []
    pruned = False
    for step, value in enumerate(_checked(score(options))):
        scores.append(value)
        trial.report(value, step)
        if pruned := trial.should_prune():
            break
    study.tell(trial, None if pruned else scores[-1], state=TrialState.PRUNED if pruned else TrialState.COMPLETE)
    return TrialRecord(
        number=number,
        options=options,
        scores=tuple(scores),
        pruned=pruned,
        params=trial.params,
        distributions={name: distribution_to_json(one) for name, one in trial.distributions.items()},
    )


def _checked(scores: Iterator[float]) -> Iterator[float]:
    value = None
    for value in scores:
        if not isfinite(value):
            raise ValueError(f"expected finite scores of a trial; got {value}")
        yield float(value)
    if value is None:
        raise ValueError("expected at least one score of a trial; got none")


def _study(settings: SearchSettings) -> Study:
    import optuna

    optuna.logging.set_verbosity(optuna.logging.WARNING)
    pruner = optuna.pruners.MedianPruner(n_startup_trials=settings.prune_after)
    return optuna.create_study(direction="maximize", pruner=pruner)


def _frozen(record: TrialRecord) -> FrozenTrial:
    """A finished trial as optuna knows it."""
    from optuna.distributions import json_to_distribution
    from optuna.trial import TrialState, create_trial

    return create_trial(
        state=TrialState.PRUNED if record.pruned else TrialState.COMPLETE,
        value=None if record.pruned else record.value,
        params=record.params,
        distributions={name: json_to_distribution(one) for name, one in record.distributions.items()},
        intermediate_values=dict(enumerate(record.scores)),
    )
