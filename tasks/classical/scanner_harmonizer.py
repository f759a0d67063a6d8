"""The first step of a pipeline where a study harmonizes: ComBat with scikit-learn's interface, saved by skops.

A pipeline sees numbers alone, so the scanner of a row travels as the number of its name in one more column, the last;
`ScannerHarmonizer.with_scanners` puts it there, and this step takes it away. Once fitted it holds arrays and plain
values. Imported inside functions only: it brings scikit-learn along.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Self

import numpy as np
import numpy.typing as npt
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.utils.validation import check_is_fitted, validate_data

from tasks.classical.combat import Correction, fit_combat, patients_by_batch

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]


class ScannerHarmonizer(TransformerMixin, BaseEstimator):  # type: ignore[misc]
    """Harmonizes the columns of a table between scanners.

    Parameters
    ----------
    scanners
        Names of the scanners that the training rows come from.
    fewest, parametric, mean_only
        See :func:`tasks.classical.combat.fit_combat`.
    reference
        Name of the scanner that all others are brought to; ``None``: to the mean.
    preserve
        Columns that are covariates.

    Attributes
    ----------
    corrected_, shift_, gain_, centre_, slopes_, means_
        As in :class:`tasks.classical.combat.Correction`.
    patients_
        int ``(scanners,)``: training patients of each.
    """

    def __init__(
        self,
        scanners: Sequence[str] = (),
        *,
        fewest: int = 5,
        parametric: bool = True,
        mean_only: bool = False,
        reference: str | None = None,
        preserve: Sequence[int] = (),
    ) -> None:
        self.scanners = scanners
        self.fewest = fewest
        self.parametric = parametric
        self.mean_only = mean_only
        self.reference = reference
        self.preserve = preserve

    def with_scanners(self, features: FloatArray, scanners: Sequence[str | None]) -> FloatArray:
        """What the pipeline takes: the table ``(rows, columns)`` and one more column, which tells each row's scanner.

        It is NaN for a scanner that has no training rows, and for ``None``: not known.
        """
        codes = {name: float(code) for code, name in enumerate(self.scanners)}
        told = [np.nan if name is None else codes.get(name, np.nan) for name in scanners]
        return np.column_stack([features, np.asarray(told, dtype=float)])

    def fit(self, features: npt.ArrayLike, _labels: object = None, *, patients: npt.ArrayLike | None = None) -> Self:
        """Fit to ``(rows, columns + 1)``; labels are not looked at.

        ``patients``: whole number for the patient of each row ``(rows,)``; ``None``: each row is another's.
        """
        values, batches = self._taken_apart(features, reset=True)
        owners = np.arange(len(values)) if patients is None else np.asarray(patients, dtype=np.int64)
        count = len(self.scanners)
        found = fit_combat(
            values,
            batches,
            owners,
            count=count,
            fewest=self.fewest,
            covariates=self.preserve,
            parametric=self.parametric,
            mean_only=self.mean_only,
            reference=None if self.reference is None else list(self.scanners).index(self.reference),
        )
        self.corrected_, self.shift_, self.gain_ = found.corrected, found.shift, found.gain
        self.centre_, self.slopes_, self.means_ = found.centre, found.slopes, found.means
        self.patients_ = patients_by_batch(batches, owners, count)
        return self

    def transform(self, features: npt.ArrayLike) -> FloatArray:
        """The harmonized table ``(rows, columns)``; rows of unknown scanners as they were."""
        check_is_fitted(self)
        values, batches = self._taken_apart(features, reset=False)
        correction = Correction(self.corrected_, self.shift_, self.gain_, self.centre_, self.slopes_, self.means_)
        return correction.apply(values, batches, self.preserve)

    def _taken_apart(self, features: npt.ArrayLike, *, reset: bool) -> tuple[FloatArray, IntArray]:
        whole = validate_data(self, features, dtype=np.float64, ensure_all_finite="allow-nan", reset=reset)
        codes = whole[:, -1]
        return whole[:, :-1], np.where(np.isnan(codes), -1, codes).astype(np.int64)

    def __sklearn_tags__(self) -> Any:
        """Tell scikit-learn that NaN is welcome."""
        tags = super().__sklearn_tags__()
        tags.input_tags.allow_nan = True
        return tags
