"""Who may import whom: flows → tasks → storage, stages apart, Prefect only where work is sent out.

Each rule is a function from the sources to the lines that break it. The house keeps all of them, and each is shown to
catch a snippet that breaks it, and to let a good one pass.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

import pytest

STAGES = ("ingest", "split", "normalize", "sample", "extract", "train", "detect", "evaluate", "explain", "report")
PURE_ROOMS = ("imaging", "models", "classical", "deep", "metrics", "phantom", "selection")
ORCHESTRATION = ("prefect", "prefect_dask", "distributed", "dask.distributed")
PLAIN_STORAGE = ("storage.volume", "storage.case", "storage.finding", "storage.errors", "storage.keys")
LOADER = Path("tasks/load_model.py")
"""What several stages load alike."""

Rule = Callable[[Iterable[Any]], Iterator[str]]


def room_of(path: Path) -> str:
    """``ingest`` for ``tasks/ingest/dicom.py``; empty for what lies beside the rooms."""
    return path.parts[1] if path.parts[0] == "tasks" and len(path.parts) > 2 else ""


def is_within(name: str, packages: Iterable[str]) -> bool:
    return any(name == package or name.startswith(f"{package}.") for package in packages)


def sends_work(path: Path) -> bool:
    """Whether this file talks to Prefect: flows, the task of each stage, and what these tasks share."""
    is_task = (path.name == "task.py" or path.name.endswith("_task.py")) and bool(room_of(path))
    return path.parts[0] == "flows" or path == Path("tasks/task.py") or is_task


def layers_only_look_down(sources: Iterable[Any]) -> Iterator[str]:
    forbidden = {"storage": ("flows", "tasks", "tests"), "tasks": ("flows", "tests"), "flows": ("tests",)}
    for source in sources:
        for line, name in source.imported:
            if is_within(name, forbidden[source.path.parts[0]]) or name.startswith("."):
                yield f"{source.path}:{line} imports {name}"


def stages_do_not_know_each_other(sources: Iterable[Any]) -> Iterator[str]:
    for source in sources:
        if source.path.parts[0] != "tasks":
            continue
        others = [f"tasks.{stage}" for stage in STAGES if stage != room_of(source.path)]
        for line, name in source.imported:
            if is_within(name, others):
                yield f"{source.path}:{line} imports {name}"


def only_flows_and_tasks_import_prefect(sources: Iterable[Any]) -> Iterator[str]:
    for source in sources:
        if not sends_work(source.path):
            for line, name in source.imported:
                if is_within(name, (*ORCHESTRATION, "tasks.task")):
                    yield f"{source.path}:{line} imports {name}"


def algorithms_open_no_store(sources: Iterable[Any]) -> Iterator[str]:
    for source in sources:
        if source.path.parts[0] == "tasks" and not sends_work(source.path) and source.path != LOADER:
            for line, name in source.imported:
                if is_within(name, ("storage",)) and not is_within(name, PLAIN_STORAGE):
                    yield f"{source.path}:{line} imports {name}"


def algorithms_log_nothing(sources: Iterable[Any]) -> Iterator[str]:
    for source in sources:
        if source.path.parts[0] == "tasks" and not sends_work(source.path):
            for line, name in source.imported:
                if is_within(name, ("logging",)):
                    yield f"{source.path}:{line} imports {name}"


def there_is_no_circle(sources: Iterable[Any]) -> Iterator[str]:
    """Circles among our modules, closed at once or later, each reported once, from its first module by name."""
    sources = list(sources)
    ours = {source.module for source in sources}

    def target(name: str) -> str | None:
        while name and name not in ours:
            name = name.rpartition(".")[0]
        return name or None

    follow = {
        s.module: sorted({t for _, name in s.imported if (t := target(name)) not in (None, s.module)}) for s in sources
    }

    def walk(path: tuple[str, ...]) -> Iterator[tuple[str, ...]]:
        for following in follow[path[-1]]:
            if following == path[0]:
                yield path
            elif following > path[0] and following not in path and following not in seen:
                seen.add(following)
                yield from walk((*path, following))

    for start in sorted(follow):
        seen: set[str] = set()
        yield from (" → ".join((*circle, start)) for circle in walk((start,)))


RULES: list[Rule] = [
    layers_only_look_down,
    stages_do_not_know_each_other,
    only_flows_and_tasks_import_prefect,
    algorithms_open_no_store,
    algorithms_log_nothing,
    there_is_no_circle,
]


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.__name__)
def test_the_house_keeps(rule: Rule, sources: list[Any]) -> None:
    assert list(rule(sources)) == []


def test_every_folder_of_tasks_is_a_stage_or_a_pure_room(sources: list[Any]) -> None:
    assert {room for source in sources if (room := room_of(source.path))} <= {*STAGES, *PURE_ROOMS}


@pytest.mark.parametrize(
    ("rule", "path", "text"),
    [
        (layers_only_look_down, "storage/a.py", "import tasks.imaging.resample"),
        (layers_only_look_down, "storage/a.py", "from flows import study"),
        (layers_only_look_down, "tasks/split/task.py", "def f():\n    from flows.settings import StudySettings"),
        (layers_only_look_down, "tasks/split/task.py", "from . import settings"),
        (stages_do_not_know_each_other, "tasks/train/fit.py", "from tasks.extract.table import read"),
        (stages_do_not_know_each_other, "tasks/train/fit.py", "from tasks import extract"),
        (stages_do_not_know_each_other, "tasks/imaging/a.py", "import tasks.ingest"),
        (stages_do_not_know_each_other, "tasks/classical/scoring.py", "import tasks.train.fit"),
        (only_flows_and_tasks_import_prefect, "tasks/train/fit.py", "from prefect import task"),
        (only_flows_and_tasks_import_prefect, "tasks/train/fit.py", "from dask.distributed import Client"),
        (only_flows_and_tasks_import_prefect, "tasks/train/fit.py", "from dask import distributed"),
        (only_flows_and_tasks_import_prefect, "tasks/models/task.py/x.py", "import prefect.states"),
        (only_flows_and_tasks_import_prefect, "storage/ledger.py", "if TYPE_CHECKING:\n    import prefect"),
        (only_flows_and_tasks_import_prefect, "tasks/train/fit.py", "from tasks.task import Stage"),
        (algorithms_open_no_store, "tasks/imaging/a.py", "from storage.artifacts import ArtifactStore"),
        (algorithms_open_no_store, "tasks/train/fit.py", "from storage import ledger"),
        (algorithms_log_nothing, "tasks/train/fit.py", "import logging"),
    ],
)
def test_a_forbidden_import_is_found(rule: Rule, path: str, text: str, snippet: Any) -> None:
    [found] = rule([snippet(path, text)])
    assert found.startswith(f"{path}:")


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.__name__)
def test_a_permitted_import_is_let_pass(rule: Rule, snippet: Any) -> None:
    good = [
        snippet("flows/study.py", "import logging\nfrom prefect import flow\nfrom tasks.train import task"),
        snippet("tasks/train/task.py", "from tasks.train.fit import fit\nfrom storage.artifacts import ArtifactStore"),
        snippet(
            "tasks/train/fit.py", "import dask.array\nfrom tasks.imaging import a\nfrom storage.volume import Volume"
        ),
        snippet("storage/volume.py", "import prefectoral, logging"),
    ]
    assert list(rule(good)) == []


def test_a_circle_is_found_whether_it_closes_at_once_or_later(snippet: Any) -> None:
    def circle(last: str) -> list[str]:
        links = [("a", "import tasks.b"), ("b", "from tasks.c import x"), ("c", last)]
        return list(there_is_no_circle([snippet(f"tasks/{name}.py", text) for name, text in links]))

    for last in (
        "from tasks import a",
        "class A:\n    def f(self):\n        from tasks import a",
        "if TYPE_CHECKING:\n    from tasks import a",
    ):
        assert circle(last) == ["tasks.a → tasks.b → tasks.c → tasks.a"]
    assert circle("from tasks import d") == []
