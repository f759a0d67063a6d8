"""Whether a model was harmonized for the scanner of a case."""

from __future__ import annotations

from typing import Any

import pytest

from tasks.detect.scanner import NOT_HARMONIZED, SeenScanner, seen_scanner

CARD: dict[str, Any] = {
    "by": "scanner",
    "reference": None,
    "scanners": [
        {"name": "ACME ONE", "patients": 9, "features": 40},
        {"name": "ACME TWO", "patients": 1, "features": 0},
    ],
}


@pytest.mark.parametrize(
    ("model", "harmonized"), [("One", True), ("Two", False), ("Three", False)], ids=["corrected", "too few", "unseen"]
)
def test_only_a_scanner_that_is_corrected_counts(model: str, harmonized: bool) -> None:
    found = seen_scanner(CARD, {"manufacturer": "Acme", "model": model})
    assert found == SeenScanner(f"ACME {model.upper()}", harmonized)
    assert found.flags == (() if harmonized else (NOT_HARMONIZED,))


def test_the_reference_counts_though_nothing_is_done_to_it() -> None:
    found = seen_scanner({**CARD, "reference": "ACME TWO"}, {"manufacturer": "Acme", "model": "Two"})
    assert found == SeenScanner("ACME TWO", True)


def test_a_header_that_does_not_tell_is_no_scanner() -> None:
    assert seen_scanner(CARD, {}) == SeenScanner(None, False)


def test_of_a_model_that_does_not_harmonize_nothing_is_said() -> None:
    assert seen_scanner(None, {"manufacturer": "Acme"}) is None
