"""Logistic regression with an L2 penalty: the plain model that anything more elaborate has to beat."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pydantic import Field

from tasks.settings import StageSettings

if TYPE_CHECKING:
    from sklearn.pipeline import Pipeline


class Settings(StageSettings):
    """Strength of the penalty and how many features it sees."""

    inverse_penalty: float = Field(default=0.1, gt=0, description="scikit-learn's C.")
    features: int = Field(default=20, ge=1, description="Features kept by the F-test; all when there are fewer.")
    iterations: int = Field(default=2000, ge=10)


def build(settings: Settings, *, columns: int, seed: int) -> Pipeline:
    """An unfitted pipeline for a table of ``columns`` features."""
    from sklearn.feature_selection import SelectKBest, VarianceThreshold, f_classif
    from sklearn.impute import SimpleImputer
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import Pipeline
    from sklearn.preprocessing import StandardScaler

    return Pipeline(
        [
            ("impute", SimpleImputer(strategy="median", keep_empty_features=True)),
            ("vary", VarianceThreshold()),
            ("scale", StandardScaler()),
            ("select", SelectKBest(f_classif, k=settings.features if settings.features < columns else "all")),
            (
                "classify",
                LogisticRegression(
                    C=settings.inverse_penalty, class_weight="balanced", max_iter=settings.iterations, random_state=seed
                ),
            ),
        ]
    )
