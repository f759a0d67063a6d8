"""The registry: runs move ``candidate``, the first also ``production``; afterwards only a person moves that."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from storage.errors import StoreError
from storage.models import ModelCard, ModelRegistry


def moves(registry: ModelRegistry, name: str) -> list[tuple[str, str]]:
    return [(move.alias, move.key) for move in registry.get(name).history]


def test_the_first_model_is_candidate_and_production(tmp_path: Path) -> None:
    registry = ModelRegistry(tmp_path)
    registry.propose("pet", "k1", {"name": "pet"})
    assert registry.get("pet").aliases == {"candidate": "k1", "production": "k1"}
    assert moves(registry, "pet") == [("candidate", "k1"), ("production", "k1")]


def test_later_models_are_candidates_only(tmp_path: Path) -> None:
    registry = ModelRegistry(tmp_path)
    for key in ("k1", "k2", "k3"):
        registry.propose("pet", key, {"name": "pet"})
    assert registry.get("pet").aliases == {"candidate": "k3", "production": "k1"}


def test_promote_moves_production_alone(tmp_path: Path) -> None:
    registry = ModelRegistry(tmp_path)
    for key in ("k1", "k2", "k3"):
        registry.propose("pet", key, {"name": "pet"})
    registry.promote("pet", "k2")
    assert registry.get("pet").aliases == {"candidate": "k3", "production": "k2"}
    registry.propose("pet", "k4", {"name": "pet"})
    assert registry.get("pet").aliases == {"candidate": "k4", "production": "k2"}


def test_the_history_holds_every_move_once(tmp_path: Path) -> None:
    registry = ModelRegistry(tmp_path)
    for key in ("k1", "k1", "k2", "k2"):
        registry.propose("pet", key, {"name": "pet"})
    registry.promote("pet", "k2")
    registry.promote("pet", "k2")
    assert moves(registry, "pet") == [
        ("candidate", "k1"),
        ("production", "k1"),
        ("candidate", "k2"),
        ("production", "k2"),
    ]
    times = [move.when for move in registry.get("pet").history]
    assert times == sorted(times)
    assert all(time.tzinfo is not None for time in times)


def test_models_of_different_names_do_not_meet(tmp_path: Path) -> None:
    registry = ModelRegistry(tmp_path)
    registry.propose("pet", "k1", {"name": "pet"})
    registry.propose("ct", "k2", {"name": "pet"})
    registry.propose("ct", "k3", {"name": "pet"})
    assert registry.names() == ["ct", "pet"]
    assert registry.get("pet").aliases == {"candidate": "k1", "production": "k1"}
    assert registry.aliased_keys() == {"k1", "k2", "k3"}


def test_another_reader_sees_what_was_written(tmp_path: Path) -> None:
    written = ModelRegistry(tmp_path).propose("pet", "k1", {})
    assert ModelRegistry(tmp_path).get("pet") == written


def test_an_unknown_name_is_refused_with_the_names_there_are(tmp_path: Path) -> None:
    registry = ModelRegistry(tmp_path)
    with pytest.raises(StoreError, match="no model 'pet'; there are: none"):
        registry.get("pet")
    registry.propose("ct", "k1", {"name": "pet"})
    with pytest.raises(StoreError, match="no model 'pet'; there are: ct"):
        registry.promote("pet", "k1")
    assert registry.names() == ["ct"]


def test_the_settings_of_the_study_stay_with_the_key(tmp_path: Path) -> None:
    registry = ModelRegistry(tmp_path)
    registry.propose("pet", "k1", {"name": "pet", "split": {"folds": 3}})
    registry.propose("pet", "k2", {"name": "pet", "split": {"folds": 5}})
    assert registry.get("pet").studies["k1"]["split"] == {"folds": 3}
    assert registry.get().studies["k2"]["split"] == {"folds": 5}


def test_only_what_was_registered_is_promoted_by_its_beginning(tmp_path: Path) -> None:
    registry = ModelRegistry(tmp_path)
    for key in ("abc1", "abd2"):
        registry.propose("pet", key, {})
    assert registry.promote("pet", "abd").aliases["production"] == "abd2"
    for wrong in ("ab", "x", ""):
        with pytest.raises(StoreError, match="there are: abc1, abd2"):
            registry.promote("pet", wrong)


def test_what_was_in_production_before_is_known(tmp_path: Path) -> None:
    registry = ModelRegistry(tmp_path)
    for key in ("k1", "k2"):
        registry.propose("pet", key, {})
    with pytest.raises(StoreError, match="nothing to go back to"):
        registry.previous("pet")
    registry.promote("pet", "k2")
    assert registry.previous("pet") == "k1"
    registry.promote("pet", "k1")
    assert registry.previous("pet") == "k2"


def test_a_second_rollback_goes_further_back_and_not_to_the_model_that_the_first_took_away(tmp_path: Path) -> None:
    registry = ModelRegistry(tmp_path)
    for key in ("k1", "k2", "k3", "k4"):
        registry.propose("pet", key, {})
    registry.promote("pet", "k2")
    registry.promote("pet", "k3")
    assert registry.rollback("pet").aliases == {"candidate": "k4", "production": "k2"}
    registry.promote("pet", "k4")
    found = [registry.rollback("pet").aliases["production"] for _ in range(2)]
    assert found == ["k2", "k1"]
    with pytest.raises(StoreError, match="nothing to go back to"):
        registry.rollback("pet")
    assert [move.key for move in registry.get("pet").history if move.back] == ["k2", "k2", "k1"]


def test_what_production_would_go_back_to_is_kept_from_the_collector(tmp_path: Path) -> None:
    registry = ModelRegistry(tmp_path)
    for key in ("k1", "k2", "k3"):
        registry.propose("pet", key, {})
        registry.promote("pet", key)
    assert registry.aliased_keys() == {"k2", "k3"}
    registry.rollback("pet")
    assert registry.aliased_keys() == {"k1", "k2", "k3"}  # the candidate is still k3


def test_of_writers_at_the_same_time_none_undoes_what_another_wrote(tmp_path: Path) -> None:
    def propose(number: int) -> None:
        ModelRegistry(tmp_path).propose("pet", f"k{number:02d}", {"number": number})

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(propose, range(40)))
    model = ModelRegistry(tmp_path).get("pet")
    assert sorted(model.studies) == [f"k{number:02d}" for number in range(40)]
    assert len([move for move in model.history if move.alias == "candidate"]) == 40


@pytest.mark.parametrize("inside", ["ct", "../ct"])
def test_a_file_that_speaks_of_another_model_is_refused(inside: str, tmp_path: Path) -> None:
    registry = ModelRegistry(tmp_path)
    registry.propose("pet", "k1", {})
    file = tmp_path / "models" / "pet.json"
    file.write_text(file.read_text().replace('"name": "pet"', f'"name": "{inside}"'))
    with pytest.raises(StoreError, match=rf"pet\.json belongs to the model '{inside}'"):
        registry.promote("pet", "k1")
    assert registry.names() == ["pet"]


def test_without_a_name_there_must_be_one_model(tmp_path: Path) -> None:
    registry = ModelRegistry(tmp_path)
    with pytest.raises(StoreError, match="run a study first"):
        registry.get()
    for name in ("pet", "ct"):
        registry.propose(name, "k1", {})
    with pytest.raises(StoreError, match=r"which model\?; there are: ct, pet"):
        registry.get()


def test_a_damaged_registry_says_so(tmp_path: Path) -> None:
    registry = ModelRegistry(tmp_path)
    registry.propose("pet", "k1", {})
    (tmp_path / "models" / "pet.json").write_text("{")
    with pytest.raises(StoreError, match=r"pet\.json is damaged"):
        registry.get("pet")


def test_a_card_stays_with_its_key(tmp_path: Path) -> None:
    registry = ModelRegistry(tmp_path)
    card = ModelCard(
        study="pet",
        description="",
        patients=None,
        groups=3,
        cases=4,
        received=5,
        folds=3,
        metrics={"auc": {"value": 0.8, "low": 0.7, "high": 0.9}},
        baselines={},
        versions={"numpy": "2"},
        intended_use="research",
        limits=("few patients",),
    )
    registry.propose("pet", "k1", {"name": "pet"}, card)
    registry.propose("pet", "k2", {"name": "pet"})
    registry.promote("pet", "k2")
    assert registry.get("pet").cards == {"k1": card}
