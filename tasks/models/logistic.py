"""Logistic regression: the plain model that anything more elaborate has to beat.

Its penalty is quadratic, absolute, or both (*elastic net*: Zou & Hastie 2005, doi:10.1111/j.1467-9868.2005.00503.x).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pydantic import Field

from tasks.settings import StageSettings

if TYPE_CHECKING:
    from optuna import Trial
    from sklearn.base import ClassifierMixin

SCALED = True
"""The penalty weighs all columns alike, so they have to be on one scale."""


class Settings(StageSettings):
    """Strength and kind of the penalty."""

    inverse_penalty: float = Field(default=0.1, gt=0, description="scikit-learn's C.")
    absolute_part: float = Field(
        default=0.0, ge=0, le=1, description="Part of the penalty on absolute weights: 0 is ridge, 1 lasso."
    )
    iterations: int = Field(default=2000, ge=10)


def build(settings: Settings, *, columns: int, seed: int) -> ClassifierMixin:
    """An unfitted classifier; classes weigh the same, however rare."""
    from sklearn.linear_model import LogisticRegression

    del columns
    return LogisticRegression(
        C=settings.inverse_penalty,
        l1_ratio=settings.absolute_part,
        solver="saga" if settings.absolute_part > 0 else "lbfgs",
        class_weight="balanced",
        max_iter=settings.iterations,
        random_state=seed,
    )


def suggest(trial: Trial) -> dict[str, Any]:
    """Settings to try."""
    return {
        "inverse_penalty": trial.suggest_float("inverse_penalty", 1e-3, 10.0, log=True),
        "absolute_part": trial.suggest_categorical("absolute_part", [0.0, 0.5]),
    }
