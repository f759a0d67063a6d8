"""Aggregation: from the matrices of slices and directions to one value, section 3.6 of the IBSI manual.

Matrices are counted in slices (planes of axis z) or in the volume. They are *merged* by adding up their counts; a
feature of those that remain is *averaged*. A matrix without a count, as of a slice without voxels, is none; one on
which a feature is not defined does not take part in its average.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Annotated, Any, Literal

import numpy as np
from pydantic import AfterValidator, Field

from storage.volume import FloatArray
from tasks.extract.feature import FeatureInfo


@dataclass(frozen=True)
class Aggregation:
    """One way to aggregate.

    Attributes
    ----------
    words
        Said of a feature.
    planar
        Matrices are of slices, not of the volume.
    by_slice, by_direction
        These are kept apart, and the features averaged; otherwise they are merged.
    """

    words: str
    planar: bool = False
    by_slice: bool = False
    by_direction: bool = False


AGGREGATIONS = {
    "2D_avg": Aggregation("mean over slices and their directions", planar=True, by_slice=True, by_direction=True),
    "2D_comb": Aggregation("directions merged, mean over slices", planar=True, by_slice=True),
    "2_5D_avg": Aggregation("slices merged, mean over their directions", planar=True, by_direction=True),
    "2_5D_comb": Aggregation("slices and their directions merged", planar=True),
    "3D_avg": Aggregation("mean over directions in the volume", by_direction=True),
    "3D_comb": Aggregation("directions in the volume merged"),
    "2D": Aggregation("mean over slices", planar=True, by_slice=True),
    "2_5D": Aggregation("slices merged", planar=True),
    "3D": Aggregation("in the volume"),
}
"""By the names in the standard's tables of reference values; their codes are BTW3, SUJT, JJUI, ZW7Z, ITBB, IAZD for
matrices of directions, and 8QNN, 62GR, KOBO for others."""


def _each_once(names: tuple[str, ...]) -> tuple[str, ...]:
    if len(set(names)) != len(names):
        raise ValueError(f"expected each aggregation once; got {', '.join(names)}")
    return names


OfDirections = Annotated[
    tuple[Literal["2D_avg", "2D_comb", "2_5D_avg", "2_5D_comb", "3D_avg", "3D_comb"], ...],
    Field(min_length=1),
    AfterValidator(_each_once),
]
OfNeighbourhoods = Annotated[tuple[Literal["2D", "2_5D", "3D"], ...], Field(min_length=1), AfterValidator(_each_once)]

Known = Mapping[str, tuple[str, str, str]]
"""Code, tag without aggregation, and description without full stop, by a feature's name without aggregation."""


def infos(
    known: Known, aggregations: Iterable[str], undefined: Mapping[str, str] | None = None
) -> dict[str, FeatureInfo]:
    """What is known of features under each aggregation, by their whole names: ``contrast_3D_comb``.

    Parameters
    ----------
    known
        The features.
    aggregations
        Names of ``AGGREGATIONS``.
    undefined
        When features are not defined, by the names in ``known``.
    """
    return {
        f"{name}_{kind}": FeatureInfo(
            code, "1", f"{text}; {AGGREGATIONS[kind].words}.", f"{tag}_{kind}", (undefined or {}).get(name, "")
        )
        for kind in aggregations
        for name, (code, tag, text) in known.items()
    }


def averaged(features: Mapping[str, FloatArray], aggregation: str) -> dict[str, float]:
    """Mean of each feature over the matrices on which it is defined, NaN where there is none, by its whole name."""
    values = np.array(list(features.values()), dtype=np.float64)
    defined = ~np.isnan(values)
    sums, counts = np.where(defined, values, 0.0).sum(axis=1), defined.sum(axis=1)
    means: list[Any] = np.where(counts > 0, sums / np.maximum(counts, 1), np.nan).tolist()
    return {f"{name}_{aggregation}": mean for name, mean in zip(features, means, strict=True)}
