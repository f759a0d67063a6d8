"""Parts found by name: every file of a folder of parts (models, feature families) is one part, named as the file."""

from __future__ import annotations

import importlib
import pkgutil
from types import ModuleType

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


def _files(package: str) -> list[str]:
    """Names of its modules; a folder in it holds what parts are built from, and is none itself."""
    folder = importlib.import_module(package)
    return sorted(module.name for module in pkgutil.iter_modules(folder.__path__) if not module.ispkg)


PIPELINES = tuple(f"{MODELS}.{name}" for name in part_names(MODELS, with_function="build"))
ON_PICTURES = tuple(f"{MODELS}.{name}" for name in part_names(MODELS, with_function="build_on_pictures"))
NETWORKS = tuple(f"{MODELS}.{name}" for name in part_names(MODELS, with_function="build_network"))
SEGMENTERS = tuple(f"{MODELS}.{name}" for name in part_names(MODELS, with_function="build_segmenter"))
"""Modules of the kinds of models: whatever trains or applies one of a kind stands on the source of all of them."""
PATCH_NETWORKS = part_names(MODELS, with_function="build_patch_network")
PATCH_LEARNERS = part_names(MODELS, with_function="learn_on_patches")
"""Names of the models that look at patches: networks, and those that learn by themselves."""
