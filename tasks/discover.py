"""Parts found by name: every file of a folder of parts (models, feature families) is one part, named as the file."""

from __future__ import annotations

import importlib
import pkgutil
from types import ModuleType


def part_names(package: str) -> tuple[str, ...]:
    """Names of the parts in a package, sorted, e.g. ``part_names("tasks.models")``."""
    folder = importlib.import_module(package)
    return tuple(sorted(module.name for module in pkgutil.iter_modules(folder.__path__)))


def part(package: str, name: str) -> ModuleType:
    """The part of this name.

    Raises
    ------
    ValueError
        For an unknown name, listing the choices.
    """
    names = part_names(package)
    if name not in names:
        raise ValueError(f"no '{name}' in {package}; choose from: {', '.join(names)}")
    return importlib.import_module(f"{package}.{name}")
