"""ComBat: takes away how each scanner shifts and stretches each feature, as far as training rows show it.

Johnson, Li & Rabinovic 2007 (doi:10.1093/biostatistics/kxj037); for images Fortin et al. 2018
(doi:10.1016/j.neuroimage.2017.11.024), for radiomics Orlhac et al. 2018 (doi:10.2967/jnumed.117.199935). A value of a
feature on batch ``b`` is taken as ``centre + covariates + spread * (shift_b + scale_b * noise)``; shift and scale are
shrunk as :mod:`tasks.classical.shrinkage` says.

Words:

- *batch*: a scanner, or whatever else rows are told apart by: a number from 0, and -1 where it is not known.
- *patient*: whose row it is. Several candidates of one patient are not independent, so each patient counts once on each
  batch and for each feature, in equal parts over his rows where the feature is defined; variances are those of weighted
  rows (``numpy.cov`` with ``aweights``), and shrinkage counts patients. With one row a patient this is ComBat as
  published, which has no repeated rows.
- *covariates*: columns that are kept as they are, and whose linear effect on the others is kept. They are known
  whenever a model is applied; the label is not, and can be none.

Where this departs from the source, and why:

- A feature that fewer than ``fewest`` patients of a batch have is left as it is there: of one patient nobody can tell
  what is scanner and what is he. So a batch with fewer patients is left alone. Small batches are not pooled: all that
  they have in common is that they are small. They have no part in centre and spread either.
- A batch that was never seen is left as it is.
- A feature that varies within no batch, but differs between them, tells the batch and nothing else (a slice thickness).
  It becomes the same everywhere.
- ``mean_only`` shrinks by the number of patients; published code takes this number as 1 there.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from tasks.classical.shrinkage import Seen, shrink

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]
BoolArray = npt.NDArray[np.bool_]

ROUNDING = 1e-10
"""What varies by less than this part of its size does not vary."""


@dataclass(frozen=True, eq=False)
class Correction:
    """Rows of batch ``b`` become ``(x - kept - shift[b]) * gain[b] + centre + kept``.

    Attributes
    ----------
    corrected
        bool ``(batches, columns)``; elsewhere values stay as they are.
    shift, gain
        ``(batches, columns)``.
    centre
        ``(columns,)``.
    slopes
        ``(covariates, columns)``: ``kept = (covariates - means) @ slopes``.
    means
        ``(covariates,)``; also what a covariate that is not defined is taken for.
    """

    corrected: BoolArray
    shift: FloatArray
    gain: FloatArray
    centre: FloatArray
    slopes: FloatArray
    means: FloatArray

    def apply(self, features: FloatArray, batches: IntArray, covariates: Sequence[int] = ()) -> FloatArray:
        """The corrected rows, ``(rows, columns)``; a batch of -1, or one that is not corrected, as it was."""
        if not len(self.shift):
            return features
        kept = _known(features, covariates, self.means) @ self.slopes
        changed = (features - kept - self.shift[batches]) * self.gain[batches] + self.centre + kept
        where = self.corrected[batches] & (batches >= 0)[:, None] & ~np.isnan(features)
        return np.where(where, changed, features)


def patients_by_batch(batches: IntArray, patients: IntArray, count: int) -> IntArray:
    """How many patients each of ``count`` batches has, ``(count,)``."""
    of_pair = np.unique(np.stack([batches, patients]), axis=1)[0]
    return np.bincount(of_pair[of_pair >= 0], minlength=count)


def fit_combat(
    features: FloatArray,
    batches: IntArray,
    patients: IntArray,
    *,
    count: int,
    fewest: int,
    covariates: Sequence[int] = (),
    parametric: bool = True,
    mean_only: bool = False,
    reference: int | None = None,
) -> Correction:
    """Learn what each batch does to each column.

    Parameters
    ----------
    features
        ``(rows, columns)``, NaN where not defined.
    batches, patients
        ``(rows,)``; rows of batch -1 teach nothing.
    count
        Number of batches.
    fewest
        Patients that a batch needs.
    covariates
        Columns that are kept.
    parametric
        Priors are a normal and an inverse gamma distribution; else what the other columns show.
    mean_only
        Correct the shift alone.
    reference
        The batch that all others are brought to, and that stays as it is; ``None``: to the mean of all patients.
    """
    weights = _weights(features, batches, patients, count, fewest)
    size = np.sqrt(_ratio((weights * np.nan_to_num(features) ** 2).sum(0), weights.sum(0)))
    means = _ratio((weights * np.nan_to_num(features)).sum(0), weights.sum(0))[list(covariates)]
    known = _known(features, covariates, means)
    slopes = _slopes(np.nan_to_num(features), known, weights, batches, count)
    moments = _moments(np.nan_to_num(features) - known @ slopes, weights, batches, count)
    centre, spread = moments.frame(reference)
    taught = moments.patients > 0
    if reference is not None:
        taught &= taught[reference]
    varies = spread > ROUNDING * size
    apart = np.where(taught, np.abs(moments.mean - centre), 0.0)
    differs = apart.max(axis=0, initial=0.0) > ROUNDING * size
    corrected = taught & (taught.sum(0) > 1) & (varies | differs)
    corrected[:, list(covariates)] = False
    shift, gain = moments.mean.copy(), np.zeros_like(moments.mean)
    for batch in range(count):
        at = np.flatnonzero(corrected[batch] & varies)
        if len(at):
            by, scale = shrink(moments.seen(batch, at, centre, spread), parametric=parametric, mean_only=mean_only)
            shift[batch, at], gain[batch, at] = centre[at] + spread[at] * by, 1.0 / np.sqrt(scale)
    if reference is not None:
        corrected[reference] = False
    return Correction(corrected, shift, gain, centre, slopes, means)


@dataclass(frozen=True, eq=False)
class _Moments:
    """Patients, mean, sum of squares and its degrees of freedom, ``(batches, columns)`` each."""

    patients: FloatArray
    mean: FloatArray
    squares: FloatArray
    freedom: FloatArray

    def frame(self, reference: int | None) -> tuple[FloatArray, FloatArray]:
        """Centre and spread ``(columns,)``, of all batches or of one."""
        at = slice(None) if reference is None else slice(reference, reference + 1)
        number = self.patients[at].sum(0)
        centre = _ratio((self.patients[at] * self.mean[at]).sum(0), number)
        return centre, np.sqrt(_ratio(self.squares[at].sum(0), number))

    def seen(self, batch: int, at: npt.NDArray[np.intp], centre: FloatArray, spread: FloatArray) -> Seen:
        """The same of one batch and some columns, in units of their spread."""
        return Seen(
            shift=(self.mean[batch, at] - centre[at]) / spread[at],
            squares=self.squares[batch, at] / spread[at] ** 2,
            patients=self.patients[batch, at],
            freedom=self.freedom[batch, at],
        )


def _moments(values: FloatArray, weights: FloatArray, batches: IntArray, count: int) -> _Moments:
    member = _member(batches, count)
    patients = member.T @ weights
    mean = _ratio(member.T @ (weights * values), patients)
    squares = member.T @ (weights * (values - member @ mean) ** 2)
    return _Moments(patients, mean, squares, patients - _ratio(member.T @ weights**2, patients))


def _weights(features: FloatArray, batches: IntArray, patients: IntArray, count: int, fewest: int) -> FloatArray:
    """What each value counts for, ``(rows, columns)``: a patient's values sum to 1, those of small batches to 0."""
    defined = ~np.isnan(features) & (batches >= 0)[:, None]
    pairs, pair = np.unique(np.stack([batches, patients]), axis=1, return_inverse=True)
    of_pair = np.zeros((pairs.shape[1], features.shape[1]))
    np.add.at(of_pair, pair.reshape(-1), defined)
    number = _member(pairs[0], count).T @ (of_pair > 0)
    enough = _member(batches, count) @ (number >= fewest) > 0
    return np.where(defined & enough, 1.0 / np.maximum(of_pair, 1.0)[pair.reshape(-1)], 0.0)


def _slopes(values: FloatArray, known: FloatArray, weights: FloatArray, batches: IntArray, count: int) -> FloatArray:
    """Effect of covariates ``(rows, covariates)`` on each column within batches, by weighted least squares."""
    slopes = np.zeros((known.shape[1], values.shape[1]))
    member = _member(batches, count)
    for column in range(values.shape[1]) if known.shape[1] else ():
        weight = weights[:, [column]]
        both = np.column_stack([known, values[:, column]])
        both = (both - member @ _ratio(member.T @ (weight * both), member.T @ weight)) * np.sqrt(weight)
        slopes[:, column] = np.linalg.lstsq(both[:, :-1], both[:, -1], rcond=None)[0]
    return slopes


def _known(features: FloatArray, covariates: Sequence[int], means: FloatArray) -> FloatArray:
    known = features[:, list(covariates)] - means
    return np.where(np.isnan(known), 0.0, known)


def _member(batches: IntArray, count: int) -> FloatArray:
    return np.asarray(batches[:, None] == np.arange(count), dtype=float)


def _ratio(above: FloatArray, below: FloatArray) -> FloatArray:
    """``above / below``, and 0 where that is not defined."""
    return np.asarray(np.where(below > 0, above / np.where(below > 0, below, 1.0), 0.0))
