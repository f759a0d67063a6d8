"""Nearest neighbours that make do with few training rows. See :mod:`tasks.models.k_neighbours`."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.neighbors import KNeighborsClassifier
from sklearn.utils.validation import check_is_fitted


class NeighbourClassifier(ClassifierMixin, BaseEstimator):  # type: ignore[misc]
    """scikit-learn's ``KNeighborsClassifier``, asking all training rows where there are fewer than it would ask.

    Distances are sums of absolute differences, which tell near from far longer than Euclid's do as columns become many
    (Aggarwal et al. 2001, doi:10.1007/3-540-44503-X_27). They are computed one by one: a tree of them gains nothing in
    dozens of dimensions, and arrays are all that has to be saved.

    Parameters
    ----------
    neighbours
        How many vote.
    weights
        ``"uniform"`` or ``"distance"``.
    """

    def __init__(self, neighbours: int = 15, weights: str = "distance") -> None:
        self.neighbours = neighbours
        self.weights = weights

    def fit(self, features: npt.ArrayLike, labels: npt.ArrayLike) -> NeighbourClassifier:
        """Remember the rows ``(rows, columns)`` and their classes."""
        values = np.asarray(features, dtype=np.float64)
        self.voters_ = KNeighborsClassifier(
            min(self.neighbours, len(values)), weights=self.weights, algorithm="brute", metric="manhattan", n_jobs=1
        ).fit(values, labels)
        self.classes_ = self.voters_.classes_
        return self

    def predict_proba(self, features: npt.ArrayLike) -> npt.NDArray[np.float64]:
        """Part of the votes for each class, ``(rows, classes)``."""
        check_is_fitted(self)
        return np.asarray(self.voters_.predict_proba(np.asarray(features, dtype=np.float64)))

    def predict(self, features: npt.ArrayLike) -> npt.NDArray[np.generic]:
        """The class with most votes."""
        return np.asarray(self.classes_[self.predict_proba(features).argmax(axis=1)])
