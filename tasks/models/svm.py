"""Support vector machine, linear or with a Gaussian kernel (Cortes & Vapnik 1995, doi:10.1007/BF00994018).

It gives margins. Here they are taken as log-odds, so that every model of the house answers in the same way, and the
order stays. They become probabilities where that can be done honestly: by Platt scaling on patients that the model
never saw, which train does with whatever model it fits (see :mod:`tasks.classical.scoring`). scikit-learn's own scaling
would cut the rows into folds that know no patients.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

from pydantic import Field

from tasks.settings import StageSettings

if TYPE_CHECKING:
    from optuna import Trial
    from sklearn.base import ClassifierMixin

SCALED = True
"""The kernel measures distances over all columns alike."""


class Settings(StageSettings):
    """Kernel, and what an error costs."""

    kernel: Literal["linear", "rbf"] = "rbf"
    inverse_penalty: float = Field(default=1.0, gt=0, description="scikit-learn's C.")
    width: float = Field(
        default=1.0, gt=0, description="Of the Gaussian kernel: its gamma, over 1 / (columns · their variance)."
    )


def build(settings: Settings, *, columns: int, seed: int) -> ClassifierMixin:
    """An unfitted classifier; classes weigh the same, however rare. Nothing is drawn, so the seed moves nothing."""
    from tasks.models.estimators.margins import MarginClassifier

    del columns, seed
    return MarginClassifier(settings.kernel, settings.inverse_penalty, settings.width)


def suggest(trial: Trial) -> dict[str, Any]:
    """Settings to try."""
    kernel = trial.suggest_categorical("kernel", ["linear", "rbf"])
    found: dict[str, Any] = {
        "kernel": kernel,
        "inverse_penalty": trial.suggest_float("inverse_penalty", 0.01, 100.0, log=True),
    }
    return found | ({"width": trial.suggest_float("width", 0.1, 10.0, log=True)} if kernel == "rbf" else {})
