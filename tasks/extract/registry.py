"""Feature families, found by name: each file of ``tasks/extract/families`` is one.

A family's module has

- ``Settings``: its options, a `StageSettings` that has a default for every field;
- ``features(settings) -> dict[str, FeatureInfo]`` or a constant ``FEATURES`` of that type: its features in their order;
- ``compute(region, settings) -> dict[str, float]``: their values, NaN where a value is not defined for this region;
- where it looks at the surroundings, ``margin_mm(extent_mm, settings) -> Triple``: how much of them, given the size of
  the candidate's box;
- ``OF_THE_MASK = True`` where it can do without intensities: it is called even if re-segmentation has left none. All
  others are given at least one intensity;
- ``OF_RESPONSES = False`` where it says nothing on the response map of a filter;
- ``OF_SURROUNDINGS = True`` where it asks for the region's surroundings (:mod:`tasks.extract.surroundings`);
- ``LIBRARIES``: names of the packages that its numbers come from, where no other family needs them.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from typing import Any

from storage.volume import Triple
from tasks.discover import part, part_names
from tasks.extract.family_module import family_facts
from tasks.extract.feature import FeatureInfo
from tasks.extract.region import Region
from tasks.settings import StageSettings

FAMILIES = "tasks.extract.families"


@dataclass(frozen=True)
class Family:
    """A feature family: the contents of its module, see there; ``says`` is what its first line says of it."""

    name: str
    module: str
    says: str
    settings: type[StageSettings]
    features: Callable[[Any], dict[str, FeatureInfo]]
    compute: Callable[[Region, Any], dict[str, float]]
    margin_mm: Callable[[Triple, Any], Triple]
    of_the_mask: bool
    of_responses: bool
    of_surroundings: bool
    libraries: tuple[str, ...]


def family_names() -> tuple[str, ...]:
    """Names of all families, sorted."""
    return part_names(FAMILIES)


@cache
def load_family(name: str) -> Family:
    """The family of this name.

    Raises
    ------
    ValueError
        Naming the choices, when there is no such family; naming what lacks, when its module is none.
    """
    module = part(FAMILIES, name)
    return Family(
        **family_facts(module),
        margin_mm=getattr(module, "margin_mm", lambda _extent_mm, _settings: (0.0, 0.0, 0.0)),
        of_the_mask=getattr(module, "OF_THE_MASK", False),
        of_responses=getattr(module, "OF_RESPONSES", True),
        of_surroundings=getattr(module, "OF_SURROUNDINGS", False),
        libraries=getattr(module, "LIBRARIES", ()),
    )
