"""What a fitted model leans on: impurity decrease of a forest, weights of a linear model, else what shuffling costs."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
from sklearn.pipeline import Pipeline

from tasks.classical.steps import kept_columns

FloatArray = npt.NDArray[np.float64]

MOST_ROWS = 400
"""Rows on which shuffling is tried: enough to rank features, and a night's patience for models that answer slowly."""


def importance(
    pipeline: Pipeline, features: FloatArray, labels: npt.NDArray[np.bool_], columns: Sequence[str], *, seed: int
) -> dict[str, float]:
    """Importance of each feature that the model sees, largest first.

    Parameters
    ----------
    features, labels
        What it was fitted on, ``(rows, columns)`` and ``(rows,)``.
    columns
        Names of the columns.
    seed
        Of the shuffling.
    """
    classifier = pipeline.named_steps["classify"]
    names = [name for name, kept in zip(columns, kept_columns(pipeline, len(columns)), strict=True) if kept]
    values = getattr(classifier, "feature_importances_", None)
    if values is None and hasattr(classifier, "coef_"):
        values = np.abs(classifier.coef_[0])
    if values is None:
        values = _cost_of_shuffling(pipeline, features, labels, seed)
    ranked = sorted(zip(names, np.asarray(values, dtype=float), strict=True), key=lambda pair: (-pair[1], pair[0]))
    return {name: round(float(value), 6) for name, value in ranked}


def _cost_of_shuffling(
    pipeline: Pipeline, features: FloatArray, labels: npt.NDArray[np.bool_], seed: int
) -> FloatArray:
    """AUC lost when a column is shuffled among the rows (Breiman 2001, doi:10.1023/A:1010933404324).

    On rows that it was fitted on: what it leans on, not what it is right to lean on.
    """
    from sklearn.inspection import permutation_importance

    if len(pipeline.steps) == 1:  # the stand-in for a single class
        return np.zeros(features.shape[1])
    rng = np.random.default_rng(seed)
    positive, negative = np.flatnonzero(labels), np.flatnonzero(~labels)
    some = rng.permutation(positive)[: MOST_ROWS // 2]
    rows = np.sort(np.concatenate([some, rng.permutation(negative)[: MOST_ROWS - len(some)]]))
    found = permutation_importance(
        pipeline.named_steps["classify"],
        pipeline[:-1].transform(features[rows]),
        labels[rows],
        scoring="roc_auc",
        n_repeats=1,
        random_state=seed,
        n_jobs=1,
    )
    return np.asarray(found.importances_mean)
