"""The artifact store: all or nothing, first writer wins, damage is found."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from storage.artifacts import MARKER, ArtifactStore, peak_memory_mib
from storage.errors import StoreError
from storage.verify import verify_store

CHECKOUT = Path(__file__).parents[2]
MARKS: dict[str, Any] = {
    "stage": "normalize",
    "subject": "C-1",
    "inputs": {"ingest": "a"},
    "settings": {"x": 1},
    "source": "s",
    "versions": {"numpy": "2"},
}


def write(store: ArtifactStore, key: str, text: str = "content") -> None:
    with store.write(key=key, **MARKS) as folder:
        (folder / "file.txt").write_text(text)


def test_what_was_committed_is_found_with_its_checksums(tmp_path: Path) -> None:
    store = ArtifactStore(tmp_path)
    write(store, "k1")
    artifact = store.find("normalize", "k1")
    assert artifact is not None
    assert (artifact.folder / "file.txt").read_text() == "content"
    assert list(artifact.commit.files) == ["file.txt"]
    assert artifact.commit.inputs == {"ingest": "a"}


def test_a_json_file_of_an_artifact_is_read_and_one_of_no_artifact_is_refused(tmp_path: Path) -> None:
    store = ArtifactStore(tmp_path)
    write(store, "k1", '{"shape": [1, 2]}')
    assert store.read_json("normalize", "k1", "file.txt") == {"shape": [1, 2]}
    with pytest.raises(StoreError, match="normalize/k2 is not in the store"):
        store.read_json("normalize", "k2", "file.txt")


def test_versions_of_several_artifacts_are_those_of_the_last_that_names_a_library(tmp_path: Path) -> None:
    store = ArtifactStore(tmp_path)
    for key, versions in (("k1", {"zarr": "3", "numpy": "2.10"}), ("k2", {"numpy": "2.9"})):
        with store.write(key=key, **{**MARKS, "versions": versions}):
            pass
    assert list(store.versions("normalize", ["k1", "gone", "k2"]).items()) == [("numpy", "2.9"), ("zarr", "3")]


def test_a_writer_that_raises_leaves_nothing(tmp_path: Path) -> None:
    store = ArtifactStore(tmp_path)

    def break_in_the_middle() -> None:
        with store.write(key="k1", **MARKS) as folder:
            (folder / "file.txt").write_text("half")
            raise RuntimeError("broke")

    with pytest.raises(RuntimeError, match="broke"):
        break_in_the_middle()
    assert store.find("normalize", "k1") is None
    assert not list((tmp_path / "artifacts" / "normalize").iterdir())


def test_a_folder_without_marker_does_not_exist_and_is_replaced(tmp_path: Path) -> None:
    store = ArtifactStore(tmp_path)
    half = store.folder("normalize", "k1")
    half.mkdir(parents=True)
    (half / "rest.txt").write_text("half")
    assert store.find("normalize", "k1") is None
    write(store, "k1")
    assert sorted(path.name for path in half.iterdir()) == sorted(["file.txt", MARKER])


def test_the_first_of_two_writers_wins_and_the_second_is_no_error(tmp_path: Path) -> None:
    store = ArtifactStore(tmp_path)
    with store.write(key="k1", **MARKS) as slow:
        (slow / "file.txt").write_text("slow")
        write(store, "k1", "fast")
    artifact = store.find("normalize", "k1")
    assert artifact is not None
    assert (artifact.folder / "file.txt").read_text() == "fast"
    assert len(list((tmp_path / "artifacts" / "normalize").iterdir())) == 1


WRITE_FOR_EVER = """
import itertools, os, sys
from storage.artifacts import ArtifactStore
marks = dict(stage="normalize", subject="C-1", inputs={}, settings={}, source="s", versions={})
for number in itertools.count():
    with ArtifactStore(sys.argv[1]).write(key=f"k{number}", **marks) as folder:
        for part in range(20):
            (folder / f"{part}.bin").write_bytes(os.urandom(20_000))
"""


@pytest.mark.slow
@pytest.mark.parametrize("after_s", [0.1, 0.17, 0.23])
def test_a_killed_writer_leaves_only_whole_artifacts(tmp_path: Path, after_s: float) -> None:
    process = subprocess.Popen([sys.executable, "-c", WRITE_FOR_EVER, str(tmp_path)], cwd=CHECKOUT)
    deadline = time.monotonic() + 30
    while not list(tmp_path.glob("artifacts/*/k0")) and time.monotonic() < deadline:
        time.sleep(0.01)
    time.sleep(after_s)
    process.kill()
    process.wait()
    checked, damaged = verify_store(ArtifactStore(tmp_path))
    assert checked > 0
    assert damaged == []


@pytest.mark.parametrize(
    ("damage", "said"),
    [
        (lambda folder: (folder / "file.txt").write_text("c0ntent"), "file.txt has changed"),
        (lambda folder: (folder / "file.txt").unlink(), "file.txt is missing"),
        (lambda folder: (folder / "new.txt").write_text("x"), "new.txt was added"),
        (lambda folder: (folder / MARKER).write_text("{}"), "its commit marker cannot be read"),
    ],
)
def test_verify_names_what_is_damaged(tmp_path: Path, damage: Any, said: str) -> None:
    store = ArtifactStore(tmp_path)
    write(store, "k1")
    write(store, "k2")
    damage(store.folder("normalize", "k1"))
    checked, damaged = verify_store(store)
    assert checked == 2
    assert [(found.artifact, found.faults) for found in damaged] == [("normalize/k1", (said,))]


def test_a_damaged_marker_is_refused_with_advice(tmp_path: Path) -> None:
    store = ArtifactStore(tmp_path)
    write(store, "k1")
    (store.folder("normalize", "k1") / MARKER).write_text("{}")
    with pytest.raises(StoreError, match="lesionflow verify --remove-damaged"):
        store.find("normalize", "k1")


def test_a_store_of_another_format_is_refused(tmp_path: Path) -> None:
    (tmp_path / "format.json").write_text(json.dumps({"format": 99}))
    with pytest.raises(StoreError, match="store format 99"):
        ArtifactStore(tmp_path)


def test_a_folder_of_something_else_is_no_store(tmp_path: Path) -> None:
    (tmp_path / "holiday.jpg").touch()
    with pytest.raises(StoreError, match="not a store"):
        ArtifactStore(tmp_path)


def test_a_removed_artifact_is_gone(tmp_path: Path) -> None:
    store = ArtifactStore(tmp_path)
    write(store, "k1")
    store.remove(store.folder("normalize", "k1"))
    assert store.find("normalize", "k1") is None
    with pytest.raises(StoreError, match="not in the store"):
        store.open("normalize", "k1")


def test_a_process_is_not_charged_with_what_its_parent_held() -> None:
    ballast = np.ones(300 * 2**20 // 8)
    code = "from storage.artifacts import peak_memory_mib; print(peak_memory_mib())"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=CHECKOUT)
    assert float(done.stdout) < 250
    assert peak_memory_mib() > ballast.nbytes / 2**20


def test_a_workshop_outlives_a_writer_that_raises_and_ends_with_the_commit(tmp_path: Path) -> None:
    store = ArtifactStore(tmp_path)

    def break_in_the_middle() -> None:
        with store.write(key="k1", **MARKS):
            (store.workshop("normalize", "k1") / "checkpoint").write_text("half way")
            raise RuntimeError("broke")

    with pytest.raises(RuntimeError, match="broke"):
        break_in_the_middle()
    assert (store.workshop("normalize", "k1") / "checkpoint").read_text() == "half way"
    (store.workshop("normalize", "k2") / "checkpoint").write_text("of another")
    assert verify_store(store) == (0, [])
    assert list(store.artifacts()) == []
    write(store, "k1")
    assert not (tmp_path / "workshop" / "normalize" / "k1").exists()
    assert (tmp_path / "workshop" / "normalize" / "k2").exists()
    assert verify_store(store) == (1, [])
