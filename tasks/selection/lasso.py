"""A regression that may use few columns: the order in which the lasso, or the elastic net, takes them up.

The penalty on absolute weights is lowered from where no column is used (Tibshirani 1996,
doi:10.1111/j.2517-6161.1996.tb02080.x). What enters early tells much that the columns before it do not. With a
quadratic part (*elastic net*: Zou & Hastie 2005, doi:10.1111/j.1467-9868.2005.00503.x) correlated columns enter
together rather than one for all.

The regression is least squares on the classes, which for two classes is Fisher's discriminant but for its length; of
more than two, one column is taken up for all of them at once (group lasso). Rows weigh so that the classes weigh the
same.
"""

from __future__ import annotations

from typing import Any, ClassVar, Literal

import numpy as np
from pydantic import Field

from tasks.classical.selector import Choice, FloatArray, IntArray, Selector, best

STEPS = 60
FAINTEST = 1e-3
"""The path of penalties: from the one that lets in no column down to this part of it, in equal ratios."""


class Settings(Selector):
    """How many columns may be used."""

    measure: ClassVar[str] = "penalty at which it enters"

    name: Literal["lasso"] = "lasso"
    features: int = Field(default=40, ge=1, description="Columns kept at most.")
    absolute_part: float = Field(default=1.0, gt=0, le=1, description="1 is the lasso, less an elastic net.")

    def choose(self, features: FloatArray, labels: IntArray, *, seed: int) -> Choice:
        """Score the penalty at which a column enters, as part of the one that lets in none; 0 for those outside."""
        del seed
        scores = entering_penalties(features, labels, count=self.features, absolute_part=self.absolute_part)
        return Choice(best(scores, self.features) & (scores > 0), scores)


def entering_penalties(features: FloatArray, labels: IntArray, *, count: int, absolute_part: float) -> FloatArray:
    """For each column how strong the penalty is at which it is taken up first, 0 … 1, until ``count`` have been.

    Columns that enter at the same step of the path differ by their weights there, by less than a step.
    """
    from sklearn.linear_model import enet_path

    values, targets = _balanced(features, labels)
    gram, product = values.T @ values, values.T @ targets
    strongest = float(np.linalg.norm(np.atleast_2d(product.T), axis=0).max()) / (len(values) * absolute_part)
    scores = np.zeros(features.shape[1])
    if strongest <= 1e-12:  # no column has anything to do with the classes
        return scores
    penalties = np.geomspace(1.0, FAINTEST, STEPS)
    shared: dict[str, Any] = {"l1_ratio": absolute_part, "precompute": gram, "Xy": product, "max_iter": 10_000}
    if targets.ndim == 2:
        shared = {"l1_ratio": absolute_part, "max_iter": 10_000}
    weights = None
    for penalty, following in zip(penalties[1:], [*penalties[2:], 0.0], strict=True):
        _, path, _ = enet_path(values, targets, alphas=[penalty * strongest], coef_init=weights, **shared)
        weights = np.asarray(path[..., 0])
        size = np.linalg.norm(np.atleast_2d(weights), axis=0)
        entered = (size > 0) & (scores == 0)
        scores[entered] = following + (penalty - following) * size[entered] / size.max()
        if (scores > 0).sum() >= count:
            break
    return scores


def _balanced(features: FloatArray, labels: IntArray) -> tuple[FloatArray, FloatArray]:
    """Rows centred and weighted so that each class weighs the same; the target of two classes is one column."""
    members = np.eye(int(labels.max()) + 1)[labels][:, np.unique(labels)]
    weight = (members / members.mean(axis=0)).sum(axis=1) / members.shape[1]
    targets = members[:, 1] if members.shape[1] == 2 else members
    root = np.sqrt(weight)

    def prepared(values: FloatArray) -> FloatArray:
        centred = values - np.average(values, axis=0, weights=weight)
        return np.asfortranarray(centred * (root if values.ndim == 1 else root[:, None]))

    return prepared(features), prepared(targets)
