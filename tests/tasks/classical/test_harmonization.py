"""Harmonization as a step of a pipeline: what a scanner is called, what the step takes, and that it can be saved."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from sklearn.base import clone
from sklearn.pipeline import Pipeline

from storage.classical import load_model, save_model
from tasks.classical.combat import fit_combat
from tasks.classical.harmonization import HarmonizationSettings, scanner_of
from tasks.classical.pipelines import build_pipeline
from tasks.classical.scanner_harmonizer import ScannerHarmonizer
from tasks.classical.scoring import probability
from tasks.classical.steps import HARMONIZE, inputs_of, kept_columns, steps_of
from tasks.selection import univariate

HEADER = {"manufacturer": "Acme  Medical", "model": "One", "kernel": "B30", "slices": 5}
NAMES = ["ACME ONE", "ACME TWO"]
RNG = np.random.default_rng(0)
SCANNERS = [NAMES[n % 2] for n in range(60)]
LABELS = np.arange(60) // 2 % 2 == 0
TABLE = RNG.normal(size=(60, 4)) + 4.0 * (np.arange(60) % 2)[:, None]
TABLE[:, 0] += 3.0 * LABELS
TABLE[::7, 1] = np.nan
COLUMNS = ["first", "second", "third", "fourth"]


def harmonizer(**settings: object) -> ScannerHarmonizer:
    unfitted = HarmonizationSettings.model_validate(settings).build(NAMES, COLUMNS)
    return unfitted.fit(unfitted.with_scanners(TABLE, SCANNERS))


def pipeline(model: str) -> Pipeline:
    first = harmonizer()
    rest = build_pipeline(model, {}, [univariate.Settings(features=2)], columns=4, seed=0)
    rest.fit(first.transform(first.with_scanners(TABLE, SCANNERS)), LABELS)
    return Pipeline([(HARMONIZE, first), *rest.steps])


def test_a_scanner_is_named_by_its_maker_and_model() -> None:
    assert scanner_of(HEADER, "scanner") == "ACME MEDICAL ONE"
    assert scanner_of({**HEADER, "manufacturer": "ACME MEDICAL "}, "scanner") == "ACME MEDICAL ONE"
    assert scanner_of(HEADER, "manufacturer") == "ACME MEDICAL"
    assert scanner_of(HEADER, "reconstruction") == "ACME MEDICAL ONE B30"
    assert scanner_of({"model": "One"}, "scanner") == "ONE"
    assert scanner_of({"kernel": "B30"}, "scanner") is None


def test_the_step_takes_the_scanner_away_and_gives_the_harmonized_table() -> None:
    fitted = harmonizer()
    batches = np.arange(60) % 2
    expected = fit_combat(TABLE, batches, np.arange(60), count=2, fewest=5).apply(TABLE, batches)
    found = fitted.transform(fitted.with_scanners(TABLE, SCANNERS))
    assert np.array_equal(found, expected, equal_nan=True)
    assert fitted.patients_.tolist() == [30, 30]


def test_a_scanner_without_training_rows_and_none_at_all_leave_rows_as_they_are() -> None:
    fitted = harmonizer()
    found = fitted.transform(fitted.with_scanners(TABLE[:3], ["ACME THREE", None, "ACME ONE"]))
    assert np.array_equal(found[:2], TABLE[:2], equal_nan=True)
    assert not np.array_equal(found[2], TABLE[2], equal_nan=True)


def test_settings_reach_the_method() -> None:
    one, other = harmonizer(reference="ACME TWO"), harmonizer(preserve=["third"])
    assert one.corrected_.all(axis=1).tolist() == [True, False]
    assert other.corrected_.all(axis=0).tolist() == [True, True, False, True]
    assert other.slopes_.shape == (1, 4)
    assert not harmonizer(fewest=31).corrected_.any()
    assert np.array_equal(harmonizer(mean_only=True).gain_, np.ones((2, 4)))
    assert not np.array_equal(harmonizer(parametric=False).gain_, harmonizer().gain_)
    with pytest.raises(ValueError, match="preserve: no feature 'fifth' in the table"):
        harmonizer(preserve=["fifth"])


def test_a_copy_is_unfitted_and_has_the_same_settings() -> None:
    copy = clone(harmonizer(preserve=["third"], mean_only=True))
    assert (copy.preserve, copy.mean_only, copy.scanners) == ((2,), True, tuple(NAMES))
    assert not hasattr(copy, "corrected_")


@pytest.mark.parametrize("model", ["logistic", "bayesian_network"])
def test_scores_depend_on_the_scanner_and_columns_are_counted_as_in_the_table(model: str, tmp_path: Path) -> None:
    fitted = pipeline(model)
    assert kept_columns(fitted, 4)[0]
    assert kept_columns(fitted, 4).sum() == 2
    assert HARMONIZE in steps_of(fitted)
    rows = pd.DataFrame(TABLE, columns=COLUMNS)
    by_name = [probability(fitted, rows, scanner=name) for name in (*NAMES, None)]
    assert not np.allclose(by_name[0], by_name[1])
    assert not np.allclose(by_name[0], by_name[2])
    save_model(tmp_path / "model.skops", fitted)
    again = load_model(tmp_path / "model.skops")
    assert [probability(again, rows, scanner=name).tobytes() for name in (*NAMES, None)] == [
        one.tobytes() for one in by_name
    ]


def test_a_pipeline_that_harmonizes_refuses_a_table_without_scanners_and_another_takes_it_as_it_is() -> None:
    with pytest.raises(ValueError, match="4 features, but ScannerHarmonizer is expecting 5"):
        pipeline("logistic").predict_proba(TABLE)
    plain = build_pipeline("logistic", {}, [], columns=4, seed=0).fit(TABLE, LABELS)
    assert inputs_of(plain, TABLE, SCANNERS) is TABLE
