"""Where a number comes from: the code and the libraries that made it."""

from __future__ import annotations

import ast
import hashlib
import platform
from functools import cache
from importlib.metadata import version
from pathlib import Path

CHECKOUT = Path(__file__).parents[1]
SHARED_ROOMS = ("tasks.", "storage.volume", "storage.finding", "storage.ome_zarr")
"""Our own modules whose source is part of a key, where a stage imports them."""


@cache
def library_versions(*names: str) -> dict[str, str]:
    """Installed version of each distribution, and of Python."""
    return {"python": platform.python_version(), **{name: version(name) for name in names}}


@cache
def source_digest(*places: str) -> str:
    """Hex SHA-256 of the source files of modules or packages and of everything of ours that they import.

    Parameters
    ----------
    places
        Dotted names below the checkout, e.g. ``"tasks.normalize"`` (a package: all its files) or
        ``"tasks.imaging.resample"``.

    Raises
    ------
    ValueError
        When a name is neither a module nor a package of the checkout.
    """
    seen: dict[str, str] = {}
    waiting = [path for place in places for path in _files(place)]
    while waiting:
        path = waiting.pop()
        name = path.relative_to(CHECKOUT).as_posix()
        if name in seen:
            continue
        seen[name], imported = _digest_and_imports(path)
        waiting += imported
    return hashlib.sha256("\n".join(f"{name} {seen[name]}" for name in sorted(seen)).encode()).hexdigest()


@cache
def _digest_and_imports(path: Path) -> tuple[str, list[Path]]:
    """SHA-256 of a source file, and the files of ours that it imports."""
    source = path.read_bytes()
    modules = _imports(source) if path.suffix == ".py" else []
    return hashlib.sha256(source).hexdigest(), [file for module in modules for file in _module_files(module)]


def _files(place: str) -> list[Path]:
    folder = CHECKOUT / place.replace(".", "/")
    if folder.is_dir():
        return sorted(path for path in folder.rglob("*") if path.is_file() and "__pycache__" not in path.parts)
    found = _module_files(place)
    if not found:
        raise ValueError(f"'{place}' is neither a module nor a package of this checkout")
    return found


def _module_files(module: str) -> list[Path]:
    path = CHECKOUT / (module.replace(".", "/") + ".py")
    return [path] if path.is_file() else []


def _imports(source: bytes) -> list[str]:
    """Our own modules that a source imports; ``from tasks.imaging import resample`` names a module too."""
    names: list[str] = []
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            names += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module:
            names += [node.module, *(f"{node.module}.{alias.name}" for alias in node.names)]
    return [name for name in names if name.startswith(SHARED_ROOMS)]
