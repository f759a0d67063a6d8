"""The sources of the house, parsed once; and a way to parse a snippet as if it were one of them."""

from __future__ import annotations

import ast
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import pytest

CHECKOUT = Path(__file__).parents[2]
PACKAGES = ("flows", "tasks", "storage")


@dataclass(frozen=True)
class Source:
    """One file of product code."""

    path: Path  # relative to the checkout
    text: str

    @cached_property
    def tree(self) -> ast.Module:
        return ast.parse(self.text, str(self.path))

    @property
    def module(self) -> str:
        """Dotted name; a package goes by its folder."""
        parts = self.path.with_suffix("").parts
        return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)

    @cached_property
    def imported(self) -> list[tuple[int, str]]:
        """``(line, dotted name)`` of everything imported anywhere in the file, names of `from` imports included."""
        found = []
        for node in ast.walk(self.tree):
            if isinstance(node, ast.Import):
                found += [(node.lineno, alias.name) for alias in node.names]
            elif isinstance(node, ast.ImportFrom):
                origin = "." * node.level + (node.module or "")
                found += [(node.lineno, f"{origin}.{alias.name}") for alias in node.names]
        return found


@pytest.fixture(scope="session")
def sources() -> list[Source]:
    """Every Python file of the packages."""
    paths = sorted(path for package in PACKAGES for path in (CHECKOUT / package).rglob("*.py"))
    return [Source(path.relative_to(CHECKOUT), path.read_text(encoding="utf-8")) for path in paths]


@pytest.fixture(scope="session")
def snippet() -> Callable[..., Source]:
    """Parse a text as the file at a path."""
    return lambda path, text="": Source(Path(path), text)
