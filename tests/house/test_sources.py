"""How the sources are kept: small files with honest names, no forbidden constructs, settings for each stage.

As in `test_imports.py`, each rule is a function from the sources to what breaks it, with a proof that it can fail.
"""

from __future__ import annotations

import ast
import importlib
import io
import re
import tokenize
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from tasks.settings import StageSettings

FORBIDDEN_NAMES = {"utils", "util", "helpers", "helper", "base", "common", "misc", "tools"}
UNSAFE_MODULES = {"pickle", "cPickle", "cloudpickle", "dill", "marshal", "shelve", "random"}
UNSAFE_CALLS = {"eval", "exec", "joblib.load", "pd.read_pickle", "pandas.read_pickle", "os.system"}
COMMAND_LINE = re.compile(r"flows/((cli|demo)\w*|commands/\w+)\.py")
UNFINISHED = re.compile(r"\b(TODO|FIXME|XXX|HACK)\b")
MAX_FILE_LINES = 400
MAX_FUNCTION_LINES = 80

Rule = Callable[[Iterable[Any]], Iterator[str]]


def nodes(sources: Iterable[Any]) -> Iterator[tuple[Any, Any]]:
    for source in sources:
        for node in ast.walk(source.tree):
            yield source, node


def calls(sources: Iterable[Any]) -> Iterator[tuple[Any, ast.Call, str]]:
    """Every call with the name of what is called, e.g. ``np.load``."""
    for source, node in nodes(sources):
        if isinstance(node, ast.Call):
            yield source, node, ast.unparse(node.func)


def package_files_hold_a_docstring_only(sources: Iterable[Any]) -> Iterator[str]:
    for source in sources:
        if source.path.name == "__init__.py" and (len(source.tree.body) != 1 or not ast.get_docstring(source.tree)):
            yield str(source.path)


def modules_say_what_they_are(sources: Iterable[Any]) -> Iterator[str]:
    yield from (str(source.path) for source in sources if not ast.get_docstring(source.tree))


def files_are_named_after_their_subject(sources: Iterable[Any]) -> Iterator[str]:
    for source in sources:
        if FORBIDDEN_NAMES & {part.lower().strip("_") for part in source.path.with_suffix("").parts}:
            yield str(source.path)


def files_are_short(sources: Iterable[Any]) -> Iterator[str]:
    for source in sources:
        if (count := len(source.text.splitlines())) > MAX_FILE_LINES:
            yield f"{source.path} has {count} lines"


def functions_are_short(sources: Iterable[Any]) -> Iterator[str]:
    for source, node in nodes(sources):
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
            count = (node.end_lineno or node.lineno) - node.lineno + 1
            if count > MAX_FUNCTION_LINES:
                yield f"{source.path}:{node.lineno} {node.name} has {count} lines"


def nothing_is_asserted(sources: Iterable[Any]) -> Iterator[str]:
    yield from (f"{source.path}:{node.lineno}" for source, node in nodes(sources) if isinstance(node, ast.Assert))


def nothing_unsafe_is_imported(sources: Iterable[Any]) -> Iterator[str]:
    for source in sources:
        for line, name in source.imported:
            if name.partition(".")[0] in UNSAFE_MODULES:
                yield f"{source.path}:{line} imports {name}"


def nothing_unsafe_is_called(sources: Iterable[Any]) -> Iterator[str]:
    for source, call, name in calls(sources):
        given = {keyword.arg: ast.unparse(keyword.value) for keyword in call.keywords}
        if (
            name in UNSAFE_CALLS
            or (name == "torch.load" and given.get("weights_only") != "True")
            or given.get("allow_pickle", "False") != "False"
            or given.get("shell", "False") != "False"
        ):
            yield f"{source.path}:{call.lineno} calls {name}"


def only_the_command_line_prints(sources: Iterable[Any]) -> Iterator[str]:
    for source, call, name in calls(sources):
        if name == "print" and not COMMAND_LINE.fullmatch(source.path.as_posix()):
            yield f"{source.path}:{call.lineno}"


def nothing_is_left_to_do(sources: Iterable[Any]) -> Iterator[str]:
    for source in sources:
        for token in tokenize.generate_tokens(io.StringIO(source.text).readline):
            if token.type in (tokenize.COMMENT, tokenize.STRING) and re.search(
                r"\b(TODO|FIXME|XXX|HACK)\b", token.string
            ):
                yield f"{source.path}:{token.start[0]}"
    for source, node in nodes(sources):
        if isinstance(node, ast.Raise) and node.exc and "NotImplemented" in ast.unparse(node.exc):
            yield f"{source.path}:{node.lineno}"


def no_place_of_one_machine_is_named(sources: Iterable[Any]) -> Iterator[str]:
    for source in sources:
        for number, line in enumerate(source.text.splitlines(), start=1):
            if re.search(r"(?<![\w.}])/(work|root|home|Users)/", line):
                yield f"{source.path}:{number}"


def stages_without_settings(sources: Iterable[Any], load: Callable[[str], Any]) -> Iterator[str]:
    """Folders with a task, but without a ``settings.py`` whose ``Settings`` is a `StageSettings`."""
    modules = {source.module for source in sources}
    for stage in sorted(name.removesuffix(".task") for name in modules if re.fullmatch(r"tasks\.\w+\.task", name)):
        found = getattr(load(f"{stage}.settings"), "Settings", None) if f"{stage}.settings" in modules else None
        if not (isinstance(found, type) and issubclass(found, StageSettings)):
            yield stage


RULES: list[Rule] = [
    package_files_hold_a_docstring_only,
    modules_say_what_they_are,
    files_are_named_after_their_subject,
    files_are_short,
    functions_are_short,
    nothing_is_asserted,
    nothing_unsafe_is_imported,
    nothing_unsafe_is_called,
    only_the_command_line_prints,
    nothing_is_left_to_do,
    no_place_of_one_machine_is_named,
]


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.__name__)
def test_the_house_keeps(rule: Rule, sources: list[Any]) -> None:
    assert list(rule(sources)) == []


def test_there_are_sources_to_look_at(sources: list[Any]) -> None:
    assert {source.path.parts[0] for source in sources} == {"flows", "tasks", "storage"}


BAD = [
    (package_files_hold_a_docstring_only, "tasks/a/__init__.py", '"""A."""\nimport numpy'),
    (package_files_hold_a_docstring_only, "tasks/a/__init__.py", ""),
    (modules_say_what_they_are, "tasks/a/b.py", "x = 1"),
    (files_are_named_after_their_subject, "tasks/a/utils.py", ""),
    (files_are_named_after_their_subject, "tasks/_common/a.py", ""),
    (files_are_short, "tasks/a/b.py", "\n" * 401),
    (functions_are_short, "tasks/a/b.py", "class A:\n  def f(self):\n" + "    x = 1\n" * 80),
    (functions_are_short, "tasks/a/b.py", "async def f():\n" + "    x = 1\n" * 80),
    (nothing_is_asserted, "storage/a.py", "def f(x):\n    assert x > 0"),
    (nothing_unsafe_is_imported, "storage/a.py", "import pickle as p"),
    (nothing_unsafe_is_imported, "storage/a.py", "def f():\n    from pickle import loads"),
    (nothing_unsafe_is_imported, "tasks/a/b.py", "from random import shuffle"),
    (nothing_unsafe_is_called, "storage/a.py", "eval('1')"),
    (nothing_unsafe_is_called, "storage/a.py", "torch.load(path)"),
    (nothing_unsafe_is_called, "storage/a.py", "torch.load(path, weights_only=False)"),
    (nothing_unsafe_is_called, "storage/a.py", "np.load(path, allow_pickle=True)"),
    (nothing_unsafe_is_called, "flows/a.py", "subprocess.run('ls', shell=True)"),
    (only_the_command_line_prints, "flows/study.py", "def f():\n    print('x')"),
    (nothing_is_left_to_do, "tasks/a/b.py", "x = 1  # TODO later"),
    (nothing_is_left_to_do, "tasks/a/b.py", '"""FIXME: wrong."""'),
    (nothing_is_left_to_do, "tasks/a/b.py", "def f():\n    raise NotImplementedError"),
    (no_place_of_one_machine_is_named, "tasks/a/b.py", "DATA = '/home/me/data'"),
]


@pytest.mark.parametrize(("rule", "path", "text"), BAD)
def test_what_breaks_a_rule_is_found(rule: Rule, path: str, text: str, snippet: Any) -> None:
    [found] = rule([snippet(path, text)])
    assert found.startswith((path, str(Path(path).parent)))


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.__name__)
def test_what_is_right_is_let_pass(rule: Rule, snippet: Any) -> None:
    good = [
        snippet("tasks/a/__init__.py", '"""A."""'),
        snippet(
            "tasks/a/task.py",
            '"""T."""\nmodel.eval()\ntorch.load(p, weights_only=True)\nnp.load(p, allow_pickle=False)',
        ),
        snippet("tasks/a/settings.py", '"""S."""\nclass Settings(StageSettings):\n    x: int = 1'),
        snippet("tasks/a/b.py", '"""B."""\n' + "\n" * 399),
        snippet("flows/cli.py", '"""C."""\nprint("done")\nurl = f"{base}/home/"\n'),
        snippet("tasks/imaging/c.py", '"""C."""\ndef f():\n' + "    x = 1\n" * 79),
        snippet("tasks/imaging/randomly.py", '"""todos, hacks."""\nimport numpy.random'),
    ]
    assert list(rule(good)) == []


def test_each_stage_has_settings(sources: list[Any]) -> None:
    assert list(stages_without_settings(sources, importlib.import_module)) == []


@pytest.mark.parametrize(
    ("files", "settings", "found"),
    [
        (["task", "settings"], type("Settings", (StageSettings,), {}), []),
        (["task", "settings"], type("Settings", (), {}), ["tasks.a"]),
        (["task", "settings"], None, ["tasks.a"]),
        (["task"], type("Settings", (StageSettings,), {}), ["tasks.a"]),
        (["settings"], None, []),
    ],
)
def test_a_stage_without_settings_is_found(files: list[str], settings: Any, found: list[str], snippet: Any) -> None:
    sources = [snippet(f"tasks/a/{name}.py") for name in files]
    assert list(stages_without_settings(sources, lambda _: SimpleNamespace(Settings=settings))) == found
