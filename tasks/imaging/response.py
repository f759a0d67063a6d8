"""Filters whose response maps features are computed on: chapter 2 of the IBSI.

A filter is one file of ``tasks/imaging/responses`` with a class ``Settings(Filter)`` that gives it a name; see
:mod:`tasks.imaging.filtering.filter`.
"""

from __future__ import annotations

import importlib
import pkgutil
from functools import cache
from typing import TYPE_CHECKING, Annotated, Any, Union

from pydantic import Field

from tasks.imaging.filtering.filter import Filter

FOLDER = "tasks.imaging.responses"


@cache
def filters() -> dict[str, type[Filter]]:
    """Every filter by name. ``TypeError`` when a file has no ``Settings(Filter)`` that bears its name."""
    found: dict[str, type[Filter]] = {}
    package: Any = importlib.import_module(FOLDER)
    for module in sorted(pkgutil.iter_modules(package.__path__), key=lambda m: m.name):
        kind = getattr(importlib.import_module(f"{FOLDER}.{module.name}"), "Settings", None)
        if not (isinstance(kind, type) and issubclass(kind, Filter)):
            raise TypeError(f"{FOLDER}.{module.name}: expected a class Settings(Filter)")
        if kind.model_fields["name"].default != module.name:
            raise TypeError(f"{FOLDER}.{module.name}: expected name = {module.name!r}")
        found[module.name] = kind
    return found


if TYPE_CHECKING:
    AnyFilter = Filter
else:
    AnyFilter = Annotated[Union[tuple(filters().values())], Field(discriminator="name")]  # noqa: UP007 - made at run time
