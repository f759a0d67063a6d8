"""Fitting on tables made by hand: what is learnt, where the operating point lies, and who was never seen."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import numpy.typing as npt
import pandas as pd
import pytest

from storage.errors import CaseError
from storage.keys import digest
from tasks.train import fit as fitting
from tasks.train.case_table import CaseTable
from tasks.train.fit import Fitted, fit
from tasks.train.label import CandidateLabels
from tasks.train.out_of_fold import inner_folds_of, out_of_fold
from tasks.train.rating import as_detected
from tasks.train.settings import Settings

QUICK = {"random_forest": {"trees": 20}}
PLAIN = Settings(models=("logistic",))
BOTH = Settings(options=QUICK)


def case(
    number: int, *, lesion: bool = True, signal: float = 4.0, candidates: int = 12, patient: str | None = None
) -> CaseTable:
    """Disjoint candidates; the first is the lesion, if there is one, and ``signal`` is added to its first feature."""
    features = np.random.default_rng(number).normal(size=(candidates, 4))
    on_it = np.arange(candidates) == (0 if lesion else -1)
    features[on_it, 0] += signal
    labels = CandidateLabels(on_it.astype(np.int64), np.where(on_it, 0.8, 0.0), on_it, int(lesion))
    return CaseTable(
        patient=patient or f"P-{number}",
        digest=digest(number),
        features=pd.DataFrame(features, columns=["first", "second", "third", "fourth"]),
        labels=labels,
        volume_ml=np.full(candidates, 2.0),
        dice=np.eye(candidates, dtype=np.float32),
    )


def cohort(size: int = 10, signal: float = 4.0) -> list[CaseTable]:
    """Every third patient has no lesion."""
    return [case(number, lesion=number % 3 != 2, signal=signal) for number in range(size)]


def with_labels(table: CaseTable, iou: npt.NDArray[np.float64]) -> CaseTable:
    return replace(table, labels=replace(table.labels, iou=iou))


def said(cases: Sequence[CaseTable], settings: Settings = BOTH, most: int | None = None) -> dict[str, object]:
    """Everything that a fit gives, the pipeline by its predictions."""
    fitted = fit(cases, settings, most=most)
    rows = np.random.default_rng(99).normal(size=(50, 4))
    return {**vars(fitted), "pipeline": fitted.pipeline.predict_proba(rows).tobytes()}


# What is learnt


def test_a_lesion_that_stands_out_is_learnt() -> None:
    cases = cohort(signal=20.0)
    fitted = fit(cases, BOTH, most=None)
    assert fitted.scores[fitted.model] == {"cpm": 1.0, "auc": 1.0}
    assert next(iter(fitted.importance)) == "first"
    assert fitted.columns == ("first", "second", "third", "fourth")
    assert (fitted.patients, fitted.candidates, fitted.positives) == (10, 120, 7)


def test_noise_is_not_learnt() -> None:
    scores = fit(cohort(30, signal=0.0), PLAIN, most=None).scores["logistic"]
    assert 0.25 < scores["auc"] < 0.75
    assert scores["cpm"] < 0.5


def test_a_candidate_that_is_not_placed_teaches_nothing() -> None:
    table = case(0)
    unplaced = replace(table, labels=replace(table.labels, placed=np.zeros(12, dtype=bool)))
    assert table.positive(0.5).tolist() == [True] + [False] * 11
    assert not unplaced.positive(0.5).any()


def test_a_candidate_of_exactly_the_least_iou_teaches_and_one_below_does_not() -> None:
    assert case(0).positive(0.8).any()
    assert not case(0).positive(0.80001).any()


def test_the_better_model_wins_and_the_first_named_on_a_tie(monkeypatch: pytest.MonkeyPatch) -> None:
    def score_by(order: dict[int, float]) -> str:
        results = iter([{"cpm": order[0], "auc": 0.5}, {"cpm": order[1], "auc": 0.5}])
        monkeypatch.setattr(fitting, "rate", lambda *_: next(results))
        return fit(cohort(4), BOTH, most=None).model

    assert BOTH.models == ("random_forest", "logistic")
    assert score_by({0: 0.4, 1: 0.5}) == "logistic"
    assert score_by({0: 0.6, 1: 0.5}) == "random_forest"
    assert score_by({0: 0.5, 1: 0.5}) == "random_forest"


# Who was never seen


def test_out_of_fold_scores_do_not_know_the_labels_of_their_own_patient() -> None:
    cases = cohort()
    labels = cases[3].labels
    wrong = CandidateLabels(1 - labels.lesion, 0.9 - labels.iou, ~labels.placed, labels.lesions)
    mislabelled = [*cases[:3], replace(cases[3], labels=wrong), *cases[4:]]
    before, after = (out_of_fold(some, PLAIN).scores["logistic"] for some in (cases, mislabelled))
    assert np.array_equal(before[3], after[3])
    fold_of = inner_folds_of(cases, PLAIN)
    others = [index for index, fold in enumerate(fold_of) if fold != fold_of[3]]
    assert not any(np.array_equal(before[index], after[index]) for index in others)


def test_both_examinations_of_a_patient_are_held_out_together() -> None:
    cases = cohort(8)
    cases += [case(20, patient="P-0")]
    for mine, other in ((0, 8), (8, 0)):
        changed = list(cases)
        changed[other] = replace(
            cases[other], features=cases[other].features + 50.0 * np.random.default_rng(5).normal(size=(12, 4))
        )
        before, after = (out_of_fold(some, PLAIN).scores["logistic"] for some in (cases, changed))
        assert np.array_equal(before[mine], after[mine])


def test_as_many_inner_folds_are_made_as_there_are_patients_at_most() -> None:
    assert len(set(inner_folds_of(cohort(12), PLAIN))) == 5
    assert len(set(inner_folds_of(cohort(3), PLAIN))) == 3


@pytest.mark.parametrize("seed", range(4))
def test_positives_are_spread_over_the_inner_folds(seed: int) -> None:
    cases = [case(number, lesion=number < 5) for number in range(10)]
    fold_of = inner_folds_of(cases, Settings(seed=seed))
    assert sorted(fold_of[:5]) == sorted(fold_of[5:]) == [0, 1, 2, 3, 4]


# What is selected


def wide(size: int = 12) -> list[CaseTable]:
    """The lesion stands out in the first column; the last is constant, 26 others are noise."""
    cases = []
    for number in range(size):
        table = case(number, signal=20.0)
        noise = np.random.default_rng([number, 1]).normal(size=(12, 27))
        noise[:, 26] = 1.0
        columns = [f"noise {n:02}" for n in range(27)]
        cases.append(replace(table, features=table.features.join(pd.DataFrame(noise, columns=columns))))
    return cases


CHAIN = Settings.model_validate(
    {"models": ["logistic"], "selection": [{"name": "correlation"}, {"name": "univariate", "features": 4}]}
)


def test_the_card_says_what_was_kept_by_what_score_and_how_often() -> None:
    selection = fit(wide(), CHAIN, most=None).selection
    assert [(step.name, step.offered, step.kept) for step in selection.steps] == [
        ("correlation", 30, 30),
        ("univariate", 30, 4),
    ]
    assert [step.measure for step in selection.steps] == ["columns it stands for", "test statistic"]
    first, *others = selection.features
    assert (first.name, first.frequency, first.scores[0]) == ("first", 1.0, 1.0)
    assert first.scores[1] > 10 * max(one.scores[1] for one in others)
    assert len(others) == 3
    assert all(one.frequency <= 1.0 for one in others)
    assert selection.folds == 5
    assert selection.low <= selection.stability <= selection.high


def test_frequencies_are_counted_over_the_inner_folds() -> None:
    cases = sorted(wide(), key=lambda table: table.digest)
    kept = out_of_fold(cases, CHAIN).kept["logistic"]
    assert [int(one.sum()) for one in kept] == [4] * 5
    names = cases[0].features.columns
    often = dict(zip(names, np.mean(kept, axis=0), strict=True))
    for feature in fit(cases, CHAIN, most=None).selection.features:
        assert feature.frequency == pytest.approx(often[feature.name])
    assert not any(one[-1] for one in kept)  # the constant column


def test_the_selection_of_an_inner_fold_does_not_know_its_patients() -> None:
    cases = sorted(wide(), key=lambda table: table.digest)
    fold_of = inner_folds_of(cases, CHAIN)
    ruined = [
        replace(table, features=table.features * 0 + np.random.default_rng(0).normal(size=table.features.shape))
        if fold == 2
        else table
        for table, fold in zip(cases, fold_of, strict=True)
    ]
    before, after = (out_of_fold(some, CHAIN).kept["logistic"] for some in (cases, ruined))
    assert np.array_equal(before[2], after[2])
    assert any(not np.array_equal(before[other], after[other]) for other in (0, 1, 3, 4))


def test_a_model_that_sees_what_is_missing_says_what_it_was_given_as_all_others_do() -> None:
    cases = [replace(table, features=table.features.mask(np.eye(12, 30 + 1, k=4, dtype=bool))) for table in wide(6)]
    one, other = (
        fit(cases, CHAIN.model_copy(update={"models": (name,)}), most=None).selection
        for name in ("logistic", "bayesian_network")
    )
    assert one == other


def test_without_selectors_the_models_see_all_that_varies() -> None:
    selection = fit(wide(), Settings(models=("logistic",), selection=()), most=None).selection
    assert selection.steps == ()
    assert len(selection.features) == 30
    assert {feature.scores for feature in selection.features} == {()}


def test_models_that_compete_share_what_comes_before_them_and_lose_nothing_by_it() -> None:
    cases = sorted(cohort(), key=lambda table: table.digest)
    settings = Settings(models=("logistic", "svm"))
    together = out_of_fold(cases, settings).scores
    for name in settings.models:
        alone = out_of_fold(cases, settings.model_copy(update={"models": (name,)})).scores[name]
        assert all(np.array_equal(one, other) for one, other in zip(together[name], alone, strict=True))


def test_a_model_without_weights_is_asked_what_shuffling_costs_it() -> None:
    fitted = fit(wide(), CHAIN.model_copy(update={"models": ("svm",)}), most=None)
    assert next(iter(fitted.importance)) == "first"
    assert fitted.importance["first"] > 0.2
    assert set(fitted.importance) == {feature.name for feature in fitted.selection.features}


# What nothing depends on


def test_neither_the_order_of_the_cases_nor_pseudonyms_matter() -> None:
    cases = cohort()
    renamed = [replace(table, patient=f"P-{digest(['another key', table.patient])}") for table in cases[::-1]]
    assert said(renamed) == said(cases)


def test_the_same_cases_give_the_same_bytes_and_another_seed_others() -> None:
    assert said(cohort()) == said(cohort())
    one, other = (said(cohort(), Settings(models=("random_forest",), options=QUICK, seed=seed)) for seed in (0, 1))
    assert one["pipeline"] != other["pipeline"]


# The operating point


def false_positives(cases: Sequence[CaseTable], settings: Settings, fitted: Fitted, threshold: float) -> int:
    """Disjoint candidates of no lesion that score above the threshold, out of fold: counted one by one."""
    ordered = sorted(cases, key=lambda table: table.digest)
    scores = [fitted.calibration(score) for score in out_of_fold(ordered, settings).scores[fitted.model]]
    return sum(
        int((score[table.labels.lesion == 0] > threshold).sum()) for score, table in zip(scores, ordered, strict=True)
    )


@pytest.mark.parametrize("allowed", [0.1, 0.5, 1.0, 3.0])
def test_the_operating_point_allows_as_many_false_positives_as_the_study_and_no_more(allowed: float) -> None:
    settings = Settings(models=("logistic",), fp_per_scan=allowed)
    cases = cohort(20, signal=1.0)
    fitted = fit(cases, settings, most=None)
    assert false_positives(cases, settings, fitted, fitted.threshold) == int(allowed * 20)
    lower = float(np.nextafter(fitted.threshold, 0))
    assert false_positives(cases, settings, fitted, lower) == int(allowed * 20) + 1  # so it is the lowest such


def test_the_operating_point_is_0_where_the_study_allows_everything() -> None:
    assert fit(cohort(), Settings(models=("logistic",), fp_per_scan=12.0), most=None).threshold == 0.0


def test_small_wrong_candidates_cost_nothing() -> None:
    cases = [replace(table, volume_ml=np.full(12, 0.4)) for table in cohort()]
    assert fit(cases, PLAIN, most=None).threshold == 0.0
    assert fit(cohort(), PLAIN, most=None).threshold > 0.0


def test_fragments_of_one_lesion_are_no_false_positives() -> None:
    table = case(0)
    table = replace(table, labels=replace(table.labels, lesion=np.ones(12, dtype=np.int64)))
    found = as_detected(table, np.linspace(1, 0.1, 12), PLAIN, None)
    assert (found.lesion_scores, found.false_positive_scores) == ((1.0,), ())


def test_candidates_that_share_voxels_are_one_detection() -> None:
    table = replace(
        case(0, lesion=False, candidates=3), dice=np.array([[1, 0.5, 0], [0.5, 1, 0], [0, 0, 1]], "float32")
    )
    found = as_detected(table, np.array([0.9, 0.8, 0.3]), PLAIN, None)
    assert found.false_positive_scores == (0.3, 0.9)
    assert as_detected(table, np.array([0.9, 0.8, 0.3]), PLAIN, 1).false_positive_scores == (0.9,)


def test_a_lesion_without_a_good_candidate_was_not_found() -> None:
    table = with_labels(case(0), np.full(12, 0.29))
    assert as_detected(table, np.full(12, 0.9), PLAIN, None).lesion_scores == (-np.inf,)


# Faults


def test_without_a_good_candidate_there_is_nothing_to_learn() -> None:
    with pytest.raises(CaseError, match=r"none of the candidates of 4 training cases has an IoU of 0\.9"):
        fit(cohort(4), Settings(positive_iou=0.9), most=None)


def test_one_patient_is_too_few_whatever_he_brings() -> None:
    with pytest.raises(ValueError, match="at least 2 patients; got 1"):
        fit([case(0, patient="P-0"), case(1, patient="P-0")], PLAIN, most=None)


def test_two_patients_of_whom_one_has_a_lesion_are_enough() -> None:
    fitted = fit([case(0), case(1, lesion=False)], PLAIN, most=None)
    assert fitted.scores["logistic"]["cpm"] == 0.0  # whoever scored the lesion had never seen one
    assert fitted.pipeline.predict_proba(case(0).features.to_numpy())[0, 1] > 0.5


def test_a_case_without_candidates_stops_nothing() -> None:
    empty = case(50, candidates=0)
    fitted = fit([*cohort(), replace(empty, labels=replace(empty.labels, lesions=1))], PLAIN, most=None)
    assert (fitted.patients, fitted.candidates) == (11, 120)


def test_an_unknown_model_and_a_wrong_option_are_refused() -> None:
    with pytest.raises(ValueError, match=r"no model 'perceptron'; choose from: .*logistic, .*random_forest"):
        Settings(models=("perceptron",))
    with pytest.raises(ValueError, match="trees"):
        Settings(options={"random_forest": {"trees": 1}})
    with pytest.raises(ValueError, match="expected tags"):
        Settings.model_validate({"selection": [{"name": "guess"}]})
    with pytest.raises(ValueError, match="no 'forest' in"):
        Settings(options={"forest": {}})
