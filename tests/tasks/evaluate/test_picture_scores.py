"""The evaluation of pictures: what is lost counts as wrong, what is unknown is never right, rules see the folds."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from tasks.evaluate.picture_scores import Classified, score_pictures
from tasks.evaluate.picture_settings import Settings
from tasks.extract.picture_settings import PictureSettings
from tasks.extract.pictures import picture_feature_info

SETTINGS = Settings(draws=200)


def said(number: int, truth: str, a: float | None, *, fold: int | None = None) -> Classified:
    """A picture of class ``a`` or ``b`` with the probability of ``a``; ``None`` for one that was lost."""
    probabilities = None if a is None else {"a": a, "b": 1 - a}
    return Classified(f"C-{number}", f"{number:04d}", truth, probabilities, f"group {number}", fold)


def test_metrics_by_hand() -> None:
    pictures = [said(0, "a", 0.9), said(1, "a", 0.4), said(2, "b", 0.3), said(3, "b", 0.2), said(4, "a", None)]
    found = score_pictures(pictures, classes=["a", "b"], feature_files=[], settings=SETTINGS)
    assert found["metrics"]["accuracy"]["value"] == pytest.approx(3 / 5)
    assert found["metrics"]["accuracy"]["analysed"]["value"] == pytest.approx(3 / 4)
    assert found["metrics"]["balanced_accuracy"]["value"] == pytest.approx((1 / 3 + 1) / 2)
    assert found["metrics"]["accuracy"]["n"] == 5
    assert "Clopper-Pearson" in found["metrics"]["accuracy"]["rule"]
    assert found["confusion"] == [[1, 1], [0, 2]]
    assert found["baselines"] == {}


def test_a_class_that_no_network_knows_is_never_right() -> None:
    found = score_pictures(
        [said(0, "a", 0.9), said(1, "c", 0.9)], classes=["a", "b"], feature_files=[], settings=SETTINGS
    )
    assert found["metrics"]["accuracy"]["value"] == pytest.approx(0.5)
    assert found["confusion"] == [[1, 0, 0], [0, 0, 0], [1, 0, 0]]


def test_order_decides_nothing() -> None:
    pictures = [said(number, "ab"[number % 2], number / 20) for number in range(20)]
    one, other = (
        score_pictures(several, classes=["a", "b"], feature_files=[], settings=SETTINGS)
        for several in (pictures, pictures[::-1])
    )
    assert one == other


def test_plain_rules_stand_beside_on_the_same_pictures(tmp_path: Path) -> None:
    """One column of the border tells the class; grey values and gradients are noise."""
    rng = np.random.default_rng(0)
    pictures = [said(number, "ab"[number % 2], 0.5, fold=number // 2 % 3) for number in range(60)]
    table = pd.DataFrame({column: rng.normal(size=60) for column in picture_feature_info(PictureSettings())})
    table["size_and_border.width"] = [100.0 * (one.truth == "a") for one in pictures]
    table.insert(0, "case", [one.case for one in pictures])
    table.to_parquet(tmp_path / "features.parquet")
    found = score_pictures(
        pictures, classes=["a", "b"], feature_files=[tmp_path / "features.parquet"], settings=SETTINGS
    )
    accuracies = {rule: values["accuracy"]["value"] for rule, values in found["baselines"].items()}
    assert accuracies["size_and_border"] == 1
    assert accuracies["majority"] == pytest.approx(0.5, abs=0.1)
    [difference] = [one for one in found["differences"] if one["baseline"] == "size_and_border"]
    assert difference["difference"] == pytest.approx(-0.5)  # a tie goes to the first class
    assert difference["p"] < 0.001


def test_nothing_to_score_is_an_answer() -> None:
    assert score_pictures([], classes=["a"], feature_files=[], settings=SETTINGS)["metrics"] == {}
