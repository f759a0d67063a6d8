"""The features of one region: each family asked in turn, and its answer checked.

A value that is not defined for a region is NaN; :func:`why_undefined` says why. A family that returns other names than
it declares, or an infinite value, is a defect and raises.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import replace
from typing import TYPE_CHECKING

from storage.volume import FloatArray, Triple, Volume
from tasks.extract.feature import FeatureInfo
from tasks.extract.grid import Grid
from tasks.extract.region import RESPONSE, Region, widened
from tasks.extract.registry import Family, load_family
from tasks.extract.resegment import resegment
from tasks.extract.surroundings import Scene
from tasks.imaging.morphology import BoolArray, Box
from tasks.imaging.step import floating
from tasks.settings import StageSettings

if TYPE_CHECKING:
    from tasks.extract.settings import Settings

Chosen = tuple[tuple[Family, StageSettings], ...]
NAN = float("nan")


class Describer:
    """Describes regions of one image; ``scene`` is for families that ask for surroundings, and else ``None``.

    Attributes
    ----------
    columns
        ``family.feature``, or ``filter.family.feature`` of a response map, each with what is known about it.
    """

    def __init__(self, image: Volume, settings: Settings, scene: Scene | None = None) -> None:
        self.settings = settings
        self.grid = Grid(image, settings.interpolation)
        self.columns = columns(settings)
        self._families = chosen(settings)
        self._scene = scene
        self._bins = settings.bins()

    def region(self, box: Box, mask: BoolArray) -> tuple[Region, Box]:
        """A region with the surroundings that the families look at, and where it lies on the grid of the features.

        Parameters
        ----------
        box, mask
            Box in the image, and mask in that box; it may be empty.
        """
        tight, inside = self.grid.mask(box, mask)
        outer = widened(tight, self._margin_mm(tight), self.grid.shape, self.grid.spacing_mm)
        full = _placed(inside, tight, outer)
        image = self.grid.image(outer)
        chosen = self.settings.resegmentation
        counted, limits = resegment(image, full, chosen), (chosen.lowest, chosen.highest)
        unit = self.grid.original.unit
        around = self._scene.around(box, mask) if self._scene else None
        return Region(image, full, self.grid.spacing_mm, unit, counted, self._bins, limits, around), outer

    def describe(self, region: Region, outer: Box) -> dict[str, float]:
        """All features of a region by the names of ``columns``; ``outer`` is where it lies on the grid."""
        return self.describe_all([(region, outer)])[0]

    def describe_all(self, placed: Iterable[tuple[Region, Box]]) -> list[dict[str, float]]:
        """The same of many regions. Of the filters' response maps one is held in memory at a time."""
        found, kept = [], []
        for region, outer in placed:
            found.append(features_of(region, self._families))
            kept += [(replace(region, _made={}), outer)] if self.settings.filters else []
        for one in self.settings.filters:
            response = one.respond(floating(self.grid.whole), self.grid.spacing_mm)
            for row, (region, outer) in zip(found, kept, strict=True):
                values = features_of(self._seen(region, response[outer]), of_responses(self._families))
                row |= {f"{one.label}.{name}": value for name, value in values.items()}
        return found

    def _seen(self, region: Region, response: FloatArray) -> Region:
        """A region as it is on a response map, which has neither a scale nor limits."""
        bins = self.settings.response_discretization
        return replace(region, image=response, unit=RESPONSE, discretization=bins, limits=(None, None), _made={})

    def _margin_mm(self, box: Box) -> Triple:
        z, y, x = ((side.stop - side.start) * s for side, s in zip(box, self.grid.spacing_mm, strict=True))
        wanted = [family.margin_mm((z, y, x), block) for family, block in self._families]
        return max(m[0] for m in wanted), max(m[1] for m in wanted), max(m[2] for m in wanted)


def chosen(settings: Settings) -> Chosen:
    """The families that the settings name, each with its block."""
    return tuple((load_family(name), settings.block(name)) for name in settings.families)


def asks_for_surroundings(settings: Settings) -> bool:
    """Whether a chosen family looks at where a region lies and what lies beside it."""
    return any(family.of_surroundings for family, _ in chosen(settings))


def of_responses(families: Chosen) -> Chosen:
    """Those that say something on the response map of a filter."""
    return tuple((family, block) for family, block in families if family.of_responses)


def columns(settings: Settings) -> dict[str, FeatureInfo]:
    """What each feature is, in the order of the table's columns."""
    families = chosen(settings)
    infos = {f"{f.name}.{name}": info for f, block in families for name, info in f.features(block).items()}
    for one in settings.filters:
        for family, block in of_responses(families):
            infos |= {f"{one.label}.{family.name}.{name}": info for name, info in family.features(block).items()}
    return infos


def features_of(region: Region, families: Chosen) -> dict[str, float]:
    """Values of the families' features by ``family.feature``.

    Raises
    ------
    ValueError
        When a family returns other names than it declares, or an infinite value.
    """
    found: dict[str, float] = {}
    some, counted = bool(region.mask.any()), bool(region.values.size)
    for family, block in families:
        expected = list(family.features(block))
        if some and (counted or family.of_the_mask):
            values = family.compute(region, block)
        else:
            values = dict.fromkeys(expected, NAN)
        if list(values) != expected:
            raise ValueError(f"family {family.name!r} declares {expected} and returned {list(values)}")
        if infinite := [name for name, value in values.items() if math.isinf(value)]:
            raise ValueError(
                f"family {family.name!r} returned infinite values for {', '.join(infinite)}; expected finite or NaN"
            )
        found |= {f"{family.name}.{name}": value for name, value in values.items()}
    return found


def why_undefined(region: Region, info: FeatureInfo) -> str:
    """Why a feature that is NaN is not defined for a region."""
    if not region.mask.any():
        return "the mask is empty"
    if not region.values.size:
        return "re-segmentation has left no intensity"
    return info.nan_when or "not defined for this region"


def _placed(mask: BoolArray, box: Box, outer: Box) -> BoolArray:
    import numpy as np

    full = np.zeros(tuple(side.stop - side.start for side in outer), dtype=bool)
    full[tuple(slice(b.start - o.start, b.stop - o.start) for b, o in zip(box, outer, strict=True))] = mask
    return full
