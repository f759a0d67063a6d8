"""A discrete Bayesian network as a classifier: exact class probabilities, also where values are missing.

Nodes are the class (0) and the chosen features (1 …), each with its *table*: the probability of its states given those
of its parents. All fitted state is plain arrays and lists, so that a saved network is data.
"""

from __future__ import annotations

from typing import Any, Literal, Self

import numpy as np
import numpy.typing as npt
from scipy.special import softmax
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.utils.validation import check_is_fitted, validate_data

from tasks.models.estimators.bins import MISSING, Floats, States, find_cuts, to_states
from tasks.models.estimators.information import count_states, information_bits
from tasks.models.estimators.structure import CLASS, hill_climbing, tree

AT_ONCE = 1024
"""Rows whose tables are multiplied at once: bounds the memory."""
ROW = -1
"""Label of the axis along rows."""


class BayesianNetworkClassifier(ClassifierMixin, BaseEstimator):  # type: ignore[misc]
    """See `tasks.models.bayesian_network.Settings` for the parameters.

    Attributes
    ----------
    classes_
        The classes, sorted.
    cuts_
        By column of the table: where it is cut into states.
    columns_
        Columns of nodes 1, 2, …; the one that tells most of the class first.
    parents_
        By node.
    tables_
        By node: probabilities, one axis per parent and the last for the node itself.
    edges_, bits_
        ``(e, 2)`` parent and child, and ``(e,)`` the information that they share given the child's other parents.
    """

    def __init__(
        self,
        *,
        structure: Literal["tree", "bic", "k2"] = "tree",
        bins: int = 4,
        cuts: Literal["quantile", "entropy"] = "quantile",
        features: int = 20,
        parents: int = 2,
        prior: float = 10.0,
        seed: int = 0,
    ) -> None:
        self.structure = structure
        self.bins = bins
        self.cuts = cuts
        self.features = features
        self.parents = parents
        self.prior = prior
        self.seed = seed

    def fit(self, X: npt.ArrayLike, y: npt.ArrayLike) -> Self:  # noqa: N803 - scikit-learn's name
        """Learn cuts, structure and tables from ``(n, columns)``, NaN where not defined, and ``(n,)`` classes."""
        table, given = validate_data(self, X, y, dtype=np.float64, ensure_all_finite="allow-nan")
        self.classes_, labels = np.unique(given, return_inverse=True)
        self.cuts_ = find_cuts(table, labels, bins=self.bins, by=self.cuts)
        states = to_states(table, self.cuts_)
        self.columns_ = self._most_informative(states, labels)
        known = np.column_stack([labels, states[:, self.columns_]])
        sizes = [len(self.classes_), *(len(self.cuts_[column]) + 1 for column in self.columns_)]
        complete = filled_by_class(known, np.random.default_rng(self.seed))
        if self.structure == "tree":
            self.parents_ = tree(complete)
        else:
            self.parents_ = hill_climbing(complete, score=self.structure, parents=self.parents)
        families = [[*parents, node] for node, parents in enumerate(self.parents_)]
        self.tables_ = [self._table(known[:, family], [sizes[node] for node in family]) for family in families]
        self._measure_edges(complete, sizes)
        return self

    def predict_proba(self, X: npt.ArrayLike) -> Floats:  # noqa: N803
        """Probability of each class given what is known of each row, ``(n, classes)``."""
        check_is_fitted(self)
        table = validate_data(self, X, dtype=np.float64, ensure_all_finite="allow-nan", reset=False)
        states = to_states(table, self.cuts_)[:, self.columns_]
        found = np.empty((len(table), len(self.classes_)))
        patterns, which = np.unique(states == MISSING, axis=0, return_inverse=True)
        for number, pattern in enumerate(patterns):
            rows = np.flatnonzero(which.ravel() == number)
            hidden = frozenset(int(node) for node in np.flatnonzero(pattern) + 1)
            for start in range(0, len(rows), AT_ONCE):
                part = rows[start : start + AT_ONCE]
                found[part] = softmax(self._log_joint(states[part], hidden), axis=1)
        return found

    def predict(self, X: npt.ArrayLike) -> npt.NDArray[Any]:  # noqa: N803
        """The most probable class of each row, ``(n,)``."""
        return np.asarray(self.classes_[self.predict_proba(X).argmax(axis=1)])

    def __sklearn_tags__(self) -> Any:
        """Tell scikit-learn that NaN is welcome."""
        tags = super().__sklearn_tags__()
        tags.input_tags.allow_nan = True
        return tags

    def _most_informative(self, states: States, labels: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
        """Columns that tell most of the class, and vary. A missing value tells nothing."""
        seen = (states >= 0).mean(axis=0)
        bits = np.array(
            [
                share * information_bits(count_states(np.column_stack([labels, column]), (len(self.classes_), size)))
                for share, column, size in zip(seen, states.T, (len(ends) + 1 for ends in self.cuts_), strict=True)
            ]
        )
        varied = np.flatnonzero([len(ends) > 0 for ends in self.cuts_])
        ranked = varied[np.argsort(-bits[varied], kind="stable")]
        return np.asarray(ranked[: self.features], dtype=np.int64)

    def _table(self, family: States, sizes: list[int]) -> Floats:
        """Counts of the rows in which the family is known, and a Dirichlet prior worth ``prior`` rows (BDeu)."""
        counts = count_states(family, sizes) + self.prior / np.prod(sizes)
        return np.asarray(counts / counts.sum(axis=-1, keepdims=True))

    def _measure_edges(self, states: States, sizes: list[int]) -> None:
        edges = [(parent, node) for node, parents in enumerate(self.parents_) for parent in parents]
        self.edges_ = np.array(edges, dtype=np.int64).reshape(-1, 2)
        bits = []
        for parent, node in edges:
            family = [parent, node, *(other for other in self.parents_[node] if other != parent)]
            bits.append(information_bits(count_states(states[:, family], [sizes[one] for one in family])))
        self.bits_ = np.array(bits, dtype=np.float64)

    def _log_joint(self, states: States, hidden: frozenset[int]) -> Floats:
        """Logarithm of P(class, what is known), up to a number of each row; ``(n, classes)``.

        Tables of families that are known but for the class are read and added up. The others are multiplied and summed
        over the hidden nodes, in an order that einsum chooses.
        """
        log = np.zeros((len(states), len(self.classes_)))
        operands: list[Any] = [np.ones_like(log), [_label(ROW), _label(CLASS)]]
        for node in self._needed(hidden):
            family = [*self.parents_[node], node]
            free = [one for one in family if one == CLASS or one in hidden]
            if not free:
                continue
            read = _read(self.tables_[node], family, free, states)
            if free == [CLASS]:
                log += np.log(read)
            else:
                known = len(free) < len(family)
                operands += [read, [*([_label(ROW)] if known else []), *map(_label, free)]]
        if len(operands) > 2:
            log += np.log(np.einsum(*operands, [_label(ROW), _label(CLASS)], optimize="greedy"))
        return log

    def _needed(self, hidden: frozenset[int]) -> list[int]:
        """Nodes less those that are hidden and on which no needed node depends: their tables sum to 1."""
        needed = set(range(len(self.parents_)))
        while True:
            depended_on = {parent for node in needed for parent in self.parents_[node]}
            if not (barren := (needed & hidden) - depended_on):
                return sorted(needed)
            needed -= barren


def filled_by_class(states: States, rng: np.random.Generator) -> States:
    """What is missing, drawn from the rows of the same class (column 0) in which it is known, else from all.

    For the search of a structure alone, which needs complete rows: so filled, a column tells as much of the class as
    before, and no two columns look related because they are missing together.
    """
    filled = states.copy()
    for place in range(1, states.shape[1]):
        column = filled[:, place]
        for label in np.unique(states[:, 0]):
            mine = states[:, 0] == label
            gaps = mine & (states[:, place] == MISSING)
            known = states[mine & ~gaps, place]
            if gaps.any():
                known = known if len(known) else states[states[:, place] != MISSING, place]
                column[gaps] = rng.choice(known, int(gaps.sum()))
    return filled


def _label(node: int) -> int:
    """Of an axis in einsum: 0 for rows, then the nodes."""
    return node + 1


def _read(table: Floats, family: list[int], free: list[int], states: States) -> Floats:
    """A table where the rows know its states: ``(n, …)`` an axis for each free node; no ``n`` if all are."""
    known = [one for one in family if one not in free]
    ordered = table.transpose([family.index(one) for one in (*known, *free)])
    return np.asarray(ordered[tuple(states[:, node - 1] for node in known)])
