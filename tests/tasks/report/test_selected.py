"""Features that the models were given, put together over the models, and as the page shows them."""

from __future__ import annotations

import re

from tasks.report.content import Fold, ReportInput
from tasks.report.page import render_page
from tasks.report.selected import MOST_SHOWN, FoldSelection, KeptFeature, SelectionStep, selected_features


def selection(**kept: tuple[float, float | None]) -> FoldSelection:
    """Features by name: in which part of the inner folds each was kept, and its score."""
    features = tuple(KeptFeature(name=name, frequency=often, scores=(score,)) for name, (often, score) in kept.items())
    return FoldSelection(
        steps=(SelectionStep(name="univariate", measure="test statistic", offered=900, kept=len(kept)),),
        features=features,
        folds=5,
        stability=0.625,
        low=0.5,
        high=0.75,
    )


ONE, OTHER = selection(a=(1.0, 30.0), b=(0.2, 4.0)), selection(c=(1.0, None), a=(0.6, 10.0))


def words(report: ReportInput) -> str:
    section = render_page(report).partition('id="section-models"')[2].partition("</section>")[0]
    return " ".join(re.sub(r"<[^>]+>", " ", section).split())


def test_features_of_most_models_come_first_with_the_means_over_these_models() -> None:
    found = selected_features([ONE, OTHER])
    assert [(row.name, row.models, row.frequency, row.scores) for row in found.shown] == [
        ("a", 2, 0.8, (20.0,)),
        ("c", 1, 1.0, (None,)),
        ("b", 1, 0.2, (4.0,)),
    ]
    assert found.measures == ("univariate: test statistic",)
    assert found.total == 3


def test_of_many_features_the_first_are_shown_and_all_are_counted() -> None:
    many = selected_features([selection(**{f"f{n:03}": (1.0, 1.0) for n in range(MOST_SHOWN + 5)})])
    assert (len(many.shown), many.total) == (MOST_SHOWN, MOST_SHOWN + 5)


def test_models_without_selectors_show_none() -> None:
    plain = FoldSelection(features=(KeptFeature(name="a", frequency=1.0),), folds=5)
    assert selected_features([plain, FoldSelection()]).shown == ()
    text = words(ReportInput(study="S", folds=(Fold(name="1", model="svm"),)))
    assert "svm" in text
    assert "selected" not in text
    assert "competed" not in text


def test_the_page_says_what_competed_what_was_kept_and_how_steady_it_was() -> None:
    folds = tuple(
        Fold(
            name=str(number),
            model=model,
            scores={"svm": {"cpm": 0.9, "auc": 0.8}, "logistic": {"cpm": 0.95, "auc": 0.85}},
            selection=kept,
        )
        for number, model, kept in ((1, "logistic", ONE), (2, "logistic", OTHER))
    )
    report = ReportInput(study="S", folds=folds, selected=selected_features([fold.selection for fold in folds]))
    text = words(report)
    assert "1 0.900 AUC 0.800 0.950 AUC 0.850" in text
    assert "<b>0.950</b>" in render_page(report)
    assert "1 univariate 900 → 2 0.62 [0.50–0.75] 5" in text
    assert "3 features were given to at least one of 2 models" in text
    assert "a 2 80 % 20.0" in text
