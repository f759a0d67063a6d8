"""What the page says of harmonization."""

from __future__ import annotations

import re
from dataclasses import asdict

from tasks.report.content import Fold, ReportInput
from tasks.report.harmonized import CaseScanner, Harmonization
from tasks.report.page import render_page
from tasks.train import harmonized as learned


def told(lesions: float | None = 0.12, *, reference: str | None = None, unnamed: int = 0) -> Harmonization:
    """As a model's card holds it."""
    scanners = (learned.Scanner("ACME ONE", 12, 40), learned.Scanner("ACME TWO", 3, 0))
    card = learned.Harmonization("scanner", scanners, reference, unnamed, lesions, 0.0)
    return Harmonization.model_validate(asdict(card))


def words(found: Harmonization | None, *scanners: CaseScanner) -> str:
    folds = (Fold(name="1", model="logistic", harmonization=found), Fold(name="refit", model="logistic"))
    page = render_page(ReportInput(study="phantoms", folds=folds, scanners=scanners))
    section = page.partition('id="section-models"')[2].partition("</section>")[0]
    return " ".join(re.sub(r"<[^>]+>", " ", section).split())


def test_the_page_says_which_scanners_are_corrected_and_which_are_not() -> None:
    assert "1 ACME ONE (12) ACME TWO (3) 0.12 0.00" in words(told())
    assert "ACME TWO (3), the reference not named (2) 0.12" in words(told(reference="ACME TWO", unnamed=2))
    assert "together in the training patients" not in words(told())


def test_the_page_warns_where_scanner_and_lesion_go_together() -> None:
    assert "Scanner and lesion go together in the training patients of 1:" in words(told(0.5))
    assert "ACME TWO (3) — 0.00" in words(told(None))


def test_cases_that_were_left_as_they_are_are_named() -> None:
    known, unknown = (
        CaseScanner(case="C-1", name="ACME ONE", harmonized=True),
        CaseScanner(case="C-2", name=None, harmonized=False),
    )
    assert "1 case comes from a scanner that the model was not harmonized for" in words(told(), known, unknown)
    assert "C-2 (not named)" in words(told(), known, unknown)
    assert "C-1" not in words(told(), known, unknown)
    assert "Every case comes from a scanner that its model was harmonized for." in words(told(), known)


def test_where_nothing_is_harmonized_nothing_is_said() -> None:
    assert "armonized" not in words(None)
