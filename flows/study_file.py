"""Reads a study file: TOML in, checked settings out, or every problem at once with its line and the way to mend it."""

from __future__ import annotations

import difflib
import json
import re
import tomllib
import types
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, TypeVar, Union, get_args, get_origin

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from flows.toml_lines import KeyPath, locate_keys

Settings = TypeVar("Settings", bound=BaseModel)


@dataclass(frozen=True)
class Problem:
    """One thing that is wrong: ``line`` from 1 or ``None`` for the whole file, the full ``key``, and what to do."""

    line: int | None
    key: str
    text: str

    def __str__(self) -> str:
        parts = [f"line {self.line}" if self.line else "", self.key, self.text]
        return ": ".join(part for part in parts if part)


class StudyFileError(Exception):
    """The study file cannot be used; ``str`` of it lists every problem, ready to print."""

    def __init__(self, path: Path, problems: Sequence[Problem]) -> None:
        self.path = path
        self.problems = tuple(problems)
        count = "1 problem" if len(self.problems) == 1 else f"{len(self.problems)} problems"
        super().__init__("\n".join([f"{path}: {count}", *(f"  {problem}" for problem in self.problems)]))


def load_toml_settings(path: Path, model: type[Settings]) -> Settings:
    """Read a TOML file into settings.

    Values are taken as they are written: text is not read as a number, nor ``true`` as 1.

    Parameters
    ----------
    path
        The file.
    model
        Pydantic model that refuses unknown keys (``extra="forbid"``), at every depth where typos shall be found.

    Raises
    ------
    StudyFileError
        When the file is absent, is not TOML, or holds unknown keys or unfit values. It names all of them.
    """
    try:
        text = path.read_text(encoding="utf-8")
        data = tomllib.loads(text)
    except (OSError, UnicodeDecodeError) as error:
        raise StudyFileError(path, [Problem(None, "", _unreadable(error))]) from error
    except tomllib.TOMLDecodeError as error:
        raise StudyFileError(path, [_syntax_problem(error, text)]) from error
    try:
        # JSON is the stricter reader that still takes a list for a tuple.
        return model.model_validate_json(json.dumps(data, default=str), strict=True)
    except ValidationError as error:
        lines = locate_keys(text)
        problems = {_explain(detail, data, model, lines): None for detail in error.errors(include_url=False)}
        raise StudyFileError(path, sorted(problems, key=lambda problem: problem.line or 0)) from error


def read_key(path: Path, key: str) -> Any:
    """A key at the top of a TOML file; ``None`` where it is absent, or the file cannot be read."""
    try:
        return tomllib.loads(path.read_text(encoding="utf-8")).get(key)
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError):
        return None


def _unreadable(error: OSError | UnicodeDecodeError) -> str:
    if isinstance(error, UnicodeDecodeError):
        return f"expected UTF-8 text; byte {error.start} is none"
    return f"cannot be read: {error.strerror}"


def _syntax_problem(error: tomllib.TOMLDecodeError, text: str) -> Problem:
    message = str(error)
    found = re.search(r" \(at (?:line (\d+), column \d+|end of document)\)$", message)
    if found is None:
        return Problem(None, "", f"not valid TOML: {message}")
    line = int(found[1]) if found[1] else len(text.splitlines())
    return Problem(line, "", f"not valid TOML: {message[: found.start()]}")


def _explain(
    detail: ErrorDetails, data: Mapping[str, Any], model: type[BaseModel], lines: Mapping[KeyPath, int]
) -> Problem:
    path, tables = _follow(detail, data, model)
    line = next((lines[path[:n]] for n in range(len(path), 0, -1) if path[:n] in lines), None)
    return Problem(line, _dotted(path), _advice(detail, path, tables, model))


def _advice(detail: ErrorDetails, path: KeyPath, tables: Sequence[type[BaseModel]], root: type[BaseModel]) -> str:
    kind, value, context = detail["type"], detail["input"], detail.get("ctx", {})
    if kind == "extra_forbidden":
        return f"no such key; {_nearest_key(str(path[-1]), tables, root)}"
    if kind == "missing":
        return "this is required"
    message = re.sub(r"^Input should be ", "expected ", detail["msg"].removeprefix("Value error, "))
    message = re.sub(r"^expected (greater|less) than", r"expected a value \1 than", message)
    expected = str(context.get("expected", ""))
    if kind == "union_tag_invalid":
        value, expected = context["tag"], context["expected_tags"]
        message = f"expected {context['discriminator']} to be one of {expected}"
    close = difflib.get_close_matches(str(value), re.findall(r"'([^']*)'", expected), n=1)
    came = "" if kind == "value_error" and isinstance(value, dict) else f"; got {_shown(value)}"
    return f"{message}{came}" + (f"; did you mean '{close[0]}'?" if close else "")


def _nearest_key(key: str, tables: Sequence[type[BaseModel]], root: type[BaseModel]) -> str:
    valid = sorted({name for table in tables for name in _fields(table)})
    if close := difflib.get_close_matches(key, valid, n=1):
        return f"did you mean '{close[0]}'?"
    if elsewhere := sorted({_dotted(table) for table, name in _all_keys(root) if name == key}):
        return f"it belongs in [{'] or ['.join(elsewhere)}]"
    return f"valid here: {', '.join(valid)}" if valid else "no keys are valid here"


def _follow(detail: ErrorDetails, data: Any, model: type[BaseModel]) -> tuple[KeyPath, list[type[BaseModel]]]:
    """Key path of an error in the file, and the models that describe the table of its last key.

    Pydantic puts names of union members between the keys. What the file does not hold is such a name, or a missing key.
    """
    loc = detail["loc"]
    path: KeyPath = ()
    kinds: list[Any] = [model]
    tables: list[type[BaseModel]] = []
    for position, item in enumerate(loc):
        is_last = position == len(loc) - 1
        if _holds(data, item) or (is_last and detail["type"] == "missing"):
            path = (*path, item)
            tables = [kind for kind in kinds if _is_model(kind)]
            data = data[item] if _holds(data, item) else None
            kinds = [plain for kind in kinds for below in _types_below(kind, item) for plain in _plain_types(below)]
        else:
            kinds = [kind for kind in kinds if _is_called(kind, item)] or kinds
    return path, tables


def _holds(data: Any, item: str | int) -> bool:
    if isinstance(data, dict):
        return item in data
    return isinstance(data, list) and isinstance(item, int) and item < len(data)


def _is_model(kind: Any) -> bool:
    return isinstance(kind, type) and issubclass(kind, BaseModel)


def _is_called(kind: Any, name: str | int) -> bool:
    """Whether pydantic calls this member of a union so: by its class, or by a tag that one of its fields allows."""
    if not _is_model(kind):
        return False
    return bool(kind.__name__ == name or any(name in get_args(field) for field in _fields(kind).values()))


def _plain_types(kind: Any) -> list[Any]:
    """The type without its annotations; the members of a union."""
    if get_origin(kind) is Annotated:
        return _plain_types(get_args(kind)[0])
    if get_origin(kind) in (Union, types.UnionType):
        return [plain for member in get_args(kind) for plain in _plain_types(member)]
    return [kind]


def _types_below(kind: Any, item: str | int) -> list[Any]:
    """Types that a plain type allows at one of its keys or positions."""
    if _is_model(kind):
        return [field for name, field in _fields(kind).items() if name == item]
    origin, inner = get_origin(kind), get_args(kind)
    if not isinstance(origin, type) or not inner:
        return []
    if issubclass(origin, Mapping):
        return [inner[1]]
    if origin is tuple and inner[-1] is not Ellipsis:
        return list(inner[item : item + 1]) if isinstance(item, int) else []
    return [inner[0]]


def _fields(model: type[BaseModel]) -> dict[str, Any]:
    """Type of each key, as the key is spelt in the file."""
    return {field.alias or name: field.annotation for name, field in model.model_fields.items()}


def _all_keys(kind: Any, table: KeyPath = (), above: tuple[Any, ...] = ()) -> Iterator[tuple[KeyPath, str]]:
    """Every table that the settings know, with each of its keys; ``*`` stands for a name that the file chooses."""
    for plain in _plain_types(kind):
        if _is_model(plain) and plain not in above:
            for name, field in _fields(plain).items():
                yield table, name
                yield from _all_keys(field, (*table, name), (*above, plain))
        elif get_origin(plain) and get_args(plain):
            inner = get_args(plain)[-1]
            is_named = issubclass(get_origin(plain), Mapping) if isinstance(get_origin(plain), type) else False
            yield from _all_keys(inner, (*table, "*") if is_named else table, above)


def _dotted(path: KeyPath) -> str:
    """The key as one writes it: ``normalize.steps[0].sigma_mm``."""
    text = ""
    for item in path:
        if isinstance(item, int):
            text += f"[{item}]"
        else:
            name = item if re.fullmatch(r"[A-Za-z0-9_*-]+", item) else json.dumps(item, ensure_ascii=False)
            text += f".{name}" if text else name
    return text


def _shown(value: Any) -> str:
    """A value as the file spells it, with what it is; tables and long texts are cut short."""
    if isinstance(value, dict):
        return "a table"
    if isinstance(value, list):
        return f"a list of {len(value)}"
    kind = {str: "text", bool: "boolean", int: "integer", float: "number"}.get(type(value), type(value).__name__)
    text = json.dumps(value, ensure_ascii=False, default=str)
    return f"{text if len(text) <= 60 else text[:57] + '…'} ({kind})"
