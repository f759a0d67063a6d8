"""A Bayesian network over discretized features: which feature depends on the class, and which on which other.

Columns are cut into a few states on the training rows; the columns that tell most of the class become nodes. The
structure is a tree over the features beside the class (tree-augmented naive Bayes, Friedman et al. 1997,
doi:10.1023/A:1007465528199) or found by hill climbing with a score; tables have a Dirichlet prior. See
:mod:`tasks.models.estimators.structure` for sources.

A value that is not defined is missing, not imputed: tables are counted from the rows in which a family is known, and
class probabilities are summed over what a missing value may have been. That assumes that values are missing at random
given what is known. Missing values are filled in for the search of the structure alone.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Literal

from pydantic import Field

from tasks.settings import StageSettings

if TYPE_CHECKING:
    from optuna import Trial

    from tasks.models.estimators.bayesian_network import BayesianNetworkClassifier

SCALED = False
IMPUTED = False
"""It wants to see which values are not defined."""


class Settings(StageSettings):
    """States, nodes and edges of the network."""

    structure: Literal["tree", "bic", "k2"] = Field(
        default="tree", description="A tree beside the class, or hill climbing with one of two scores."
    )
    bins: int = Field(default=4, ge=2, le=16, description="States of a feature, at most.")
    cuts: Literal["quantile", "entropy"] = Field(
        default="quantile", description="Bins of equal numbers, or cut where they tell most of the class."
    )
    features: int = Field(default=20, ge=1, le=48, description="Nodes beside the class: those that tell most of it.")
    parents: int = Field(default=2, ge=1, le=4, description="Of a node, at most, the class included; of a tree 2.")
    prior: float = Field(default=10.0, gt=0, description="Rows that the prior of each table counts as.")


def build(settings: Settings, *, columns: int, seed: int) -> BayesianNetworkClassifier:
    """The unfitted classifier. ``seed`` fills in what is missing when the structure is searched."""
    from tasks.models.estimators.bayesian_network import BayesianNetworkClassifier

    del columns
    return BayesianNetworkClassifier(**settings.model_dump(), seed=seed)


def suggest(trial: Trial) -> dict[str, Any]:
    """Settings to try."""
    return {
        "structure": trial.suggest_categorical("structure", ["tree", "bic"]),
        "bins": trial.suggest_int("bins", 2, 6),
        "features": trial.suggest_int("features", 5, 30),
        "prior": trial.suggest_float("prior", 1.0, 50.0, log=True),
    }


def facts(classifier: BayesianNetworkClassifier, names: Sequence[str]) -> dict[str, Any]:
    """The graph for a model's card and report.

    Parameters
    ----------
    classifier
        Fitted.
    names
        Of the columns that it saw.

    Returns
    -------
    dict
        Plain JSON. ``nodes``: the class first, each with its ``name`` and, of a feature, the ``cuts`` between states.
        ``edges``: ``parent`` and ``child`` by place among the nodes, and the ``bits`` that they share given the
        child's other parents.
    """
    cuts = classifier.cuts_
    features = [
        {"name": names[column], "cuts": [float(f"{cut:.6g}") for cut in cuts[column]]} for column in classifier.columns_
    ]
    edges = [
        {"parent": int(parent), "child": int(child), "bits": round(float(bits), 6)}
        for (parent, child), bits in zip(classifier.edges_, classifier.bits_, strict=True)
    ]
    return {"nodes": [{"name": "class"}, *features], "edges": edges}
