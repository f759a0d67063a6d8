"""What a search has tried, summed up, and as the page shows it."""

from __future__ import annotations

import re
from typing import Any

from tasks.report.content import Fold, ReportInput
from tasks.report.page import render_page
from tasks.report.searched import Searched, searched
from tasks.train.search import TrialRecord, best_of


def trial(number: int, *scores: float, pruned: bool = False, **options: Any) -> dict[str, Any]:
    record = TrialRecord(number=number, options=options, scores=scores, pruned=pruned)
    return record.model_dump(mode="json")


TRIALS = [
    trial(0, 0.4, 0.5, trees=300, depth=3),
    trial(1, 0.9, pruned=True, trees=10, depth=1),
    trial(2, 0.5, 0.75, trees=300, depth=7, share=0.123456),
    trial(3, 0.75, 0.75, trees=900, depth=3),
]


def words(*found: Searched) -> str:
    report = ReportInput(study="phantoms", folds=(Fold(name="1", model="forest", searched=found),))
    section = render_page(report).partition('id="section-models"')[2].partition("</section>")[0]
    return " ".join(re.sub(r"<[^>]+>", " ", section).split())


def test_the_best_trial_is_the_one_that_the_search_has_taken() -> None:
    [one] = searched({"forest": TRIALS})
    taken = best_of([TrialRecord.model_validate(record) for record in TRIALS])
    assert (taken.number, one.best) == (2, taken.value)
    assert one.chosen == (("depth", "7"), ("share", "0.1235"))
    assert (one.tried, one.given_up, one.own) == (3, 1, 0.5)


def test_where_nothing_is_better_the_studys_own_settings_stay() -> None:
    [one] = searched({"forest": [TRIALS[0], trial(1, 0.5, 0.5, trees=1)]})
    assert one.chosen == ()
    assert "forest 1 0 0.500 0.500 the study's own" in words(one)


def test_the_page_says_what_was_tried_and_chosen() -> None:
    assert "1 forest 3 1 0.500 0.750 depth 7 share 0.1235" in words(*searched({"forest": TRIALS}))


def test_without_a_search_the_page_says_nothing_of_one() -> None:
    assert searched({}) == ()
    assert "searched" not in words()
