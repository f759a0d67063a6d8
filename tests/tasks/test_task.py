"""How a piece of work meets the store: its key, a hit, a verdict, a failure."""

from __future__ import annotations

import ast
import dataclasses
import importlib
import pickle
from pathlib import Path
from typing import Any

import pytest

from storage import provenance
from storage.artifacts import ArtifactStore
from storage.errors import CaseError
from tasks import task as shared
from tasks.settings import StageSettings
from tasks.task import Outcome, Stage, Work, carry_out, hand_over, outcome_of, stage_task


class Block(StageSettings):
    """Settings of a stage that multiplies."""

    factor: float = 2.0


STAGE = Stage("multiply", libraries=("numpy",), places=("tasks.classical.scoring",))


def plan(value: float = 3.0, *, subject: str = "C-1", factor: float = 2.0, carried: Any = None) -> Work:
    return STAGE.plan(Block(factor=factor), subject=subject, inputs={"value": value}, carried=carried)


def fill(work: Work, _store: ArtifactStore, folder: Path) -> None:
    """Multiply; a negative value is a fault of the case, zero one of ours."""
    value = work.inputs["value"]
    if value < 0:
        raise CaseError("the value is negative")
    (folder / "product.txt").write_text(str(work.settings.factor * value))  # type: ignore[attr-defined]
    if value == 0:
        raise ZeroDivisionError("we cannot do zero")


@pytest.fixture
def store(tmp_path: Path) -> ArtifactStore:
    return ArtifactStore(tmp_path)


def never(work: Work, _store: ArtifactStore, _folder: Path) -> None:
    raise AssertionError(f"{work.key} was computed again")


# The key


def test_the_same_work_has_the_same_key() -> None:
    assert plan().key == plan().key
    assert len(plan().key) == 64


def test_neither_the_subject_nor_what_is_carried_is_in_the_key() -> None:
    assert plan(subject="C-2", carried=Path("elsewhere")).key == plan().key


def test_settings_inputs_stage_and_source_are_in_the_key() -> None:
    others = [
        plan(value=4.0),
        plan(factor=2.5),
        Stage("divide", STAGE.libraries, STAGE.places).plan(Block(), subject="C-1", inputs={"value": 3.0}),
        Stage("multiply", STAGE.libraries, ("tasks.discover",)).plan(Block(), subject="C-1", inputs={"value": 3.0}),
        Stage("multiply", ("numpy", "scipy"), STAGE.places).plan(Block(), subject="C-1", inputs={"value": 3.0}),
    ]
    assert len({plan().key, *(work.key for work in others)}) == 1 + len(others)


def test_another_version_of_a_library_is_another_key(monkeypatch: pytest.MonkeyPatch) -> None:
    before = plan()
    monkeypatch.setattr(shared, "library_versions", lambda *names: dict.fromkeys(names, "99"))
    after = plan()
    assert after.key != before.key
    assert after.versions == {"numpy": "99"}


def test_a_changed_source_is_another_key(monkeypatch: pytest.MonkeyPatch) -> None:
    before = plan().key
    monkeypatch.setattr(shared, "source_digest", lambda *places: f"changed {places}")
    assert plan().key != before


def test_a_stage_begins_with_its_task_unless_it_says_otherwise(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shared, "source_digest", lambda *places: "+".join(places))
    assert Stage("split", ()).plan(Block(), subject="cohort", inputs={}).source == "tasks.split.task"
    assert plan().source == "tasks.classical.scoring"


def test_what_cannot_be_keyed_is_refused() -> None:
    with pytest.raises(ValueError, match="JSON"):
        plan(value=float("nan"))


NUMERIC = {
    "numpy": "numpy",
    "pandas": "pandas",
    "pydicom": "pydicom",
    "pywt": "PyWavelets",
    "scipy": "scipy",
    "SimpleITK": "SimpleITK",
    "skimage": "scikit-image",
    "sklearn": "scikit-learn",
    "torch": "torch",
}
UNUSED = {"ingest": {"scikit-image"}}  # contours are filled by `annotate`, whose files lie in the same folder


def stages() -> list[Stage]:
    """Every stage of volumes and of pictures, which share names."""
    paths = sorted((provenance.CHECKOUT / "tasks").glob("*/*task.py"))
    modules = [importlib.import_module(f"tasks.{path.parent.name}.{path.stem}") for path in paths]
    return [value for module in modules for value in vars(module).values() if isinstance(value, Stage)]


def imported_libraries(stage: Stage) -> set[str]:
    """Numeric libraries that a stage's source, and all of ours that it imports, imports anywhere."""
    waiting = [path for place in stage.sources for path in provenance._files(place)]
    seen: set[Path] = set()
    names: set[str] = set()
    while waiting:
        path = waiting.pop()
        if path in seen or path.suffix != ".py":
            continue
        seen.add(path)
        source = path.read_bytes()
        for node in ast.walk(ast.parse(source)):
            if isinstance(node, ast.Import):
                names |= {alias.name.split(".")[0] for alias in node.names}
            elif isinstance(node, ast.ImportFrom) and node.module:
                names.add(node.module.split(".")[0])
        waiting += [file for module in provenance._imports(source) for file in provenance._module_files(module)]
    return {NUMERIC[name] for name in names if name in NUMERIC}


@pytest.mark.parametrize("stage", stages(), ids=lambda stage: f"{stage.name} {stage.sources[0]}")
def test_every_stage_keys_the_versions_of_the_numeric_libraries_that_it_uses(stage: Stage) -> None:
    assert imported_libraries(stage) - UNUSED.get(stage.name, set()) <= set(stage.libraries)


def test_there_is_one_stage_of_each_name_in_each_kind_of_study() -> None:
    named = [(stage.sources[0].rpartition(".")[2], stage.name) for stage in stages()]
    assert len(named) == len(set(named))
    names = [name for kind, name in named if kind == "task"]
    assert {"ingest", "split", "normalize", "sample", "extract", "train", "detect", "evaluate", "report"} <= set(names)


# Carrying out


def test_work_is_done_once_and_found_afterwards(store: ArtifactStore) -> None:
    first = carry_out(plan(), store, fill)
    second = carry_out(plan(subject="C-1 again"), store, never)
    assert (first.cached, second.cached) == (False, True)
    assert (first.stage, first.key, first.subject) == ("multiply", plan().key, "C-1")
    assert second == dataclasses.replace(first, cached=True, seconds=second.seconds)
    assert (store.open("multiply", first.key) / "product.txt").read_text() == "6.0"


def test_the_commit_marker_says_what_the_work_was_made_of(store: ArtifactStore) -> None:
    work = plan(carried={"path": "somewhere/Doe^John"})
    carry_out(work, store, fill)
    artifact = store.find("multiply", work.key)
    assert artifact is not None
    commit = artifact.commit
    assert (commit.settings, commit.inputs) == ({"factor": 2.0}, {"value": 3.0})
    assert (commit.source, commit.versions) == (work.source, work.versions)
    assert "Doe" not in commit.model_dump_json()
    assert "Doe" not in repr(work)


def test_a_fault_of_the_case_is_a_verdict_without_files_that_is_not_sought_again(store: ArtifactStore) -> None:
    work = plan(value=-1.0)
    first = carry_out(work, store, fill)
    second = carry_out(work, store, never)
    assert (first.verdict, first.failure, first.cached) == ("the value is negative", None, False)
    assert (second.verdict, second.failure, second.cached) == ("the value is negative", None, True)
    artifact = store.find("multiply", work.key)
    assert artifact is not None
    assert (artifact.commit.verdict, artifact.commit.files) == ("the value is negative", {})


def test_a_fault_of_ours_is_raised_and_not_stored_so_that_it_is_tried_again(store: ArtifactStore) -> None:
    work = plan(value=0.0)
    for _ in range(2):
        with pytest.raises(ZeroDivisionError):
            carry_out(work, store, fill)
    assert store.find("multiply", work.key) is None
    assert not list((store.root / "artifacts" / "multiply").iterdir())


def test_work_whose_marks_could_not_be_read_back_is_refused_before_it_starts(store: ArtifactStore) -> None:
    work = dataclasses.replace(plan(), inputs={"folder": Path("x")})
    with pytest.raises(TypeError, match="plain values; got PosixPath"):
        carry_out(work, store, never)


def test_an_outcome_is_what_its_artifact_says(store: ArtifactStore) -> None:
    done = carry_out(plan(), store, fill)
    artifact = store.find("multiply", done.key)
    assert artifact is not None
    expected = Outcome("multiply", done.key, "C-1", cached=True, seconds=artifact.commit.seconds)
    assert outcome_of(artifact, cached=True) == expected


# As a Prefect task


def test_states_are_called_completed_cached_and_excluded(store: ArtifactStore) -> None:
    task = stage_task("multiply")(fill)
    states = [task.fn(*hand_over(work, store)) for work in (plan(), plan(), plan(-1.0), plan(-1.0))]
    assert [state.name for state in states] == ["Completed", "Cached", "Excluded", "Excluded"]
    assert all(state.is_completed() for state in states)
    assert [state.message for state in states[1:3]] == [
        f"multiply/{plan().key[:12]} from the store",
        "the value is negative",
    ]


def test_what_a_state_says_names_the_artifact_and_its_cost_and_nothing_that_was_carried(store: ArtifactStore) -> None:
    state = stage_task("multiply")(fill).fn(*hand_over(plan(carried="Doe^John"), store))
    assert state.message.startswith(f"multiply/{plan().key[:12]} in ")
    assert "Doe" not in repr(state)


def test_a_task_carries_its_stage_its_tags_and_the_words_of_its_function() -> None:
    task = stage_task("multiply", gpu=True)(fill)
    assert (task.name, task.tags, task.persist_result) == ("multiply", {"gpu"}, False)
    assert task.task_run_name == "multiply {subject}"
    assert task.description == fill.__doc__
    assert stage_task("multiply")(fill).tags == set()


def test_work_that_is_handed_over_arrives_as_it_was(store: ArtifactStore) -> None:
    work = plan(carried=("one", "two"))
    sealed, root, subject = pickle.loads(pickle.dumps(hand_over(work, store)))
    assert (sealed.work, root, subject) == (work, str(store.root), "C-1")
