"""What a picture classifier is compared with: rules that look at the frame, at grey values, at edges, or at nothing.

- ``size_and_border``: a random forest on how the pictures were saved. A network that is no better may have learned the
  same from the picture's margin.
- ``first_order_logistic``: logistic regression on grey value statistics of the framed picture.
- ``wavelet_svm``: a support vector machine on principal components of wavelet sub-bands' statistics in blocks of the
  framed picture; Haar's wavelet, where the study does not name another.
- ``hog_svm``: the same on gradient histograms. The kernel is Gaussian: on the 480 pictures of ``brain_mri4`` a linear
  one is 0.10 less accurate.
- ``majority``: the most frequent class.

Each is fitted on the training folds alone, with all that goes before it: imputation, scaling, selection, components,
calibration. The folds are those of the network.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, get_args

import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    import pandas as pd
    from sklearn.pipeline import Pipeline

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]

PictureBaseline = Literal["size_and_border", "first_order_logistic", "wavelet_svm", "hog_svm", "majority"]
PICTURE_BASELINES: tuple[PictureBaseline, ...] = get_args(PictureBaseline)

FAMILIES: dict[PictureBaseline, str] = {
    "size_and_border": "size_and_border",
    "first_order_logistic": "first_order",
    "wavelet_svm": "wavelet",
    "hog_svm": "hog",
    "majority": "first_order",  # any column will do: it looks at none
}
MINIMUM_FOLDS = 3
"""One is held out, one is trained on, and one calibrates."""
COMPONENTS = 100
SVM_PENALTY = 10.0
"""scikit-learn's C."""


@dataclass(frozen=True, eq=False)
class PictureScores:
    """Predicted class ``(pictures,)`` and probability of each class ``(pictures, classes)``, all out of fold."""

    predicted: IntArray
    probability: FloatArray


def run_picture_baselines(
    table: pd.DataFrame,
    truth: IntArray,
    folds: IntArray,
    *,
    classes: int,
    seed: int,
    names: Sequence[PictureBaseline] = PICTURE_BASELINES,
) -> dict[PictureBaseline, PictureScores]:
    """Score every picture by models that were fitted without its fold.

    Parameters
    ----------
    table
        One row per picture, in an order that the pictures' content determines, with the columns of
        `tasks.extract.pictures.picture_features`. NaN is imputed where a value is not defined.
    truth
        Class of each picture, int ``(pictures,)``, 0 to ``classes - 1``.
    folds
        Fold of each picture, int ``(pictures,)``. Pictures that are not independent share a fold.
    classes
        Number of classes.
    seed
        Of the random forest.
    names
        Baselines to run.

    Raises
    ------
    ValueError
        The lengths differ, or a class is in fewer than `MINIMUM_FOLDS` folds.
    """
    if not len(table) == len(truth) == len(folds):
        raise ValueError(f"expected one class and fold per row; got {len(table)}, {len(truth)} and {len(folds)}")
    for label in range(classes):
        if (found := len(np.unique(folds[truth == label]))) < MINIMUM_FOLDS:
            raise ValueError(f"expected class {label} in at least {MINIMUM_FOLDS} folds; it is in {found}")
    scores = {}
    for name in names:
        probability = np.zeros((len(table), classes))
        for fold in np.unique(folds):
            held_out = folds == fold
            model = fit_picture_baseline(name, table[~held_out], truth[~held_out], folds[~held_out], seed=seed)
            columns = _columns(name, table)
            probability[held_out] = model.predict_proba(table.loc[held_out, columns].to_numpy())
        scores[name] = PictureScores(np.asarray(probability.argmax(axis=1), dtype=np.int64), probability)
    return scores


def fit_picture_baseline(
    name: PictureBaseline, table: pd.DataFrame, truth: IntArray, folds: IntArray, *, seed: int
) -> Pipeline:
    """One baseline fitted on all rows given; `folds` serve as inner folds where something is calibrated.

    Returns
    -------
    sklearn.pipeline.Pipeline
        With ``predict_proba`` on the columns of the baseline's family, classes ascending.

    Raises
    ------
    ValueError
        There is no such baseline.
    """
    if name not in PICTURE_BASELINES:
        raise ValueError(f"unknown baseline {name!r}; the choices are {', '.join(PICTURE_BASELINES)}")
    values = table[_columns(name, table)].to_numpy()
    model = _build(name, columns=values.shape[1], truth=truth, folds=folds, seed=seed)
    return model.fit(values, truth)


def _columns(name: PictureBaseline, table: pd.DataFrame) -> list[str]:
    return [column for column in table.columns if str(column).startswith(f"{FAMILIES[name]}.")]


def _build(name: PictureBaseline, *, columns: int, truth: IntArray, folds: IntArray, seed: int) -> Any:
    from sklearn.dummy import DummyClassifier
    from sklearn.pipeline import make_pipeline

    from tasks.models import logistic, random_forest

    if name == "size_and_border":
        forest = random_forest.build(random_forest.Settings(), columns=columns, seed=seed)
        return make_pipeline(_best_columns(40, seed=seed), forest)
    if name == "first_order_logistic":
        regression = logistic.build(logistic.Settings(inverse_penalty=1.0), columns=columns, seed=seed)
        return make_pipeline(_best_columns(20, seed=seed), regression)
    if name in ("wavelet_svm", "hog_svm"):
        return make_pipeline(_calibrated_svm(columns=columns, truth=truth, folds=folds))
    return make_pipeline(DummyClassifier(strategy="prior"))


def _best_columns(features: int, *, seed: int) -> Pipeline:
    """What comes before the classifiers: imputed, scaled, and the columns with the greatest F."""
    from tasks.classical.pipelines import build_preparation
    from tasks.selection import univariate

    return build_preparation([univariate.Settings(features=features)], scaled=True, seed=seed)


def _calibrated_svm(*, columns: int, truth: IntArray, folds: IntArray) -> Any:
    """An SVM whose margins become probabilities by Platt scaling on scores of inner folds. NaN becomes the median."""
    from sklearn.calibration import CalibratedClassifierCV
    from sklearn.decomposition import PCA
    from sklearn.impute import SimpleImputer
    from sklearn.model_selection import PredefinedSplit
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler
    from sklearn.svm import SVC

    # The training folds are the inner ones: near-duplicates stay together there as well.
    inner = PredefinedSplit(folds)
    smallest = min(len(truth) - int((folds == fold).sum()) for fold in np.unique(folds))
    components = min(COMPONENTS, columns, smallest)
    svm = make_pipeline(
        SimpleImputer(strategy="median", keep_empty_features=True),
        StandardScaler(),
        PCA(n_components=components, svd_solver="full"),
        SVC(kernel="rbf", C=SVM_PENALTY, gamma="scale", class_weight="balanced"),
    )
    return CalibratedClassifierCV(svm, method="sigmoid", cv=inner, ensemble=False)
