"""The step of a pipeline before a model that wants to see what is not defined: columns are chosen, values left alone.

Imported inside functions only: it brings scikit-learn along.
"""

from __future__ import annotations

from typing import Any, Self

import numpy as np
import numpy.typing as npt
from sklearn.base import BaseEstimator, clone
from sklearn.feature_selection import SelectorMixin
from sklearn.pipeline import Pipeline
from sklearn.utils.validation import check_is_fitted, validate_data

from tasks.classical.steps import kept_columns


class MeasuredColumns(SelectorMixin, BaseEstimator):  # type: ignore[misc]
    """Columns that a preparation keeps, with the values that they were given with, NaN among them.

    Parameters
    ----------
    preparation
        Of :func:`tasks.classical.pipelines.build_preparation`: imputes, scales, and selects.

    Attributes
    ----------
    preparation_
        The same, fitted.
    """

    def __init__(self, preparation: Pipeline) -> None:
        self.preparation = preparation

    def fit(self, features: npt.ArrayLike, labels: npt.ArrayLike) -> Self:
        """Fit the preparation to ``(rows, columns)``, NaN where not defined."""
        values = validate_data(self, features, dtype=np.float64, ensure_all_finite="allow-nan")
        self.preparation_ = clone(self.preparation).fit(values, labels)
        return self

    def _get_support_mask(self) -> npt.NDArray[np.bool_]:
        check_is_fitted(self)
        return kept_columns(self.preparation_, self.n_features_in_)

    def __sklearn_tags__(self) -> Any:
        """Tell scikit-learn that NaN is welcome."""
        tags = super().__sklearn_tags__()
        tags.input_tags.allow_nan = True
        return tags
