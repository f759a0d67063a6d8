"""Parts found by name: every file of a folder of parts (models, feature families, filters) is one part, named as it."""

from __future__ import annotations

import importlib
import pkgutil
from types import ModuleType
from typing import Any

from tasks.settings import StageSettings

MODELS = "tasks.models"
"""The package of models: each file has ``build`` (a pipeline on features) or ``build_network`` (on pictures)."""


def part_names(package: str, *, with_function: str | None = None) -> tuple[str, ...]:
    """Names of the parts in a package, sorted, e.g. ``part_names("tasks.models", with_function="build")``."""
    names = _files(package)
    return tuple(name for name in names if with_function is None or hasattr(part(package, name), with_function))


def part(package: str, name: str) -> ModuleType:
    """The part of this name.

    Raises
    ------
    ValueError
        For an unknown name, listing the choices.
    """
    if name not in (names := _files(package)):
        raise ValueError(f"no '{name}' in {package}; choose from: {', '.join(names)}")
    return importlib.import_module(f"{package}.{name}")


def settings_by_name(package: str, kind: type[StageSettings]) -> dict[str, Any]:
    """The class ``Settings(kind)`` of each part by the part's name, where a part is settings that can do something.

    Raises
    ------
    TypeError
        When a part has no such class, or one whose field ``name`` has another default than the part's name.
    """
    found: dict[str, Any] = {}
    for name in _files(package):
        settings = getattr(importlib.import_module(f"{package}.{name}"), "Settings", None)
        if not (isinstance(settings, type) and issubclass(settings, kind)):
            raise TypeError(f"{package}.{name}: expected a class Settings({kind.__name__})")
        if "name" in settings.model_fields and settings.model_fields["name"].default != name:
            raise TypeError(f"{package}.{name}: expected name = {name!r}")
        found[name] = settings
    return found


def _files(package: str) -> list[str]:
    """Names of its modules; a folder in it holds what parts are built from, and is none itself."""
    folder = importlib.import_module(package)
    return sorted(module.name for module in pkgutil.iter_modules(folder.__path__) if not module.ispkg)
