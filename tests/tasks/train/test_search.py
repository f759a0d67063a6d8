"""Search for settings: what is tried, what is given up, and that a killed search ends as one that was not."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from storage.errors import StoreError
from tasks.train.search import TrialRecord, best_of, search
from tasks.train.search_settings import SearchSettings
from tasks.train.trial_files import read_trials, write_trial

CHECKOUT = Path(__file__).parents[3]
SETTINGS = SearchSettings(trials=14, random_trials=4, prune_after=3)
KILLED = """
import os, signal, sys
from pathlib import Path
sys.path.insert(0, sys.argv[1])
from test_search import SETTINGS, score, suggest
from tasks.train.search import search
from tasks.train.trial_files import read_trials, write_trial
folder, last = Path(sys.argv[2]), int(sys.argv[3])
begun = []

def mortal(options):
    begun.append(options)
    for step, value in enumerate(score(options)):
        if len(begun) > last and step == 1:
            os.kill(os.getpid(), signal.SIGKILL)
        yield value

search(suggest, mortal, SETTINGS, own={}, seed=3, known=read_trials(folder), keep=lambda one: write_trial(folder, one))
"""


def suggest(trial: Any) -> dict[str, Any]:
    kind = trial.suggest_categorical("kind", ["round", "flat"])
    return {
        "kind": kind,
        "x": trial.suggest_float("x", -2.0, 2.0),
        "n": trial.suggest_int("n", 1, 30, log=True) if kind == "round" else 1,
    }


def score(options: dict[str, Any]) -> Iterator[float]:
    """Best at x = 1, n = 7, round; four inner folds that agree but for a small constant."""
    x, n = options.get("x", -2.0), options.get("n", 1)
    value = -((x - 1.0) ** 2) - 0.01 * (n - 7) ** 2 - (options.get("kind") == "flat")
    yield from (value + 0.1 * fold for fold in range(4))


def run(seed: int = 3, **options: Any) -> tuple[TrialRecord, ...]:
    return search(suggest, score, SETTINGS, **{"own": {}, "seed": seed, **options})


def test_without_trials_only_the_studys_own_settings_are_scored() -> None:
    [record] = search(suggest, score, SearchSettings(), own={"x": 0.5}, seed=0)
    assert (record.number, record.options, record.pruned, len(record.scores)) == (0, {"x": 0.5}, False, 4)
    assert best_of([record]) is record


def test_the_search_finds_better_settings_than_the_studys_own() -> None:
    records = search(suggest, score, SearchSettings(trials=60), own={}, seed=0)
    best = best_of(records)
    assert best.value > records[0].value + 5.0
    assert abs(best.options["x"] - 1.0) < 0.4
    assert best.options["kind"] == "round"


def test_the_sampler_learns_more_than_chance() -> None:
    """The last trials, proposed from the first ones, are better on the whole than those drawn at random."""
    settings = SearchSettings(trials=60, random_trials=20, prune_after=1000)
    values = [record.value for record in search(suggest, score, settings, own={}, seed=1)][1:]
    assert sorted(values[40:])[10] > sorted(values[:20])[10]


def test_the_studys_own_settings_stay_when_nothing_is_better() -> None:
    records = search(suggest, score, SETTINGS, own={"x": 1.0, "n": 7, "kind": "round"}, seed=0)
    assert best_of(records).number == 0


def test_what_is_suggested_is_put_over_the_studys_own() -> None:
    records = search(suggest, score, SearchSettings(trials=1), own={"x": 9.0, "trees": 50}, seed=0)
    assert records[1].options["trees"] == 50
    assert records[1].options["x"] <= 2.0


def test_a_trial_below_the_median_is_given_up_after_its_first_fold() -> None:
    steps: list[int] = []

    def counted(options: dict[str, Any]) -> Iterator[float]:
        for step, value in enumerate(score(options)):
            steps.append(step)
            yield value

    records = search(suggest, counted, SETTINGS, own={}, seed=3)
    given_up = [record for record in records if record.pruned]
    assert given_up
    assert all(len(record.scores) == 1 for record in given_up)
    assert all(record.number > SETTINGS.prune_after for record in given_up)
    assert len(steps) == sum(len(record.scores) for record in records)  # what was given up was not computed
    assert best_of(records) not in given_up


def test_a_trial_that_was_given_up_never_wins() -> None:
    lucky = TrialRecord(number=1, options={}, scores=(9.0,), pruned=True)
    whole = TrialRecord(number=0, options={}, scores=(1.0,))
    assert best_of([whole, lucky]) is whole
    assert best_of([whole, TrialRecord(number=2, options={}, scores=(0.5, 1.0))]) is whole  # the first of equal ones


def test_the_seed_alone_decides_what_is_tried() -> None:
    assert run() == run()
    assert [record.options for record in run()] != [record.options for record in run(seed=4)]


@pytest.mark.parametrize("done", [0, 1, 2, 6, 14, 15])
def test_a_search_that_goes_on_from_files_ends_as_one_without_a_stop(tmp_path: Path, done: int) -> None:
    whole = run()
    for record in whole[:done]:
        write_trial(tmp_path, record)
    assert run(known=read_trials(tmp_path), keep=lambda record: write_trial(tmp_path, record)) == whole
    assert read_trials(tmp_path) == whole


def test_a_search_that_was_killed_twice_ends_as_one_without_a_stop(tmp_path: Path) -> None:
    code = [sys.executable, "-c", KILLED, str(Path(__file__).parent), str(tmp_path / "trials")]
    env = {**os.environ, "PYTHONPATH": str(CHECKOUT)}
    for last, finished in ((5, 5), (4, 9)):
        done = subprocess.run([*code, str(last)], capture_output=True, text=True, timeout=120, env=env, cwd=CHECKOUT)
        assert done.returncode == -signal.SIGKILL, done.stderr
        assert len(read_trials(tmp_path / "trials")) >= finished  # more where a trial was given up before it could kill
    folder = tmp_path / "trials"
    assert run(known=read_trials(folder), keep=lambda record: write_trial(folder, record)) == run()


def test_half_a_file_of_a_killed_writer_is_not_looked_at(tmp_path: Path) -> None:
    records = run()[:3]
    for record in records:
        write_trial(tmp_path, record)
    (tmp_path / ".tmp-3-4711").write_bytes(b'{"number": 3, "opt')
    assert read_trials(tmp_path) == records
    assert read_trials(tmp_path / "none") == ()


def test_trials_are_read_as_data_only(tmp_path: Path) -> None:
    write_trial(tmp_path, run()[1])
    [file] = tmp_path.iterdir()
    assert file.name == "trial-00001.json"
    file.rename(tmp_path / "trial-00000.json")
    with pytest.raises(StoreError, match=r"trial-00000\.json holds trial 1"):
        read_trials(tmp_path)
    (tmp_path / "trial-00000.json").write_bytes(b"\x80\x04cos\nsystem\n")
    with pytest.raises(StoreError, match=r"trial-00000\.json holds no trial"):
        read_trials(tmp_path)


def test_trials_that_are_not_the_first_ones_are_refused() -> None:
    with pytest.raises(ValueError, match=r"the first trials in their order; got \[1, 2\]"):
        run(known=run()[1:3])


@pytest.mark.parametrize(("scores", "said"), [((float("nan"),), "finite scores"), ((), "at least one score")])
def test_a_trial_without_a_finite_score_is_refused(scores: tuple[float, ...], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        search(suggest, lambda _: iter(scores), SETTINGS, own={}, seed=0)
