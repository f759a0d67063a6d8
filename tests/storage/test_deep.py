"""Networks on disk: the same tensors and card after reading, and nothing read that nobody named."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from pydantic import ValidationError
from safetensors.torch import save_file

from storage.deep import NetworkCard, load_card, load_network, save_network
from storage.errors import StoreError

STATE = {"a.weight": torch.arange(6, dtype=torch.float32).reshape(2, 3) / 7, "a.bias": torch.tensor([0.1, -1e-30])}
FACTS: dict[str, Any] = {
    "model": "alexnet",
    "options": {"hidden": 4096, "weights": None},
    "classes": 2,
    "class_names": ("glioma_tumor", "no_tumor"),
    "input_px": 96,
    "mean": (0.1, 0.2, 0.3),
    "std": (0.2, 0.2, 0.2),
    "temperature": 1.25,
    "average_flips": True,
    "pictures": 300,
    "held_out": 60,
    "synthetic": 4,
    "inner_loss": 0.25,
    "history": ({"epoch": 1, "training_loss": 1.4, "held_out_loss": None},),
    "note": "no ImageNet weights found",
    "phases": ({"epochs": 56, "best": None, "precision": "bfloat16", "accumulate": 1},),
}
CARD = NetworkCard(**FACTS)


@pytest.fixture
def saved(tmp_path: Path) -> Path:
    save_network(tmp_path, STATE, CARD)
    return tmp_path


def change_card(folder: Path, **change: Any) -> None:
    content = json.loads((folder / "network.json").read_text())
    (folder / "network.json").write_text(json.dumps({**content, **change}))


def test_tensors_and_card_are_the_same_after_reading(saved: Path) -> None:
    state, card = load_network(saved)
    assert card == load_card(saved) == CARD
    assert set(state) == set(STATE)
    assert all(torch.equal(state[name], STATE[name]) for name in STATE)
    assert card.facts() == {name: value for name, value in FACTS.items() if name != "class_names"}


def test_two_files_are_all_there_is_and_they_repeat_byte_for_byte(saved: Path, tmp_path: Path) -> None:
    first = {path.name: path.read_bytes() for path in saved.iterdir()}
    assert set(first) == {"network.safetensors", "network.json"}
    save_network(tmp_path, STATE, CARD)
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == first


def test_a_tensor_that_is_a_view_is_saved_as_what_it_shows(tmp_path: Path) -> None:
    table = torch.arange(6, dtype=torch.float32).reshape(2, 3)
    save_network(tmp_path, {"column": table.T}, CARD)
    assert load_network(tmp_path)[0]["column"].tolist() == [[0, 3], [1, 4], [2, 5]]


def test_the_steps_that_batch_normalization_counts_are_saved_too(tmp_path: Path) -> None:
    save_network(tmp_path, {**STATE, "a.steps": torch.tensor(7)}, CARD)
    steps = load_network(tmp_path)[0]["a.steps"]
    assert (steps.dtype, int(steps)) == (torch.int64, 7)
    with pytest.raises(StoreError, match=r"a\.steps cannot be saved"):
        save_network(tmp_path, {"a.steps": torch.tensor([7, 8])}, CARD)


@pytest.mark.parametrize("value", [torch.tensor([1.0, float("nan")]), torch.tensor([1.0], dtype=torch.float64)])
def test_what_is_no_finite_float32_is_not_saved(tmp_path: Path, value: torch.Tensor) -> None:
    with pytest.raises(StoreError, match=r"a\.bias cannot be saved: expected finite float32 numbers; got torch\.float"):
        save_network(tmp_path, {**STATE, "a.bias": value}, CARD)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"format": 2}, "not a network's card of format 1: format"),
        ({"optimizer": "adam"}, "optimizer: Extra inputs are not permitted"),
        ({"card": {**FACTS, "gamma": 1}}, "card.gamma: Extra inputs are not permitted"),
        ({"card": {**FACTS, "temperature": 0}}, "card.temperature: Input should be greater than 0"),
        ({"card": {**FACTS, "class_names": ["a", "a"]}}, r"2 classes need as many different names; got \['a', 'a'\]"),
    ],
)
def test_a_card_that_says_what_nobody_knows_is_refused(saved: Path, change: dict[str, Any], said: str) -> None:
    change_card(saved, **change)
    with pytest.raises(StoreError, match=rf"network\.json is .*{said}"):
        load_network(saved)


@pytest.mark.parametrize(
    ("state", "said"),
    [
        ({**STATE, "b": torch.zeros(1)}, "holds tensors that network.json does not name: b"),
        ({"a.bias": STATE["a.bias"]}, "lacks tensors that network.json names: a.weight"),
        ({**STATE, "a.bias": torch.zeros(3)}, r"a\.bias is torch\.float32 of shape \(3,\); expected .* shape \(2,\)"),
        ({**STATE, "a.bias": torch.zeros(2, dtype=torch.int64)}, r"a\.bias is torch\.int64"),
    ],
)
def test_tensors_that_do_not_fit_the_card_are_refused(saved: Path, state: dict[str, torch.Tensor], said: str) -> None:
    save_file(state, saved / "network.safetensors")
    with pytest.raises(StoreError, match=said):
        load_network(saved)


@pytest.mark.parametrize("name", ["network.safetensors", "network.json"])
@pytest.mark.parametrize("damage", ["absent", "cut"])
def test_a_file_that_is_absent_or_cut_is_refused_by_name(saved: Path, name: str, damage: str) -> None:
    content = (saved / name).read_bytes()
    (saved / name).unlink() if damage == "absent" else (saved / name).write_bytes(content[: len(content) // 2])
    with pytest.raises(StoreError, match=name.replace(".", r"\.")):
        load_network(saved)


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_numbers_that_are_not_finite_are_refused(saved: Path, value: float) -> None:
    save_file({**STATE, "a.bias": torch.tensor([0.1, value])}, saved / "network.safetensors")
    with pytest.raises(StoreError, match=r"holds numbers in a\.bias that are not finite"):
        load_network(saved)


def test_nothing_is_divided_by_a_spread_of_zero() -> None:
    with pytest.raises(ValidationError, match="greater than 0"):
        NetworkCard(**{**FACTS, "std": (0.2, 0.0, 0.2)})


def test_what_was_read_does_not_depend_on_the_file_any_more(saved: Path) -> None:
    state, _ = load_network(saved)
    (saved / "network.safetensors").write_bytes(b"")
    assert all(torch.equal(state[name], STATE[name]) for name in STATE)


def test_a_pickle_in_the_place_of_the_tensors_is_refused(saved: Path) -> None:
    torch.save(STATE, saved / "network.safetensors")
    with pytest.raises(StoreError, match=r"network\.safetensors cannot be read"):
        load_network(saved)


def test_a_card_refuses_names_that_do_not_fit_its_classes() -> None:
    with pytest.raises(ValidationError, match="3 classes need as many different names"):
        NetworkCard(**{**FACTS, "classes": 3})
