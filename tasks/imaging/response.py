"""Filters whose response maps features are computed on: chapter 2 of the IBSI.

A filter is one file of ``tasks/imaging/responses`` with a class ``Settings(Filter)`` that gives it a name; see
:mod:`tasks.imaging.filtering.filter`.
"""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Annotated, Union

from pydantic import Field

from tasks.discover import settings_by_name
from tasks.imaging.filtering.filter import Filter

FOLDER = "tasks.imaging.responses"


@cache
def filters() -> dict[str, type[Filter]]:
    """Every filter by name. ``TypeError`` when a file has no ``Settings(Filter)`` that bears its name."""
    found: dict[str, type[Filter]] = settings_by_name(FOLDER, Filter)
    return found


if TYPE_CHECKING:
    AnyFilter = Filter
else:
    AnyFilter = Annotated[Union[tuple(filters().values())], Field(discriminator="name")]  # noqa: UP007 - made at run time
