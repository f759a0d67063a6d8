"""Content keys: equal for equal values, different for any other, and the same on every machine for ever."""

from __future__ import annotations

import hashlib
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from storage.keys import canonical_json, digest
from tasks.settings import StageSettings

CHECKOUT = Path(__file__).parents[2]


class Block(StageSettings):
    """Settings with a default."""

    spacing_mm: tuple[float, float] = (1.0, 2.0)
    name: str = "a"


def test_canonical_json_sorts_keys_and_leaves_out_spaces() -> None:
    assert canonical_json({"b": [1, 2.5, None, True], "a": "é"}) == '{"a":"\\u00e9","b":[1,2.5,null,true]}'


def test_a_digest_is_the_sha256_of_the_canonical_json() -> None:
    assert digest({"b": 1, "a": 2}) == hashlib.sha256(b'{"a":2,"b":1}').hexdigest()


def test_the_order_of_keys_does_not_matter_and_the_order_of_items_does() -> None:
    assert digest({"a": 1, "b": 2}) == digest({"b": 2, "a": 1})
    assert digest([1, 2]) != digest([2, 1])


def test_settings_are_keyed_by_their_values_whether_given_or_by_default() -> None:
    assert digest(Block()) == digest(Block(spacing_mm=(1, 2), name="a")) == digest(Block().model_dump(mode="json"))
    assert digest(Block()) != digest(Block(name="b"))


@pytest.mark.parametrize(
    ("one", "other"),
    [(["ab", "c"], ["a", "bc"]), ({"a": None}, {}), ("1", 1), ([[1], 2], [1, [2]]), ({"a": {"b": 1}}, {"a.b": 1})],
)
def test_different_values_have_different_digests(one: Any, other: Any) -> None:
    assert digest(one) != digest(other)


def test_digests_do_not_depend_on_the_hash_seed_of_the_process() -> None:
    program = "from storage.keys import digest; print(digest({'set': sorted({'x', 'y', 'z'}), 'n': 1}))"
    run = [sys.executable, "-c", program]
    said = [
        subprocess.run(run, cwd=CHECKOUT, env={"PYTHONHASHSEED": seed}, capture_output=True, text=True, check=True)
        for seed in ("1", "2")
    ]
    assert said[0].stdout == said[1].stdout == digest({"set": ["x", "y", "z"], "n": 1}) + "\n"


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_what_json_cannot_say_is_refused(value: float) -> None:
    with pytest.raises(ValueError, match="not JSON compliant"):
        digest({"x": value})


@pytest.mark.parametrize("value", [{1, 2}, b"bytes", Path("x"), object()])
def test_what_is_no_plain_value_is_refused(value: Any) -> None:
    with pytest.raises(TypeError, match=f"a key is made of plain values; got {type(value).__name__}"):
        digest([value])
