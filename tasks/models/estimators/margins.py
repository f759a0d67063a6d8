"""A support vector machine that answers with probabilities: its margins as log-odds. See :mod:`tasks.models.svm`."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from scipy.special import expit, softmax
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.svm import SVC
from sklearn.utils.validation import check_is_fitted


class MarginClassifier(ClassifierMixin, BaseEstimator):  # type: ignore[misc]
    """scikit-learn's ``SVC``, one class against the rest, whose ``predict_proba`` is the softmax of the margins.

    Parameters
    ----------
    kernel
        ``"linear"`` or ``"rbf"``.
    inverse_penalty
        ``SVC``'s C.
    width
        gamma of the Gaussian kernel, as a multiple of ``1 / (columns · variance of all values)``.
    """

    def __init__(self, kernel: str = "rbf", inverse_penalty: float = 1.0, width: float = 1.0) -> None:
        self.kernel = kernel
        self.inverse_penalty = inverse_penalty
        self.width = width

    def fit(self, features: npt.ArrayLike, labels: npt.ArrayLike) -> MarginClassifier:
        """Fit on ``(rows, columns)`` and the class of each row."""
        values = np.asarray(features, dtype=np.float64)
        variance = float(values.var()) or 1.0
        self.machine_ = SVC(
            kernel=self.kernel,
            C=self.inverse_penalty,
            gamma=self.width / (values.shape[1] * variance),
            class_weight="balanced",
            decision_function_shape="ovr",
        ).fit(values, labels)
        self.classes_ = self.machine_.classes_
        if self.kernel == "linear":
            self.coef_ = self.machine_.coef_
        return self

    def predict_proba(self, features: npt.ArrayLike) -> npt.NDArray[np.float64]:
        """``(rows, classes)``, rows of sum 1."""
        check_is_fitted(self)
        margins = self.machine_.decision_function(np.asarray(features, dtype=np.float64))
        if margins.ndim == 1:
            return np.stack([expit(-margins), expit(margins)], axis=1)
        return np.asarray(softmax(margins, axis=1))

    def predict(self, features: npt.ArrayLike) -> npt.NDArray[np.generic]:
        """The most probable class of each row."""
        return np.asarray(self.classes_[self.predict_proba(features).argmax(axis=1)])
