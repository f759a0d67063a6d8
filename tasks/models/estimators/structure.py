"""Which variable depends on which: the structure of a Bayesian network, learnt by pgmpy from complete states.

Nodes are numbers, 0 the class. (Names would be put into sets, whose order changes from process to process, and so would
the direction of edges that score alike.) The class has no parents, so that every edge says what depends on it.

References
----------
Friedman, Geiger & Goldszmidt 1997, doi:10.1023/A:1007465528199 (tree-augmented naive Bayes); Chow & Liu 1968,
doi:10.1109/TIT.1968.1054142; Cooper & Herskovits 1992, doi:10.1007/BF00994110 (K2 score); Schwarz 1978,
doi:10.1214/aos/1176344136 (BIC); Ankan & Textor 2024, https://jmlr.org/papers/v25/23-0487.html (pgmpy)
"""

from __future__ import annotations

import warnings
from collections.abc import Iterable
from typing import Literal

import pandas as pd

from tasks.models.estimators.bins import States

CLASS = 0


def tree(states: States) -> list[list[int]]:
    """Tree-augmented naive Bayes: the class points at every node, and a tree joins the others.

    Parameters
    ----------
    states
        ``(n, 1 + m)``, complete: the class and the features, of which the first is the tree's root. The tree is the one
        of the largest sum of mutual information given the class.

    Returns
    -------
    list
        Parents of each node, ascending.
    """
    nodes = states.shape[1]
    if nodes <= 2:
        return _parents(((CLASS, node) for node in range(1, nodes)), nodes)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)  # pgmpy warns of modules of its own
        from pgmpy.estimators import TreeSearch
    found = TreeSearch(pd.DataFrame(states), root_node=1, n_jobs=1).estimate(
        "tan", class_node=CLASS, show_progress=False
    )
    return _parents(found.edges(), nodes)


def hill_climbing(states: States, *, score: Literal["bic", "k2"], parents: int) -> list[list[int]]:
    """The structure that no single edge more, less, or turned round makes better.

    Parameters
    ----------
    states
        As of `tree`.
    score
        What good means: likelihood less a price for every parameter, or likelihood over all parameters.
    parents
        Of a node, at most, the class included.

    Returns
    -------
    list
        Parents of each node, ascending. A feature that tells nothing stays alone.
    """
    from pgmpy.causal_discovery import ExpertKnowledge, HillClimbSearch

    nodes = states.shape[1]
    if nodes == 1:
        return [[]]
    search = HillClimbSearch(
        scoring_method="bic-d" if score == "bic" else "k2",
        max_indegree=parents,
        expert_knowledge=ExpertKnowledge(forbidden_edges=[(node, CLASS) for node in range(1, nodes)]),
        return_type="dag",
        show_progress=False,
    )
    search.fit(pd.DataFrame(states).astype("category"))
    return _parents(search.causal_graph_.edges(), nodes)


def _parents(edges: Iterable[tuple[int, int]], nodes: int) -> list[list[int]]:
    found: list[list[int]] = [[] for _ in range(nodes)]
    for parent, child in edges:
        found[int(child)].append(int(parent))
    return [sorted(parents) for parents in found]
