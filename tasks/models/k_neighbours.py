"""The nearest neighbours among the training rows vote (Cover & Hart 1967, doi:10.1109/TIT.1967.1053964)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

from pydantic import Field

from tasks.settings import StageSettings

if TYPE_CHECKING:
    from optuna import Trial
    from sklearn.base import ClassifierMixin

SCALED = True
"""Distances are over all columns alike."""


class Settings(StageSettings):
    """How many vote, and with what weight."""

    neighbours: int = Field(default=15, ge=1, description="All rows where there are fewer.")
    weights: Literal["uniform", "distance"] = Field(default="distance", description="'distance': the nearer, the more.")


def build(settings: Settings, *, columns: int, seed: int) -> ClassifierMixin:
    """An unfitted classifier. Nothing is drawn, so the seed moves nothing."""
    from tasks.models.estimators.neighbours import NeighbourClassifier

    del columns, seed
    return NeighbourClassifier(settings.neighbours, settings.weights)


def suggest(trial: Trial) -> dict[str, Any]:
    """Settings to try."""
    return {
        "neighbours": trial.suggest_int("neighbours", 3, 50, log=True),
        "weights": trial.suggest_categorical("weights", ["uniform", "distance"]),
    }
