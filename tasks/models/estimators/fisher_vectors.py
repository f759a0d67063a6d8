"""From pictures to their Fisher vectors, and least squares on these. See :mod:`tasks.models.fisher_vectors`.

In two steps, of which only the second learns: whoever fits several models on parts of the same pictures describes
these once.
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from scipy.special import softmax
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.decomposition import PCA
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import RidgeClassifier
from sklearn.mixture import GaussianMixture
from sklearn.preprocessing import StandardScaler
from sklearn.utils.validation import check_is_fitted

from tasks.imaging.block_patterns import block_patterns
from tasks.imaging.framed_grey import standardized_grey
from tasks.imaging.local_descriptors import ORIENTATIONS, Floats, local_descriptors
from tasks.imaging.picture_frame import Pixels

VOCABULARY_ROUNDS = 25
"""Of expectation and maximization: words need not be settled to the last digit."""
NARROWEST = 1e-3
"""Added to the variances of a word, of descriptors whose variance is about 1."""
BLOCKS = 4
RADII_PX = (1, 2, 4)
SURENESS = 2.5
"""Log-odds of an answer of 1 rather than 0: the least loss on folds of the brain MR pictures."""

Array = npt.NDArray[np.float64]
Described = npt.NDArray[np.object_]
"""``(n, 1)``, or ``(n, 2)`` with mirror images: of each picture, a `Description`."""


class Description(NamedTuple):
    """The descriptors of a picture's points, ``(points, COLUMNS)``, and the patterns of its blocks, in one row."""

    points: Floats
    patterns: Array


def picture_descriptors(
    pictures: Pixels, *, side: int, cells_px: Sequence[int], step_px: int, mirrored: bool
) -> Described:
    """Descriptors of framed pictures uint8 ``(n, y, x, 3)``, of all sizes of cells, and patterns; none is learned.

    Half a megabyte for a picture of 128 pixels at a step of 5, and as much for its mirror image.
    """
    turned = (pictures, pictures[:, :, ::-1]) if mirrored else (pictures,)
    described = np.empty((len(pictures), len(turned)), dtype=object)
    for place in np.ndindex(described.shape):
        grey, content = standardized_grey(turned[place[1]][place[0]], side)
        several = [local_descriptors(grey, content, cell_px=cell_px, step_px=step_px) for cell_px in cells_px]
        patterns = block_patterns(grey, blocks=BLOCKS, radii_px=RADII_PX).ravel()
        described[place] = Description(np.concatenate(several), patterns)
    return described


class FisherVectorClassifier(ClassifierMixin, BaseEstimator):  # type: ignore[misc]
    """Principal components, vocabulary, scales and least squares, all fitted on the same described pictures.

    Parameters are fields of `tasks.models.fisher_vectors.Settings`, and the seed.
    """

    def __init__(
        self,
        components: int = 40,
        gaussians: int = 64,
        learned_points: int = 120,
        patterns: float = 0.8,
        penalty: float = 0.1,
        seed: int = 0,
    ) -> None:
        self.components = components
        self.gaussians = gaussians
        self.learned_points = learned_points
        self.patterns = patterns
        self.penalty = penalty
        self.seed = seed

    def fit(self, described: Described, labels: npt.ArrayLike) -> FisherVectorClassifier:
        """Fit on what `picture_descriptors` gives, and the class of each picture.

        The vocabulary is learned from the pictures as they are, the rest from their mirror images too. Raises
        ``ValueError`` with fewer points in all pictures than words.
        """
        self._learn_words([one.points for one in described[:, 0]])
        views = described.T.ravel()
        self.scales_ = StandardScaler().fit([one.patterns for one in views])
        self.machine_ = RidgeClassifier(alpha=self.penalty, class_weight="balanced")
        self.machine_.fit(self._columns(views), np.tile(np.asarray(labels), described.shape[1]))
        self.classes_ = self.machine_.classes_
        return self

    def predict_proba(self, described: Described) -> npt.NDArray[np.float64]:
        """``(n, classes)``, rows of sum 1; the mean of what is said of a picture and of its mirror image."""
        check_is_fitted(self)
        return np.asarray(np.mean([self._said(views) for views in described.T], axis=0))

    def predict(self, described: Described) -> npt.NDArray[np.generic]:
        """The most probable class of each picture."""
        return np.asarray(self.classes_[self.predict_proba(described).argmax(axis=1)])

    def _learn_words(self, pictures: Sequence[Floats]) -> None:
        from skimage.feature import learn_gmm

        rng = np.random.default_rng(self.seed)
        drawn = [one[rng.permutation(len(one))[: self.learned_points]] for one in pictures]
        points = np.concatenate(drawn)
        if len(points) < self.gaussians:
            raise ValueError(f"{self.gaussians} words need as many points of content; got {len(points)}")
        self.components_ = PCA(min(self.components, len(points)), svd_solver="full").fit(points[:, :ORIENTATIONS])
        self.largest_ = float(np.sqrt(self.components_.explained_variance_[0])) or 1.0
        beside = points[:, ORIENTATIONS:]
        self.middle_, self.spread_ = beside.mean(axis=0), np.maximum(beside.std(axis=0), NARROWEST)
        options = {"max_iter": VOCABULARY_ROUNDS, "random_state": self.seed, "reg_covar": NARROWEST}
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)
            self.words_: GaussianMixture = learn_gmm(
                self._projected(points), n_modes=self.gaussians, gm_args={"covariance_type": "diag", **options}
            )

    def _projected(self, descriptors: Floats) -> npt.NDArray[np.float64]:
        """Components of the orientations, the first of variance 1, then intensities and place, each of variance 1."""
        told = self.components_.transform(descriptors[:, :ORIENTATIONS]) / self.largest_
        beside = (descriptors[:, ORIENTATIONS:] - self.middle_) / self.spread_
        return np.concatenate([told, beside], axis=1, dtype=np.float64)

    def _said(self, views: Described) -> Array:
        answers = self.machine_.decision_function(self._columns(views))
        each = np.stack([-answers, answers], axis=1) if answers.ndim == 1 else answers
        return np.asarray(softmax(SURENESS * each, axis=1))

    def _columns(self, views: Described) -> Array:
        """Fisher vectors of length 1, and beside them patterns of about the length that was asked for."""
        patterns = self.scales_.transform([one.patterns for one in views])
        beside = patterns * (self.patterns / np.sqrt(patterns.shape[1]))
        return np.concatenate([self._vectors([one.points for one in views]), beside], axis=1)

    def _vectors(self, pictures: Sequence[Floats]) -> Array:
        """Fisher vectors ``(n, …)`` of length 1; 0 for a picture of nothing."""
        from skimage.feature import fisher_vector

        width = self.words_.weights_.size * (1 + 2 * self.words_.means_.shape[1])
        vectors = np.zeros((len(pictures), width))
        for place, descriptors in enumerate(pictures):
            if len(descriptors):
                vectors[place] = fisher_vector(self._projected(descriptors), self.words_, improved=True)
        return vectors
