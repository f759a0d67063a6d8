"""Random forest on selected features (Breiman 2001, doi:10.1023/A:1010933404324)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from pydantic import Field

from tasks.settings import StageSettings

if TYPE_CHECKING:
    from sklearn.pipeline import Pipeline


class Settings(StageSettings):
    """Size of the forest and how many features it sees."""

    trees: int = Field(default=300, ge=10)
    leaf: int = Field(default=3, ge=1, description="Least number of candidates in a leaf.")
    features: int = Field(default=40, ge=1, description="Features kept by the F-test; all when there are fewer.")
    class_weight: Literal["balanced", "balanced_subsample"] | None = None


def build(settings: Settings, *, columns: int, seed: int) -> Pipeline:
    """An unfitted pipeline for a table of ``columns`` features. One thread: sums in another order are other sums."""
    from sklearn.ensemble import RandomForestClassifier
    from sklearn.feature_selection import SelectKBest, VarianceThreshold, f_classif
    from sklearn.impute import SimpleImputer
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
                RandomForestClassifier(
                    n_estimators=settings.trees,
                    min_samples_leaf=settings.leaf,
                    class_weight=settings.class_weight,
                    n_jobs=1,
                    random_state=seed,
                ),
            ),
        ]
    )
