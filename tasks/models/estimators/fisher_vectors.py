"""From pictures to their Fisher vectors, and a linear machine on these. See :mod:`tasks.models.fisher_vectors`."""

from __future__ import annotations

import warnings

import numpy as np
import numpy.typing as npt
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.decomposition import PCA
from sklearn.exceptions import ConvergenceWarning
from sklearn.mixture import GaussianMixture
from sklearn.utils.validation import check_is_fitted

from tasks.imaging.framed_grey import standardized_grey
from tasks.imaging.local_descriptors import ORIENTATIONS, Floats, local_descriptors
from tasks.imaging.picture_frame import Pixels
from tasks.models.estimators.margins import MarginClassifier

VOCABULARY_ROUNDS = 25
"""Of expectation and maximization: words need not be settled to the last digit."""
NARROWEST = 1e-3
"""Added to the variances of a word, of descriptors whose variance is about 1."""


class FisherVectorClassifier(ClassifierMixin, BaseEstimator):  # type: ignore[misc]
    """Principal components, vocabulary and machine, all fitted on the same pictures.

    Parameters are the fields of `tasks.models.fisher_vectors.Settings`, and the seed.
    """

    def __init__(
        self,
        side: int = 128,
        cells_px: tuple[int, ...] = (3, 5, 8),
        step_px: int = 5,
        components: int = 40,
        gaussians: int = 64,
        learned_points: int = 120,
        inverse_penalty: float = 10.0,
        mirrored: bool = True,
        seed: int = 0,
    ) -> None:
        self.side = side
        self.cells_px = cells_px
        self.step_px = step_px
        self.components = components
        self.gaussians = gaussians
        self.learned_points = learned_points
        self.inverse_penalty = inverse_penalty
        self.mirrored = mirrored
        self.seed = seed

    def fit(self, pictures: Pixels, labels: npt.ArrayLike) -> FisherVectorClassifier:
        """Fit on framed pictures uint8 ``(n, y, x, 3)`` and the class of each.

        Raises ``ValueError`` with fewer points in all pictures than words.
        """
        self._learn_words(pictures)
        vectors = [self._vectors(turned) for turned in self._turned(pictures)]
        self.machine_ = MarginClassifier("linear", self.inverse_penalty)
        self.machine_.fit(np.concatenate(vectors), np.tile(np.asarray(labels), len(vectors)))
        self.classes_ = self.machine_.classes_
        return self

    def predict_proba(self, pictures: Pixels) -> npt.NDArray[np.float64]:
        """``(n, classes)``, rows of sum 1."""
        check_is_fitted(self)
        said = [self.machine_.predict_proba(self._vectors(turned)) for turned in self._turned(pictures)]
        return np.asarray(np.mean(said, axis=0))

    def predict(self, pictures: Pixels) -> npt.NDArray[np.generic]:
        """The most probable class of each picture."""
        return np.asarray(self.classes_[self.predict_proba(pictures).argmax(axis=1)])

    def _turned(self, pictures: Pixels) -> list[Pixels]:
        return [pictures, pictures[:, :, ::-1]] if self.mirrored else [pictures]

    def _descriptors(self, picture: Pixels) -> Floats:
        grey, content = standardized_grey(picture, self.side)
        several = (local_descriptors(grey, content, cell_px=c, step_px=self.step_px) for c in self.cells_px)
        return np.concatenate(list(several))

    def _learn_words(self, pictures: Pixels) -> None:
        from skimage.feature import learn_gmm

        rng = np.random.default_rng(self.seed)
        drawn = [rng.permutation(self._descriptors(one))[: self.learned_points] for one in pictures]
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

    def _vectors(self, pictures: Pixels) -> npt.NDArray[np.float64]:
        """Fisher vectors ``(n, …)`` of length 1; 0 for a picture of nothing."""
        from skimage.feature import fisher_vector

        width = self.words_.weights_.size * (1 + 2 * self.words_.means_.shape[1])
        vectors = np.zeros((len(pictures), width))
        for place, picture in enumerate(pictures):
            descriptors = self._descriptors(picture)
            if len(descriptors):
                vectors[place] = fisher_vector(self._projected(descriptors), self.words_, improved=True)
        return vectors
