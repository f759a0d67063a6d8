"""Harmonizing between scanners while fitting: where it helps, what is said of it, and what it never saw."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, replace
from typing import Any

import numpy as np
import pandas as pd
import pytest

from storage.errors import CaseError
from storage.keys import digest
from tasks.classical.harmonization import HarmonizationSettings
from tasks.classical.scoring import probability
from tasks.classical.steps import HARMONIZE
from tasks.metrics.discrimination import auc, patient_scores
from tasks.train import out_of_fold as folds
from tasks.train.case_table import CaseTable
from tasks.train.fit import fit
from tasks.train.harmonized import Scanner
from tasks.train.label import CandidateLabels
from tasks.train.out_of_fold import fit_pipelines, out_of_fold
from tasks.train.settings import Settings

PLAIN = Settings(models=("logistic",), selection=(), inner_folds=3)
HARMONIZED = PLAIN.model_copy(update={"harmonization": HarmonizationSettings()})
SHIFT = np.array([4.0, 4.0, 0, 0, 0, 0, 0, 0])
COLUMNS = [f"feature {n}" for n in range(8)]


def case(number: int, scanner: str | None, *, lesion: bool, candidates: int = 6) -> CaseTable:
    """Candidates of which the first is the lesion, if there is one: 3 more in the first two features.

    Scanner ``TWO`` doubles all features, and adds 4 to these.
    """
    rng = np.random.default_rng([number, 5])
    values = rng.normal(size=(candidates, 8))
    on_it = np.arange(candidates) == (0 if lesion else -1)
    values[on_it, :2] += 3.0
    if scanner == "TWO":
        values = 2.0 * values + SHIFT
    return CaseTable(
        patient=f"P-{number}",
        digest=digest(number),
        features=pd.DataFrame(values, columns=COLUMNS),
        labels=CandidateLabels(on_it.astype(np.int64), np.where(on_it, 0.8, 0.0), on_it, int(lesion)),
        volume_ml=np.full(candidates, 2.0),
        dice=np.eye(candidates, dtype=np.float32),
        scanner=scanner,
    )


def cohort(size: int = 24, start: int = 0) -> list[CaseTable]:
    """Half from each scanner; lesions are commoner on the second: 3 of 4 against 2 of 4."""
    return [
        case(n, "TWO" if n % 2 else "ONE", lesion=n // 2 % 4 != 0 and not (n % 2 == 0 and n // 2 % 4 == 1))
        for n in range(start, start + size)
    ]


def said(cases: Sequence[CaseTable], settings: Settings = HARMONIZED) -> dict[str, Any]:
    """All that a fit gives, the pipeline by its predictions for two scanners."""
    fitted = fit(cases, settings, most=None)
    assert fitted.pipeline is not None
    rows = pd.DataFrame(np.random.default_rng(99).normal(size=(20, 8)), columns=COLUMNS)
    scores = [probability(fitted.pipeline, rows, scanner=name).tobytes() for name in ("ONE", "TWO")]
    return {**vars(fitted), "pipeline": scores}


# What it is good for


def test_new_patients_are_told_better_where_scanners_shift_what_a_lesion_shows() -> None:
    new = cohort(40, start=1000)
    labels = [table.positive(0.5) for table in new]

    def held_out(settings: Settings) -> float:
        pipeline = fit_pipelines(cohort(), ("logistic",), settings)["logistic"]
        scores = [probability(pipeline, table.features, scanner=table.scanner) for table in new]
        return auc([patient_scores(score, label) for score, label in zip(scores, labels, strict=True)])

    assert held_out(PLAIN) < 0.9
    assert held_out(HARMONIZED) > 0.98


def test_the_competition_is_judged_on_held_out_patients_that_were_harmonized_too() -> None:
    one, other = (fit(cohort(), settings, most=None).scores["logistic"]["auc"] for settings in (HARMONIZED, PLAIN))
    assert one > 0.98
    assert other < 0.9


def test_without_the_block_scanners_change_nothing() -> None:
    nameless = [replace(table, scanner=None) for table in cohort()]
    assert said(cohort(), PLAIN) == said(nameless, PLAIN)
    assert fit(cohort(), PLAIN, most=None).harmonization is None


# What is said of it


def test_the_fit_says_which_scanners_are_corrected_and_which_are_left() -> None:
    few = [case(100, "THREE", lesion=True), case(101, "THREE", lesion=True), case(102, None, lesion=True)]
    found = fit([*cohort(), *few], HARMONIZED, most=None).harmonization
    assert found is not None
    assert found.scanners == (Scanner("ONE", 12, 8), Scanner("THREE", 2, 0), Scanner("TWO", 12, 8))
    assert (found.by, found.reference, found.unnamed) == ("scanner", None, 1)
    json.dumps(asdict(found))


def test_it_says_how_strongly_scanner_and_lesion_go_together() -> None:
    weak = fit(cohort(40), HARMONIZED, most=None).harmonization
    confounded = [case(n, "TWO" if n % 2 else "ONE", lesion=bool(n % 2)) for n in range(24)]
    strong = fit(confounded, HARMONIZED, most=None).harmonization
    assert weak is not None
    assert strong is not None
    assert weak.goes_with_lesions < 0.4
    assert strong.goes_with_lesions == 1.0
    assert strong.goes_with_candidates == pytest.approx(0.22, abs=0.01)  # 2 of 24 patients' worth, all on one scanner
    everyone = [case(n, "TWO" if n % 2 else "ONE", lesion=True) for n in range(24)]
    alike = fit(everyone, HARMONIZED, most=None).harmonization
    assert (alike.goes_with_lesions, alike.goes_with_candidates) == (None, 0.0)


def test_what_the_model_leans_on_is_named_as_in_the_table() -> None:
    for model in ("logistic", "svm"):
        fitted = fit(cohort(), HARMONIZED.model_copy(update={"models": (model,)}), most=None)
        assert set(fitted.importance) == set(COLUMNS)
        assert len(fitted.selection.features) == 8


# Who was never seen


def noise(table: CaseTable) -> CaseTable:
    """Other values, from another scanner."""
    values = np.random.default_rng(0).normal(size=table.features.shape) * 50.0
    return replace(table, features=table.features * 0 + values, scanner="ONE")


def test_the_harmonizer_of_an_inner_fold_does_not_know_its_patients(monkeypatch: pytest.MonkeyPatch) -> None:
    cases = sorted(cohort(), key=lambda table: table.digest)
    fold_of = folds.inner_folds_of(cases, HARMONIZED)
    ruined = [noise(table) if fold == 1 else table for table, fold in zip(cases, fold_of, strict=True)]
    made: list[dict[str, bytes]] = []
    fit_harmonizer = folds.fit_harmonizer

    def kept(*args: Any) -> Any:
        fitted = fit_harmonizer(*args)
        state = {name: value for name, value in vars(fitted).items() if name.endswith("_")}
        made.append({name: np.asarray(value).tobytes() for name, value in state.items()})
        return fitted

    monkeypatch.setattr(folds, "fit_harmonizer", kept)
    for some in (cases, ruined):
        out_of_fold(some, HARMONIZED)
    before, after = made[:3], made[3:]
    assert {"corrected_", "shift_", "gain_", "centre_", "patients_"} <= set(before[1])
    assert before[1] == after[1]
    assert before[0]["shift_"] != after[0]["shift_"]
    assert before[2]["shift_"] != after[2]["shift_"]


def test_labels_teach_the_harmonizer_nothing() -> None:
    cases = cohort()
    other = [replace(table, labels=replace(table.labels, iou=table.labels.iou[::-1])) for table in cases]
    other = [replace(table, labels=replace(table.labels, placed=table.labels.placed[::-1])) for table in other]
    one, two = (fit_pipelines(some, ("logistic",), HARMONIZED)["logistic"].named_steps for some in (cases, other))
    assert np.array_equal(one[HARMONIZE].shift_, two[HARMONIZE].shift_)
    assert not np.array_equal(one["classify"].coef_, two["classify"].coef_)


def test_neither_the_order_of_cases_nor_pseudonyms_matter() -> None:
    renamed = [replace(table, patient=f"P-{digest(['another key', table.patient])}") for table in cohort()[::-1]]
    assert said(renamed) == said(cohort())


# Faults


def test_a_reference_with_too_few_patients_says_which_scanners_there_are() -> None:
    settings = PLAIN.model_copy(update={"harmonization": HarmonizationSettings(reference="THREE")})
    with pytest.raises(CaseError, match="has 0 training patients; expected at least 5; scanners are: ONE, TWO"):
        fit(cohort(), settings, most=None)


def test_cases_without_candidates_and_a_single_class_stop_nothing() -> None:
    empty = case(200, "ONE", lesion=False, candidates=0)
    found = fit([*cohort(), replace(empty, labels=replace(empty.labels, lesions=1))], HARMONIZED, most=None)
    assert found.harmonization is not None
    assert found.harmonization.scanners[0] == Scanner("ONE", 13, 8)
    fit([case(0, "ONE", lesion=True), case(1, "TWO", lesion=False)], HARMONIZED, most=None)


def test_the_block_is_read_from_a_study_and_unknown_keys_are_refused() -> None:
    read = Settings.model_validate({"harmonization": {"by": "reconstruction", "fewest": 8}}).harmonization
    assert read == HarmonizationSettings(by="reconstruction", fewest=8)
    assert Settings().harmonization is None
    for wrong in ({"by": "station"}, {"fewest": 1}, {"label": True}):
        with pytest.raises(ValueError, match="harmonization"):
            Settings.model_validate({"harmonization": wrong})
