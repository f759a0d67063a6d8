"""Feature families of pictures, found by name: each file of ``tasks/extract/picture_families`` is one.

A family's module has

- ``Settings``: its options, a `StageSettings` that has a default for every field;
- ``features(settings) -> dict[str, FeatureInfo]`` or a constant ``FEATURES`` of that type: its columns in their order;
- ``compute(original, framed, settings) -> dict[str, float]``: their values, NaN where one is not defined for this
  picture. *Original* is the picture as it was decoded, uint8 RGB ``(height, width, 3)``; *framed* the same after
  `tasks.imaging.picture_frame.frame_picture`, uint8 RGB ``(side, side, 3)``.

A family knows one picture alone: what must be learned from many belongs into a model.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from typing import Any

from tasks.discover import part, part_names
from tasks.extract.family_module import family_facts
from tasks.extract.feature import FeatureInfo
from tasks.imaging.picture_frame import Pixels
from tasks.settings import StageSettings

PICTURE_FAMILIES = "tasks.extract.picture_families"


@dataclass(frozen=True)
class PictureFamily:
    """A feature family: the contents of its module, see there; ``says`` is what its first line says of it."""

    name: str
    module: str
    says: str
    settings: type[StageSettings]
    features: Callable[[Any], dict[str, FeatureInfo]]
    compute: Callable[[Pixels, Pixels, Any], dict[str, float]]


def picture_family_names() -> tuple[str, ...]:
    """Names of all families, sorted."""
    return part_names(PICTURE_FAMILIES)


@cache
def load_picture_family(name: str) -> PictureFamily:
    """The family of this name.

    Raises
    ------
    ValueError
        Naming the choices, when there is no such family; naming what lacks, when its module is none.
    """
    return PictureFamily(**family_facts(part(PICTURE_FAMILIES, name), of=" of pictures"))
