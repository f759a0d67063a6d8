"""``lesionflow models``: what goes into production is what was committed, and the way back is longer than one step."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from flows.cli import app
from storage.artifacts import ArtifactStore
from storage.models import ModelRegistry

KEYS = [letter * 64 for letter in "abc"]


@pytest.fixture
def store(tmp_path: Path) -> ArtifactStore:
    """Three models; the first is in production."""
    store = ArtifactStore(tmp_path / "store")
    marks: dict[str, Any] = {"inputs": {}, "settings": {}, "source": "s", "versions": {}}
    for key in KEYS:
        with store.write(stage="train", key=key, subject="refit", **marks) as folder:
            (folder / "card.json").write_text("{}")
        ModelRegistry(store.root).propose("pet", key, {})
    return store


def said(store: ArtifactStore, *arguments: str) -> tuple[int, str]:
    done = CliRunner().invoke(app, ["models", *arguments, "--store", str(store.root)])
    return done.exit_code, done.output


def test_each_rollback_takes_back_one_promotion(store: ArtifactStore) -> None:
    told = [said(store, *line.split()) for line in ("promote pet b", "promote pet", "rollback pet", "rollback pet")]
    assert told == [(0, f"pet: production is {letter * 12}\n") for letter in "bcba"]
    assert said(store, "rollback", "pet")[0] == 2


@pytest.mark.parametrize("command", ["promote", "rollback"])
def test_a_model_that_was_changed_after_its_commit_is_not_put_into_production(
    command: str, store: ArtifactStore
) -> None:
    said(store, "promote", "pet", "b")
    wanted = KEYS[2] if command == "promote" else KEYS[0]
    (store.open("train", wanted) / "card.json").write_text("{ }")
    code, words = said(store, command, "pet")
    assert (code, "card.json has changed" in " ".join(words.split())) == (2, True)
    assert ModelRegistry(store.root).get("pet").aliases["production"] == KEYS[1]


@pytest.mark.parametrize("name", ["[/]", "[bold]", "../pet"])
def test_a_name_that_is_not_there_is_told_as_it_was_given(name: str, store: ArtifactStore) -> None:
    code, words = said(store, "rollback", name)
    assert (code, words) == (2, f"error: no model '{name}'; there are: pet\n")
