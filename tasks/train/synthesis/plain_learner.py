"""The classifier by which synthetic images are judged where no other is asked for."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import numpy.typing as npt

from tasks.train.synthesis.cohort import Images, IntArray
from tasks.train.synthesis.space import fit_space

FloatArray = npt.NDArray[np.float64]


def plain_learner(images: Images, labels: IntArray, seed: int) -> Callable[[Images], FloatArray]:
    """Logistic regression with balanced classes on the features of `tasks.train.synthesis.space` of these images.

    It stands for any classifier: quick, the same each time, and not hurt by imbalance more than a network would be.
    """
    from sklearn.linear_model import LogisticRegression

    space = fit_space(images)
    model = LogisticRegression(C=0.1, class_weight="balanced", max_iter=2000, random_state=seed)
    model.fit(space.place(images), labels)

    def say(shown: Images) -> FloatArray:
        answers = np.zeros((len(shown), int(model.classes_.max()) + 1))  # a class may be in no training picture
        answers[:, model.classes_] = model.predict_proba(space.place(shown))
        return answers

    return say
