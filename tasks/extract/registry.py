"""Feature families, found by name: each file of ``tasks/extract/families`` is one.

A family's module has

- ``Settings``: its options, a `StageSettings` that has a default for every field;
- ``features(settings) -> dict[str, FeatureInfo]`` or a constant ``FEATURES`` of that type: its features in their order;
- ``compute(region, settings) -> dict[str, float]``: their values, NaN where a value is not defined for this region;
- where it looks at the surroundings, ``margin_mm(extent_mm, settings) -> Triple``: how much of them, given the size of
  the candidate's box.
"""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from typing import Any

from storage.volume import Triple
from tasks.extract import families
from tasks.extract.feature import FeatureInfo
from tasks.extract.region import Region
from tasks.settings import StageSettings


@dataclass(frozen=True)
class Family:
    """A feature family: the contents of its module, see there."""

    name: str
    settings: type[StageSettings]
    features: Callable[[Any], dict[str, FeatureInfo]]
    compute: Callable[[Region, Any], dict[str, float]]
    margin_mm: Callable[[Triple, Any], Triple]


def family_names() -> tuple[str, ...]:
    """Names of all families, sorted."""
    return tuple(sorted(module.name for module in pkgutil.iter_modules(families.__path__)))


@cache
def load_family(name: str) -> Family:
    """The family of this name.

    Raises
    ------
    ValueError
        Naming the choices, when there is no such family; naming what lacks, when its module is none.
    """
    if name not in family_names():
        raise ValueError(f"unknown feature family {name!r}; choices: {', '.join(family_names())}")
    module = importlib.import_module(f"{families.__name__}.{name}")
    missing = [part for part in ("Settings", "compute") if not hasattr(module, part)]
    if not hasattr(module, "features") and not hasattr(module, "FEATURES"):
        missing.append("FEATURES")
    if missing:
        raise ValueError(f"feature family {name!r} lacks {', '.join(missing)}")
    constant = getattr(module, "FEATURES", {})
    return Family(
        name=name,
        settings=module.Settings,
        features=getattr(module, "features", lambda _settings: dict(constant)),
        compute=module.compute,
        margin_mm=getattr(module, "margin_mm", lambda _extent_mm, _settings: (0.0, 0.0, 0.0)),
    )
