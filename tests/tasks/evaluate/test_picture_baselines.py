"""Baselines see the training folds alone, and each sees its own columns alone."""

from __future__ import annotations

from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from tasks.evaluate.picture_baselines import (
    FAMILIES,
    PICTURE_BASELINES,
    PictureBaseline,
    fit_picture_baseline,
    run_picture_baselines,
)
from tasks.extract.picture_families import size_and_border
from tasks.extract.picture_settings import PictureSettings
from tasks.extract.pictures import picture_features
from tasks.imaging.picture_frame import frame_picture

CLASSES, FOLDS = 3, 3


def cohort(pictures: int = 72, *, informative: str = "") -> tuple[pd.DataFrame, np.ndarray, np.ndarray]:
    """Noise in all families; the columns of one of them know the class."""
    rng = np.random.default_rng(11)
    truth, folds = np.arange(pictures) % CLASSES, np.arange(pictures) // CLASSES % FOLDS
    table = pd.DataFrame(
        {
            f"{family}.{number}": rng.normal(size=pictures) + 3 * (family == informative) * (truth == number % CLASSES)
            for family in ("size_and_border", "first_order", "wavelet", "hog")
            for number in range(12)
        }
    )
    return table, truth, folds


def fit_without(fold: int, name: PictureBaseline, table: pd.DataFrame, truth: np.ndarray, folds: np.ndarray) -> Any:
    kept = folds != fold
    return fit_picture_baseline(name, table[kept], truth[kept], folds[kept], seed=0)


@pytest.mark.parametrize("name", PICTURE_BASELINES)
def test_noise_in_the_held_out_fold_changes_nothing_that_is_fitted(name: PictureBaseline) -> None:
    table, truth, folds = cohort(informative=FAMILIES[name])
    ruined = table.copy()
    rows = folds == 2
    ruined.loc[rows] = np.random.default_rng(1).normal(1e3, 1e4, (int(rows.sum()), table.shape[1]))
    probe = np.random.default_rng(2).normal(size=(50, 12))
    one, other = (fit_without(2, name, features, truth, folds).predict_proba(probe) for features in (table, ruined))
    np.testing.assert_array_equal(one, other)
    # Where the noise is trained on, the same probe is scored otherwise: the test can tell.
    one, other = (fit_without(1, name, features, truth, folds).predict_proba(probe) for features in (table, ruined))
    assert np.array_equal(one, other) == (name == "majority")


@pytest.mark.parametrize("name", PICTURE_BASELINES)
def test_each_baseline_looks_at_its_own_columns(name: PictureBaseline) -> None:
    found = {}
    for family in {FAMILIES[name], "hog", "first_order"}:
        table, truth, folds = cohort(informative=family)
        if name in ("size_and_border", "wavelet_svm"):  # some of their columns are not defined for every picture
            table.loc[::5, f"{FAMILIES[name]}.1"] = np.nan
        scores = run_picture_baselines(table, truth, folds, classes=CLASSES, seed=0, names=[name])[name]
        np.testing.assert_allclose(scores.probability.sum(axis=1), 1.0)
        np.testing.assert_array_equal(scores.predicted, scores.probability.argmax(axis=1))
        found[family] = float((scores.predicted == truth).mean())
    assert len(found) >= 2
    good = {family for family, accuracy in found.items() if accuracy > 0.75}
    assert good == (set() if name == "majority" else {FAMILIES[name]})


def test_majority_is_that_of_the_training_folds() -> None:
    table, _, _ = cohort(72)
    folds = np.repeat(np.arange(3), 24)
    truth = np.concatenate([np.repeat([0, 1, 2], counts) for counts in ([20, 2, 2], [4, 12, 8], [4, 12, 8])])
    scores = run_picture_baselines(table, truth, folds, classes=CLASSES, seed=0, names=["majority"])["majority"]
    for fold in range(FOLDS):
        counts = np.bincount(truth[folds != fold], minlength=CLASSES)
        assert (scores.predicted[folds == fold] == counts.argmax()).all()
        np.testing.assert_allclose(scores.probability[folds == fold][0], counts / counts.sum())


def test_a_fit_repeats() -> None:
    table, truth, folds = cohort(informative="hog")
    for name in PICTURE_BASELINES:
        probe = table[[column for column in table if column.startswith(f"{FAMILIES[name]}.")]].to_numpy()
        one, other = (fit_without(0, name, table, truth, folds).predict_proba(probe) for _ in range(2))
        np.testing.assert_array_equal(one, other)


def test_what_cannot_be_validated_is_refused() -> None:
    table, truth, folds = cohort()
    with pytest.raises(ValueError, match="class 0 in at least 3 folds; it is in 2"):
        run_picture_baselines(table, truth, folds % 2, classes=CLASSES, seed=0)
    with pytest.raises(ValueError, match="one class and fold per row"):
        run_picture_baselines(table, truth[1:], folds, classes=CLASSES, seed=0)
    with pytest.raises(ValueError, match="the choices are size_and_border"):
        fit_picture_baseline("magic", table, truth, folds, seed=0)  # type: ignore[arg-type]


def how_saved(pixels: np.ndarray) -> dict[str, float]:
    return size_and_border.compute(pixels, pixels, size_and_border.Settings())


@pytest.mark.slow
def test_framing_takes_most_of_what_size_and_border_know(real_data: Path) -> None:
    paths = [list(islice(sorted(f.iterdir()), 0, 120, 8)) for f in sorted((real_data / "brain_mri4").iterdir())]
    truth = np.repeat(np.arange(4), 15)
    folds = np.tile(np.arange(15) % 3, 4)
    pictures = [np.asarray(Image.open(path).convert("RGB")) for several in paths for path in several]
    framed = [frame_picture(pixels) for pixels in pictures]
    before = pd.DataFrame([how_saved(pixels) for pixels in pictures]).add_prefix("size_and_border.")
    after = pd.DataFrame([how_saved(pixels) for pixels in framed]).add_prefix("size_and_border.")
    one, other = (
        run_picture_baselines(table, truth, folds, classes=4, seed=0, names=["size_and_border"])["size_and_border"]
        for table in (before, after)
    )
    assert (one.predicted == truth).mean() > 0.4
    assert (other.predicted == truth).mean() < (one.predicted == truth).mean() - 0.1
    assert len(picture_features(pictures[0], framed[0], PictureSettings())) > 1000
