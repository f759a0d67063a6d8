"""Selectors of features, found by name: every file of ``tasks/selection`` is a :mod:`tasks.classical.selector`."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import TYPE_CHECKING, Annotated, Any, Union

from pydantic import Field

from tasks.classical.selector import Selector
from tasks.discover import settings_by_name

SELECTION = "tasks.selection"
"""The package of selectors."""


@cache
def selectors() -> dict[str, type[Selector]]:
    """Every selector by name. ``TypeError`` when a file has no ``Settings(Selector)`` that bears its name."""
    found: dict[str, type[Selector]] = settings_by_name(SELECTION, Selector)
    return found


SELECTORS = tuple(f"{SELECTION}.{name}" for name in selectors())
"""Modules of the selectors: whatever fits a pipeline stands on the source of all of them."""

if TYPE_CHECKING:
    AnySelector = Selector
else:
    AnySelector = Annotated[Union[tuple(selectors().values())], Field(discriminator="name")]  # noqa: UP007 - made at run time


def selector_of(options: Mapping[str, Any]) -> Selector:
    """The selector that these settings name."""
    return selectors()[options["name"]].model_validate(options)
