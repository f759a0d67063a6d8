"""scikit-learn models on disk: skops, never pickle, and only types that we name."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from storage.errors import StoreError

TRUSTED = (
    "numpy.dtype",
    "sklearn.ensemble._hist_gradient_boosting.predictor.TreePredictor",
    # Of models trained before selectors had files of their own:
    "sklearn.feature_selection._univariate_selection.f_classif",
    "sklearn.tree._tree.Tree",
    "tasks.classical.column_selector.ColumnSelector",
    "tasks.classical.measured_columns.MeasuredColumns",
    "tasks.classical.scanner_harmonizer.ScannerHarmonizer",
    "tasks.models.estimators.bayesian_network.BayesianNetworkClassifier",
    "tasks.models.estimators.fisher_vectors.FisherVectorClassifier",
    "tasks.models.estimators.fisher_vectors.picture_descriptors",
    "tasks.models.estimators.margins.MarginClassifier",
    "tasks.models.estimators.neighbours.NeighbourClassifier",
    "tasks.models.estimators.phenotypes.PhenotypeClassifier",
)
"""Types beyond skops' own list that our pipelines hold. A tree is plain arrays; load from stores you trust."""


def save_model(path: Path, model: Any) -> None:
    """Write a fitted scikit-learn estimator."""
    import skops.io  # takes seconds and brings torch along: only where a model is really written or read

    skops.io.dump(model, path)


def load_model(path: Path) -> Any:
    """Read an estimator. Raises ``StoreError`` when the file holds a type that is not on the list."""
    import skops.io

    unknown = sorted(set(skops.io.get_untrusted_types(file=path)) - set(TRUSTED))
    if unknown:
        raise StoreError(f"{path.name} holds types that are not trusted: {', '.join(unknown)}")
    return skops.io.load(path, trusted=list(TRUSTED))
