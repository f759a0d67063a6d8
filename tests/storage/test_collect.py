"""The collector: what an alias or one of the last runs needs stays, and no run is disturbed."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

from storage.artifacts import STALE_AFTER_S, WORKSHOP_STALE_AFTER_S, ArtifactStore
from storage.collect import Collection, collect, in_use
from storage.errors import StoreError
from storage.ledger import Ended, Ledger, ledger_url
from storage.models import ModelRegistry


@pytest.fixture
def store(tmp_path: Path) -> ArtifactStore:
    return ArtifactStore(tmp_path)


@pytest.fixture
def ledger(store: ArtifactStore) -> Ledger:
    return Ledger(ledger_url(store.root))


def commit(store: ArtifactStore, *keys: str) -> None:
    for key in keys:
        marks = {"inputs": {}, "settings": {}, "source": "s", "versions": {}}
        with store.write(stage="train", key=key, subject="cohort", **marks) as folder:
            (folder / "model.bin").write_bytes(b"x" * 1000)


def run(ledger: Ledger, name: str, study: str, *keys: str) -> None:
    ledger.begin(name, study)
    ledger.record(name, *(Ended("train", key, "cached", key, None, 0.0) for key in keys))
    ledger.finish(name, "done")


def keys(store: ArtifactStore) -> set[str]:
    return {artifact.commit.key for artifact in store.artifacts()}


def names(collection: Collection) -> set[str]:
    return {folder.name for folder in collection.artifacts}


def everything(folder: Path) -> list[str]:
    return sorted(path.relative_to(folder).as_posix() for path in (folder / "artifacts").rglob("*"))


def test_the_last_runs_of_each_study_keep_their_artifacts(store: ArtifactStore, ledger: Ledger) -> None:
    commit(store, "old", "middle", "new", "other-study")
    run(ledger, "r0", "ct", "other-study")
    run(ledger, "r1", "pet", "old")
    run(ledger, "r2", "pet", "middle")
    run(ledger, "r3", "pet", "new")
    collection = collect(store, ledger, keep_runs=2, dry_run=False)
    assert names(collection) == {"old"}
    assert collection.kept == 3
    assert keys(store) == {"middle", "new", "other-study"}
    assert not store.folder("train", "old").exists()


def test_what_an_old_run_shares_with_a_new_one_stays(store: ArtifactStore, ledger: Ledger) -> None:
    commit(store, "shared", "alone")
    run(ledger, "r1", "pet", "shared", "alone")
    run(ledger, "r2", "pet", "shared")
    collect(store, ledger, keep_runs=1, dry_run=False)
    assert keys(store) == {"shared"}


def test_models_with_an_alias_stay_without_any_run(store: ArtifactStore, ledger: Ledger) -> None:
    commit(store, "k1", "k2", "k3")
    registry = ModelRegistry(store.root)
    for key in ("k1", "k2", "k3"):
        registry.propose("pet", key, {"name": "pet"})
    collect(store, ledger, keep_runs=1, dry_run=False)
    assert keys(store) == {"k1", "k3"}  # production and candidate


def test_a_dry_run_names_the_same_and_removes_nothing(store: ArtifactStore, ledger: Ledger) -> None:
    commit(store, "old", "new")
    run(ledger, "r1", "pet", "new")
    before = everything(store.root)
    planned = collect(store, ledger, keep_runs=1, dry_run=True)
    assert everything(store.root) == before
    done = collect(store, ledger, keep_runs=1, dry_run=False)
    assert planned == done
    assert names(done) == {"old"}
    assert keys(store) == {"new"}


def test_the_bytes_are_those_of_the_removed_files(store: ArtifactStore, ledger: Ledger) -> None:
    commit(store, "old")
    size = sum(path.stat().st_size for path in store.folder("train", "old").iterdir())
    assert size > 1000
    assert collect(store, ledger, keep_runs=1, dry_run=False).bytes == size


def test_drafts_of_dead_writers_go_and_those_of_living_ones_stay(store: ArtifactStore, ledger: Ledger) -> None:
    commit(store, "k1")
    run(ledger, "r1", "pet", "k1")
    stage = store.root / "artifacts" / "train"
    dead, living = stage / ".tmp-dead", stage / ".tmp-living"
    for draft in (dead, living):
        draft.mkdir()
        (draft / "half.bin").write_bytes(b"x")
    long_ago = time.time() - STALE_AFTER_S - 60
    os.utime(dead, (long_ago, long_ago))
    assert collect(store, ledger, keep_runs=1, dry_run=False).drafts == (dead,)
    assert not dead.exists()
    assert living.exists()
    assert keys(store) == {"k1"}


def test_workshops_go_when_their_artifact_is_there_or_nobody_went_on_for_days(
    store: ArtifactStore, ledger: Ledger
) -> None:
    commit(store, "k1")
    run(ledger, "r1", "pet", "k1")
    left_over, given_up, under_way = (store.workshop("train", key) for key in ("k1", "old", "new"))
    for age, workshop in ((60, left_over), (WORKSHOP_STALE_AFTER_S + 60, given_up), (STALE_AFTER_S + 60, under_way)):
        (workshop / "checkpoint").write_bytes(b"x" * 1000)
        for path in (workshop / "checkpoint", workshop):
            os.utime(path, (time.time() - age,) * 2)
    collection = collect(store, ledger, keep_runs=1, dry_run=False)
    assert collection.drafts == (left_over, given_up)
    assert collection.bytes == 2000
    assert [path.exists() for path in (left_over, given_up, under_way)] == [False, False, True]
    assert keys(store) == {"k1"}


@pytest.mark.parametrize("dry_run", [True, False])
def test_nothing_is_collected_while_a_run_uses_the_store(store: ArtifactStore, ledger: Ledger, dry_run: bool) -> None:
    commit(store, "old")
    with in_use(store), pytest.raises(StoreError, match="a run uses the store"):
        collect(store, ledger, keep_runs=1, dry_run=dry_run)
    assert keys(store) == {"old"}


def test_runs_share_the_store_and_the_collector_shuts_them_out(store: ArtifactStore) -> None:
    with in_use(store), in_use(store):
        pass
    with in_use(store, alone=True), pytest.raises(StoreError, match="`lesionflow gc` is cleaning"), in_use(store):
        pass


def test_a_lock_ends_with_its_block_even_after_an_error(store: ArtifactStore, ledger: Ledger) -> None:
    commit(store, "old")
    with pytest.raises(RuntimeError, match="broke"), in_use(store):
        raise RuntimeError("broke")
    assert names(collect(store, ledger, keep_runs=1, dry_run=False)) == {"old"}
