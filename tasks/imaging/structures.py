"""Structures in a label map: an anatomical part each, by name and by the value that its voxels have.

A study says which values stand for what. Networks and metrics count *classes* instead: 0 is the background, 1 … the
structures in the order of their values.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any

import numpy as np
import numpy.typing as npt
from pydantic import AfterValidator, Field, StringConstraints

WHOLE = "whole"
"""All structures together."""

Name = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_]{0,39}$")]
LabelValue = Annotated[int, Field(ge=1, le=65535)]
ClassMap = npt.NDArray[np.uint8]


def _distinct(structures: Mapping[str, int]) -> Mapping[str, int]:
    if WHOLE in structures:
        raise ValueError(f"'{WHOLE}' is what all structures together are called; name the structure otherwise")
    if len(set(structures.values())) < len(structures):
        raise ValueError(f"expected another value for each structure; got {dict(structures)}")
    return dict(sorted(structures.items(), key=lambda item: item[1]))


Structures = Annotated[dict[Name, LabelValue], Field(min_length=1, max_length=250), AfterValidator(_distinct)]
"""Value by name, in the order of the values."""


def to_classes(labels: npt.NDArray[Any], structures: Mapping[str, int]) -> ClassMap:
    """Class of each voxel of a label map.

    Raises
    ------
    ValueError
        When a voxel is none of the structures and no background, naming such values.
    """
    values = np.array([0, *structures.values()])
    unknown = np.setdiff1d(np.unique(labels), values)
    if unknown.size:
        shown = ", ".join(f"{value:g}" for value in unknown[:8]) + (", …" if unknown.size > 8 else "")
        raise ValueError(f"the label map has the values {shown}; expected {', '.join(map(str, values))}")
    return np.searchsorted(values, labels).astype(np.uint8)


def to_labels(classes: ClassMap, structures: Mapping[str, int]) -> npt.NDArray[np.uint16]:
    """The label map of a class map, the inverse of `to_classes`."""
    return np.array([0, *structures.values()], dtype=np.uint16)[classes]


def masks_of(classes: ClassMap, structures: Mapping[str, int]) -> dict[str, npt.NDArray[np.bool_]]:
    """Mask of all structures together, called ``WHOLE``, and of each; the former only where there are several."""
    parts = {name: np.asarray(classes == number) for number, name in enumerate(structures, start=1)}
    return {WHOLE: np.asarray(classes > 0)} | (parts if len(parts) > 1 else {})
