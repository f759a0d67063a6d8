"""The search inside a training: what wins goes into the model and onto its card, and a stopped search goes on."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from storage.keys import digest
from tasks.train import tuning
from tasks.train.case_table import CaseTable
from tasks.train.fit import Fitted, fit
from tasks.train.label import CandidateLabels
from tasks.train.search_settings import SearchSettings
from tasks.train.settings import Settings

SEARCH = SearchSettings(trials=3, random_trials=2)
COLUMNS = ["first", "second", "third"]
SETTINGS = Settings(models=("logistic",), inner_folds=3, search=SEARCH)


def cohort(size: int = 8) -> list[CaseTable]:
    """Ten candidates each; the first is the lesion, and stands out a little in the first column, which has gaps."""
    cases = []
    for number in range(size):
        features = np.random.default_rng(number).normal(size=(10, 3))
        on_it = np.arange(10) == 0
        features[on_it, 0] += 2.0
        features[5:, 1] = np.where(features[5:, 1] > 1, np.nan, features[5:, 1])
        labels = CandidateLabels(on_it.astype(np.int64), np.where(on_it, 0.8, 0.0), on_it, 1)
        table = pd.DataFrame(features, columns=COLUMNS)
        dice = np.eye(10, dtype=np.float32)
        cases.append(CaseTable(f"P-{number}", digest(number), table, labels, np.full(10, 2.0), dice))
    return cases


def said(fitted: Fitted) -> dict[str, Any]:
    rows = np.random.default_rng(99).normal(size=(20, 3))
    return {**vars(fitted), "pipeline": fitted.pipeline.predict_proba(rows).tobytes()}


def test_without_trials_nothing_is_searched_and_nothing_written(tmp_path: Path) -> None:
    fitted = fit(cohort(), SETTINGS.model_copy(update={"search": SearchSettings()}), most=None, workshop=tmp_path)
    assert (fitted.trials, fitted.options, list(tmp_path.iterdir())) == ({}, {}, [])


def test_the_best_trial_is_what_the_model_is_fitted_with(tmp_path: Path) -> None:
    fitted = fit(cohort(), SETTINGS, most=None, workshop=tmp_path)
    trials = fitted.trials["logistic"]
    assert [trial["number"] for trial in trials] == [0, 1, 2, 3]
    assert trials[0]["options"] == {}
    best = max(
        (trial for trial in trials if not trial["pruned"]), key=lambda trial: (trial["scores"][-1], -trial["number"])
    )
    assert fitted.options == best["options"]
    found = fitted.scores["logistic"]
    assert best["scores"][-1] == pytest.approx(found["cpm"] + found["auc"] / 1000, abs=1e-5)
    assert len(list((tmp_path / "trials" / "logistic").glob("trial-*.json"))) == 4
    json.dumps(fitted.trials)


def test_a_search_stopped_in_the_middle_ends_as_one_without_a_stop(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = said(fit(cohort(), SETTINGS, most=None))
    write = tuning.write_trial

    def dying(folder: Path, record: Any) -> None:
        if record.number == 2:
            raise KeyboardInterrupt
        write(folder, record)

    with monkeypatch.context() as patch:
        patch.setattr(tuning, "write_trial", dying)
        with pytest.raises(KeyboardInterrupt):
            fit(cohort(), SETTINGS, most=None, workshop=tmp_path)
    assert len(list((tmp_path / "trials" / "logistic").iterdir())) == 2
    assert said(fit(cohort(), SETTINGS, most=None, workshop=tmp_path)) == whole


def test_neither_the_order_of_the_cases_nor_pseudonyms_change_what_is_tried() -> None:
    renamed = [replace(case, patient=f"Q-{case.digest}") for case in cohort()[::-1]]
    assert said(fit(renamed, SETTINGS, most=None)) == said(fit(cohort(), SETTINGS, most=None))


def test_a_model_tells_its_graph_or_its_clusters_by_the_names_of_the_columns() -> None:
    names = {"bayesian_network": ("nodes", "name"), "k_means": ("clusters", "marks")}
    for model, (place, field) in names.items():
        facts = fit(cohort(), Settings(models=(model,), inner_folds=2), most=None).facts
        assert "first" in json.dumps([one[field] for one in facts[place]])
    assert fit(cohort(), Settings(models=("logistic",), inner_folds=2), most=None).facts == {}
