"""Gradient boosting of trees on histograms (Friedman 2001, doi:10.1214/aos/1013203451; the kind of LightGBM, Ke 2017).

The number of rounds is fixed. Stopping early would hold out rows at random, and rows of one patient resemble each
other: the loss would go on falling where a new patient's has long risen.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pydantic import Field

from tasks.settings import StageSettings

if TYPE_CHECKING:
    from optuna import Trial
    from sklearn.base import ClassifierMixin

SCALED = False
"""A tree asks for more or less, on whatever scale."""


class Settings(StageSettings):
    """How many trees, how large, and how far each goes. Small by default: cohorts are."""

    rounds: int = Field(default=100, ge=1)
    learning_rate: float = Field(default=0.05, gt=0, le=1)
    leaves: int = Field(default=8, ge=2, description="Leaves of a tree at most.")
    leaf: int = Field(default=10, ge=1, description="Least number of rows in a leaf.")
    penalty: float = Field(default=1.0, ge=0, description="Quadratic, on the values of the leaves.")


def build(settings: Settings, *, columns: int, seed: int) -> ClassifierMixin:
    """An unfitted classifier; classes weigh the same, however rare."""
    from sklearn.ensemble import HistGradientBoostingClassifier

    del columns
    return HistGradientBoostingClassifier(
        max_iter=settings.rounds,
        learning_rate=settings.learning_rate,
        max_leaf_nodes=settings.leaves,
        min_samples_leaf=settings.leaf,
        l2_regularization=settings.penalty,
        class_weight="balanced",
        early_stopping=False,
        random_state=seed,
    )


def suggest(trial: Trial) -> dict[str, Any]:
    """Settings to try."""
    return {
        "rounds": trial.suggest_int("rounds", 25, 200, log=True),
        "learning_rate": trial.suggest_float("learning_rate", 0.02, 0.2, log=True),
        "leaves": trial.suggest_int("leaves", 3, 31, log=True),
        "leaf": trial.suggest_int("leaf", 5, 40, log=True),
        "penalty": trial.suggest_float("penalty", 0.1, 10.0, log=True),
    }
