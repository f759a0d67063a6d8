"""Bayesian networks: probabilities by hand and by pgmpy, structures that were planted, values that are missing."""

from __future__ import annotations

import itertools
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy.stats import entropy
from sklearn.metrics import mutual_info_score

from storage.classical import load_model, save_model
from tasks.models.bayesian_network import Settings, build, facts
from tasks.models.estimators.bayesian_network import BayesianNetworkClassifier, filled_by_class
from tasks.models.estimators.bins import find_cuts, to_states
from tasks.models.estimators.information import count_states, information_bits
from tasks.models.estimators.structure import hill_climbing, tree

NAN = float("nan")


def table(count: int = 300, seed: int = 0, gaps: float = 0.0) -> tuple[np.ndarray, np.ndarray]:
    """Three classes; columns 1 and 3 tell of them, 4 is a copy of 3 with noise, 5 one of 0; 2 never varies."""
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, 3, count)
    features = rng.normal(size=(count, 6))
    features[:, 1] += 1.5 * labels
    features[:, 3] -= 2.0 * (labels == 2)
    features[:, 4] = features[:, 3] + 0.2 * rng.normal(size=count)
    features[:, 5] = features[:, 0] + 0.2 * rng.normal(size=count)
    features[:, 2] = 7.0
    features[rng.random(features.shape) < gaps] = NAN
    return features, np.array(["a", "b", "c"])[labels]


def fitted(gaps: float = 0.0, seed: int = 0, **options: Any) -> BayesianNetworkClassifier:
    return build(Settings(**options), columns=6, seed=seed).fit(*table(gaps=gaps))


def as_pgmpy(model: BayesianNetworkClassifier) -> Any:
    """The same network as one of pgmpy's."""
    from pgmpy.factors.discrete import TabularCPD
    from pgmpy.models import DiscreteBayesianNetwork

    network = DiscreteBayesianNetwork([tuple(edge) for edge in model.edges_.tolist()])
    network.add_nodes_from(range(len(model.parents_)))
    for node, (parents, found) in enumerate(zip(model.parents_, model.tables_, strict=True)):
        values = found.reshape(-1, found.shape[-1]).T
        sizes = list(found.shape[:-1])
        network.add_cpds(
            TabularCPD(node, found.shape[-1], values, evidence=parents or None, evidence_card=sizes or None)
        )
    assert network.check_model()
    return network


# By hand


def test_a_network_of_one_binary_feature_is_bayes_rule() -> None:
    """4 of 10 rows are positive; 3 of these and 1 of the others are high; a prior of 2 rows adds 1/2 to each count."""
    features = np.array([[1.0]] * 3 + [[0.0]] + [[1.0]] + [[0.0]] * 5)
    labels = np.arange(10) < 4
    model = build(Settings(bins=2, prior=2.0), columns=1, seed=0).fit(features, labels)
    positive, high_if_positive, high_if_negative = 5 / 12, 3.5 / 5, 1.5 / 7
    expected = positive * high_if_positive / (positive * high_if_positive + (1 - positive) * high_if_negative)
    assert model.predict_proba([[1.0]])[0, 1] == pytest.approx(expected, abs=1e-12)
    assert model.predict_proba([[NAN]])[0, 1] == pytest.approx(positive, abs=1e-12)
    assert model.predict([[1.0], [0.0]]).tolist() == [True, False]


def test_information_is_that_of_the_entropies_and_of_scikit_learn() -> None:
    columns = np.random.default_rng(0).integers(0, [3, 4, 2], size=(500, 3))
    columns[:, 1] = (columns[:, 1] + columns[:, 0]) % 3
    pair = count_states(columns[:, :2], (3, 4))
    assert information_bits(pair) == pytest.approx(
        mutual_info_score(columns[:, 0], columns[:, 1]) / np.log(2), abs=1e-12
    )
    given = [information_bits(count_states(columns[columns[:, 2] == k][:, :2], (3, 4))) for k in (0, 1)]
    share = np.bincount(columns[:, 2]) / 500
    assert information_bits(count_states(columns, (3, 4, 2))) == pytest.approx(share @ given, abs=1e-12)
    assert information_bits(np.diag([1.0, 1.0, 2.0])) == pytest.approx(entropy([0.25, 0.25, 0.5], base=2))
    assert information_bits(np.zeros((2, 2))) == 0.0


def test_quantile_bins_hold_equal_numbers_and_a_value_on_a_cut_goes_up() -> None:
    column = np.arange(12.0)[:, None]
    [cuts] = find_cuts(column, np.zeros(12, int), bins=4, by="quantile")
    assert np.bincount(to_states(column, [cuts])[:, 0]).tolist() == [3, 3, 3, 3]
    assert to_states(
        np.array([[-99.0], [cuts[1]], [np.nextafter(cuts[1], 0)], [99.0], [NAN]]), [cuts]
    ).ravel().tolist() == [*(0, 2, 1, 3, -1)]


def test_repeated_values_make_fewer_bins_and_no_empty_one() -> None:
    column = np.array([0.0] * 9 + [1.0] * 3)[:, None]
    [cuts] = find_cuts(column, np.zeros(12, int), bins=4, by="quantile")
    assert np.bincount(to_states(column, [cuts])[:, 0]).tolist() == [9, 3]
    for empty in (np.full((5, 1), 3.0), np.full((5, 1), NAN), np.zeros((0, 1))):
        assert [
            len(c) for by in ("quantile", "entropy") for c in find_cuts(empty, np.zeros(len(empty), int), bins=4, by=by)
        ] == [0, 0]  # type: ignore[arg-type]


def test_entropy_cuts_lie_where_the_class_changes() -> None:
    column = np.arange(100.0)[:, None]
    [cuts] = find_cuts(column, (column[:, 0] >= 80).astype(int), bins=3, by="entropy")
    assert cuts.tolist() == [pytest.approx(79.5)]
    assert to_states(np.array([[79.0], [80.0]]), [cuts]).ravel().tolist() == [0, 1]


# Structure


def test_the_tree_joins_a_feature_and_its_copy() -> None:
    model = fitted()
    name = {node + 1: int(column) for node, column in enumerate(model.columns_)}
    joined = {frozenset((name[a], name[b])) for a, b in model.edges_.tolist() if a != 0}
    assert {frozenset((3, 4)), frozenset((0, 5))} <= joined
    assert len(model.edges_) == 5 + 4  # the class to each feature, and a tree
    assert all(len(parents) <= 2 for parents in model.parents_)


@pytest.mark.parametrize("score", ["bic", "k2"])
def test_hill_climbing_leaves_out_what_tells_nothing(score: Any) -> None:
    model = fitted(structure=score)
    name = [None, *model.columns_.tolist()]
    joined = {frozenset((name[a], name[b])) for a, b in model.edges_.tolist()}
    assert joined == {frozenset(pair) for pair in ((None, 1), (None, 3), (3, 4), (0, 5))} or joined == {
        frozenset(pair) for pair in ((None, 1), (None, 4), (3, 4), (0, 5))
    }
    assert model.parents_[0] == []


def test_a_node_has_as_many_parents_as_allowed_at_most() -> None:
    rng = np.random.default_rng(0)
    causes = rng.integers(0, 2, (600, 3))
    states = np.column_stack([causes[:, 0], causes[:, 1:], causes.sum(axis=1)])
    assert sorted(len(parents) for parents in hill_climbing(states, score="k2", parents=3))[-1] == 3
    assert max(len(parents) for parents in hill_climbing(states, score="k2", parents=1)) == 1


def test_one_feature_and_none_are_networks_too() -> None:
    assert tree(np.zeros((4, 1), int)) == hill_climbing(np.zeros((4, 1), int), score="bic", parents=2) == [[]]
    assert tree(np.zeros((4, 2), int)) == [[], [0]]


def test_the_columns_that_tell_most_become_nodes_and_constant_ones_never() -> None:
    assert fitted(features=1).columns_.tolist() == [1]
    assert set(fitted(features=48).columns_.tolist()) == {0, 1, 3, 4, 5}


def test_a_column_that_is_rarely_known_tells_little() -> None:
    features, labels = table(400)
    features[:, 0] = np.where(np.arange(400) % 20 == 0, (labels == "c") * 9.0 + features[:, 0], NAN)
    model = build(Settings(), columns=6, seed=0).fit(features, labels)
    assert model.columns_.tolist()[-1] in (0, 5)


def test_gaps_are_filled_from_the_same_class() -> None:
    states = np.array([[0, 1], [0, -1], [1, 2], [1, -1], [1, -1], [2, -1]])
    filled = filled_by_class(states, np.random.default_rng(0))
    assert filled[:5].tolist() == [[0, 1], [0, 1], [1, 2], [1, 2], [1, 2]]
    assert filled[5, 1] in (1, 2)  # of its class nothing is known
    assert states[1, 1] == -1


# Against pgmpy


@pytest.mark.parametrize("structure", ["tree", "bic"])
def test_probabilities_are_those_of_variable_elimination_whatever_is_missing(structure: str) -> None:
    from pgmpy.inference import VariableElimination

    model = fitted(gaps=0.1, structure=structure, bins=3, parents=3)
    exact = VariableElimination(as_pgmpy(model))
    row = table(seed=1)[0][0]
    places = [*model.columns_.tolist()]
    for count in range(len(places) + 1):
        for gone in itertools.islice(itertools.combinations(places, count), 6):
            asked = row.copy()
            asked[list(gone)] = NAN
            states = to_states(asked[None], model.cuts_)[0, model.columns_]
            known = {node + 1: int(state) for node, state in enumerate(states) if state >= 0}
            expected = exact.query([0], evidence=known, show_progress=False).values
            assert model.predict_proba(asked[None])[0] == pytest.approx(expected, abs=1e-12), gone


def test_tables_are_those_of_pgmpys_bdeu_estimator() -> None:
    from pgmpy.models import DiscreteBayesianNetwork
    from pgmpy.parameter_estimator import DiscreteBayesianEstimator

    model = fitted(bins=3, prior=6.0)
    features, labels = table()
    states = np.column_stack(
        [np.unique(labels, return_inverse=True)[1], to_states(features, model.cuts_)[:, model.columns_]]
    )
    network = DiscreteBayesianNetwork([tuple(edge) for edge in model.edges_.tolist()])
    sizes = {node: list(range(found.shape[-1])) for node, found in enumerate(model.tables_)}
    estimator = DiscreteBayesianEstimator(prior_type="BDeu", equivalent_sample_size=6.0, state_names=sizes)
    estimator.fit(network, pd.DataFrame(states))
    for cpd in estimator.parameters_:
        family = [*cpd.variables[1:], cpd.variable]
        mine = [*model.parents_[cpd.variable], cpd.variable]
        ordered = np.moveaxis(cpd.values, 0, -1).transpose([family.index(one) for one in mine])
        assert model.tables_[cpd.variable] == pytest.approx(ordered, abs=1e-12)


# Missing values


def test_a_row_of_which_nothing_is_known_has_the_shares_of_the_classes() -> None:
    model = fitted(prior=1e-6)
    shares = np.unique(table()[1], return_counts=True)[1] / 300
    assert model.predict_proba(np.full((1, 6), NAN))[0] == pytest.approx(shares, abs=1e-6)


def test_a_column_that_is_missing_by_chance_costs_little_when_its_copy_is_known() -> None:
    model, (features, labels) = fitted(), table(seed=2)
    hidden = features.copy()
    hidden[:, 3] = NAN
    whole, part = ((model.predict(x) == labels).mean() for x in (features, hidden))
    assert whole > 0.7
    assert part > whole - 0.05


@pytest.mark.parametrize("structure", ["tree", "bic"])
def test_a_row_alone_is_told_as_among_others(structure: str) -> None:
    model = fitted(gaps=0.2, structure=structure)
    features = table(40, seed=3, gaps=0.2)[0]
    together = model.predict_proba(features)
    assert together.sum(axis=1) == pytest.approx(1.0, abs=1e-12)
    assert np.concatenate([model.predict_proba(row[None]) for row in features]) == pytest.approx(together, abs=1e-12)


# What nothing depends on, and saving


def test_the_seed_decides_and_the_scale_of_a_column_does_not() -> None:
    features = table(seed=4)[0]
    one, other = (fitted(gaps=0.2).predict_proba(features) for _ in range(2))
    assert one.tobytes() == other.tobytes()
    taught, labels = table()
    scaled = build(Settings(), columns=6, seed=0).fit(taught * 8.0 + 32.0, labels)
    assert scaled.predict_proba(features * 8.0 + 32.0) == pytest.approx(fitted().predict_proba(features), abs=1e-12)


def test_a_saved_network_says_the_same(tmp_path: Path) -> None:
    for structure in ("tree", "bic"):
        model = fitted(gaps=0.1, structure=structure)
        save_model(tmp_path / "model.skops", model)
        features = table(seed=5, gaps=0.1)[0]
        again = load_model(tmp_path / "model.skops")
        assert again.predict_proba(features).tobytes() == model.predict_proba(features).tobytes()
        assert facts(again, "uvwxyz") == facts(model, "uvwxyz")


def test_the_card_names_nodes_edges_and_their_strength() -> None:
    said = facts(fitted(), ["zero", "one", "two", "three", "four", "five"])
    nodes, edges = said["nodes"], said["edges"]
    assert [node["name"] for node in nodes][:2] == ["class", "one"]
    assert len(nodes[1]["cuts"]) == 3
    by_name = {(nodes[edge["parent"]]["name"], nodes[edge["child"]]["name"]): edge["bits"] for edge in edges}
    assert by_name["class", "one"] > 0.3
    copies = by_name.get(("three", "four"), by_name.get(("four", "three")))
    assert copies > 0.9


# Faults


def test_one_class_is_always_said() -> None:
    model = build(Settings(), columns=6, seed=0).fit(table()[0], np.ones(300, bool))
    assert model.predict_proba(table(seed=6)[0]).tolist() == [[1.0]] * 300


def test_columns_that_say_nothing_leave_the_shares_of_the_classes() -> None:
    labels = np.arange(20) < 5
    for empty in (np.full((20, 3), NAN), np.ones((20, 3))):
        model = build(Settings(prior=1e-9), columns=3, seed=0).fit(empty, labels)
        assert model.predict_proba(empty)[:, 1] == pytest.approx(0.25)


def test_infinite_values_and_other_tables_are_refused() -> None:
    model = fitted()
    with pytest.raises(ValueError, match="infinity"):
        model.predict_proba(np.full((1, 6), np.inf))
    with pytest.raises(ValueError, match="6 features"):
        model.predict_proba(np.zeros((1, 5)))
