"""The step of a pipeline that keeps the columns a selector has chosen; scikit-learn's interface, saved by skops.

Once fitted it holds arrays and plain numbers alone, so a model that is read back needs no selector any more. Imported
inside functions only: it brings scikit-learn along.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
from sklearn.base import BaseEstimator
from sklearn.feature_selection import SelectorMixin
from sklearn.utils.validation import check_is_fitted, validate_data

from tasks.classical.selectors import selector_of


class ColumnSelector(SelectorMixin, BaseEstimator):  # type: ignore[misc]
    """A selector of ``tasks/selection`` as a transformer.

    Parameters
    ----------
    options
        The selector's settings, its name among them.
    seed
        Of selectors that draw.

    Attributes
    ----------
    kept_
        bool ``(columns,)``.
    scores_
        float ``(columns,)``, in the selector's measure.
    """

    def __init__(self, options: dict[str, Any], seed: int = 0) -> None:
        self.options = options
        self.seed = seed

    def fit(self, features: npt.ArrayLike, labels: npt.ArrayLike) -> ColumnSelector:
        """Choose among the columns of ``features`` ``(rows, columns)``; see `Selector.select`."""
        values = np.asarray(validate_data(self, features, dtype=np.float64), dtype=np.float64)
        _, codes = np.unique(np.asarray(labels), return_inverse=True)
        choice = selector_of(self.options).select(values, codes.astype(np.int64), seed=self.seed)
        self.kept_, self.scores_ = choice.kept, choice.scores
        return self

    def _get_support_mask(self) -> npt.NDArray[np.bool_]:
        check_is_fitted(self)
        return np.asarray(self.kept_)
