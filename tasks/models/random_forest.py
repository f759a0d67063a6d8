"""Random forest (Breiman 2001, doi:10.1023/A:1010933404324)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

from pydantic import Field

from tasks.settings import StageSettings

if TYPE_CHECKING:
    from optuna import Trial
    from sklearn.base import ClassifierMixin

SCALED = False
"""A tree asks for more or less, on whatever scale."""


class Settings(StageSettings):
    """Size of the forest."""

    trees: int = Field(default=300, ge=10)
    leaf: int = Field(default=3, ge=1, description="Least number of rows in a leaf.")
    class_weight: Literal["balanced", "balanced_subsample"] | None = None


def build(settings: Settings, *, columns: int, seed: int) -> ClassifierMixin:
    """An unfitted classifier. One thread: sums in another order are other sums."""
    from sklearn.ensemble import RandomForestClassifier

    del columns
    return RandomForestClassifier(
        n_estimators=settings.trees,
        min_samples_leaf=settings.leaf,
        class_weight=settings.class_weight,
        n_jobs=1,
        random_state=seed,
    )


def suggest(trial: Trial) -> dict[str, Any]:
    """Settings to try; more trees are never worse, so their number is not searched."""
    return {
        "leaf": trial.suggest_int("leaf", 1, 20, log=True),
        "class_weight": trial.suggest_categorical("class_weight", [None, "balanced_subsample"]),
    }
