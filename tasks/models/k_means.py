"""Phenotypes: clusters of standardized features, found without a look at the classes, and the classes in each.

The number of clusters is the one of the best silhouette (Rousseeuw 1987, doi:10.1016/0377-0427(87)90125-7) among those
that come back in bootstrap samples of the rows: mean adjusted Rand index (Hubert & Arabie 1985,
doi:10.1007/BF01908075) of at least ``stable``. Each cluster has its own stability, the Jaccard index of Hennig 2007,
doi:10.1016/j.csda.2006.11.025: below 0.6 do not believe it. K-means: Lloyd 1982, doi:10.1109/TIT.1982.1056489.

A row has the class frequencies of its nearest cluster. Where the largest differences among lesions have nothing to do
with the classes, so have the clusters: the model describes first, and classifies as far as that goes.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from pydantic import Field

from tasks.settings import StageSettings

if TYPE_CHECKING:
    from optuna import Trial

    from tasks.models.estimators.phenotypes import PhenotypeClassifier

SCALED = True
MARKS = 5
"""Features that a cluster is described by."""


class Settings(StageSettings):
    """How many clusters there may be, and when they are believed."""

    most: int = Field(default=6, ge=2, le=50, description="Clusters at most.")
    bootstraps: int = Field(default=10, ge=2, description="Samples of the rows that are clustered again.")
    stable: float = Field(default=0.6, ge=0, le=1, description="Adjusted Rand index from which clusters are stable.")
    pseudo_count: float = Field(
        default=1.0, gt=0, description="Laplace's correction: added to each class of a cluster."
    )


def build(settings: Settings, *, columns: int, seed: int) -> PhenotypeClassifier:
    """The unfitted classifier."""
    from tasks.models.estimators.phenotypes import PhenotypeClassifier

    del columns
    return PhenotypeClassifier(**settings.model_dump(), seed=seed)


def suggest(trial: Trial) -> dict[str, Any]:
    """Settings to try."""
    return {
        "most": trial.suggest_int("most", 2, 12),
        "stable": trial.suggest_float("stable", 0.0, 0.8),
        "pseudo_count": trial.suggest_float("pseudo_count", 0.1, 10.0, log=True),
    }


def facts(classifier: PhenotypeClassifier, names: Sequence[str]) -> dict[str, Any]:
    """The table of clusters for a model's card and report.

    Parameters
    ----------
    classifier
        Fitted.
    names
        Of the columns that it saw.

    Returns
    -------
    dict
        Plain JSON. ``clusters``, the largest first: ``size`` in rows, ``jaccard``, ``classes`` with ``count``,
        ``share`` and its exact interval ``low`` to ``high`` (95 %, as if rows were independent of each other), and
        ``marks``: the features that differ most from the mean of all, by how many standard deviations. ``tried``: the
        numbers of clusters with ``silhouette`` and ``stability``.
    """
    tried = [
        {"clusters": int(k), "silhouette": round(float(near), 6), "stability": round(float(stable), 6)}
        for k, near, stable in zip(classifier.tried_, classifier.silhouettes_, classifier.stabilities_, strict=True)
    ]
    clusters = [_cluster(classifier, number, names) for number in range(len(classifier.centres_))]
    return {"clusters": clusters, "tried": tried}


def _cluster(classifier: PhenotypeClassifier, number: int, names: Sequence[str]) -> dict[str, Any]:
    import numpy as np

    from tasks.metrics.intervals import clopper_pearson

    counts, centre = classifier.counts_[number], classifier.centres_[number]
    size = int(counts.sum())
    classes = []
    for label, count in zip(classifier.classes_, counts.tolist(), strict=True):
        ends = clopper_pearson(count, size)
        share = {"share": round(count / size, 6), "low": round(ends.low, 6), "high": round(ends.high, 6)}
        classes.append({"label": label.item(), "count": count, **share})
    order = np.argsort(-np.abs(centre), kind="stable")[:MARKS]
    marks = [{"name": names[place], "deviations": round(float(centre[place]), 6)} for place in order]
    return {
        "size": size,
        "jaccard": round(float(classifier.jaccard_[number]), 6),
        "classes": classes,
        "marks": marks,
    }
