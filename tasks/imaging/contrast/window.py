"""Window and level: the part of the scale that is looked at, as a radiologist sets it (DICOM PS3.3 C.11.2.1.2)."""

from __future__ import annotations

from typing import Literal, get_args

import numpy as np
from pydantic import Field, model_validator

from tasks.imaging.step import Array, Kind, Step, View, floating

Preset = Literal[
    "abdomen", "angiography", "bone", "brain", "liver", "lung", "mediastinum", "spine", "stroke", "subdural"
]
LEVEL_WIDTH: dict[Preset, tuple[float, float]] = {
    "abdomen": (40.0, 400.0),
    "angiography": (300.0, 600.0),
    "bone": (400.0, 1800.0),
    "brain": (40.0, 80.0),
    "liver": (60.0, 160.0),
    "lung": (-600.0, 1500.0),
    "mediastinum": (50.0, 350.0),
    "spine": (50.0, 250.0),
    "stroke": (40.0, 40.0),
    "subdural": (75.0, 215.0),
}
"""Centre and width in HU, as they are usual at workstations; hospitals differ by some tens of HU."""


def window(
    array: Array, *, level: float, width: float, top: float = 1.0, function: Literal["linear", "exact"] = "linear"
) -> Array:
    """Map a window of intensities to ``0 … top``; what is below or above becomes 0 or ``top``.

    Parameters
    ----------
    level, width
        Centre and width of the window, in the unit of the image.
    top
        Value of what is brightest.
    function
        ``linear``: DICOM's LINEAR, made for whole numbers: of a width w the first and the last of w values become 0 and
        ``top``; w is 1 at least. ``exact``: DICOM's LINEAR_EXACT, the plain line through ``level ± width / 2``.

    Returns
    -------
    numpy.ndarray
        float32, or float64 of float64.

    Raises
    ------
    ValueError
        When the width is too small for the function.
    """
    if width < 1 if function == "linear" else width <= 0:
        raise ValueError(f"expected a window at least 1 wide, or above 0 where exact; got {width:g}")
    values = floating(array)
    centre, span = (level - 0.5, width - 1) if function == "linear" else (level, width)
    if span == 0:  # DICOM: a threshold
        return np.where(values > centre, top, 0).astype(values.dtype)
    return np.asarray(np.clip((values - centre) / span + 0.5, 0, 1) * top, dtype=values.dtype)


class Settings(Step):
    """A window by name, or by level and width.

    Attributes
    ----------
    preset
        For CT. Not used where ``level`` and ``width`` are given.
    level, width
        In the unit of the image; both or none.
    top
        Of the result, which begins at 0.
    function
        As in :func:`window`; ``exact`` for SUV and other scales where 1 is much.
    """

    name: Literal["window"] = "window"
    kinds = frozenset[Kind]({"2-D", "3-D"})
    preset: Preset = "abdomen"
    level: float | None = None
    width: float | None = Field(default=None, gt=0)
    top: Literal[1, 255] = 1
    function: Literal["linear", "exact"] = "linear"

    @model_validator(mode="after")
    def _complete(self) -> Settings:
        if (self.level is None) != (self.width is None):
            raise ValueError(f"expected level and width together, or one of {', '.join(get_args(Preset))}")
        if self.function == "linear" and self.width is not None and self.width < 1:
            raise ValueError(f"expected a width of 1 at least, or function = 'exact'; got {self.width:g}")
        return self

    def apply(self, block: Array, view: View) -> Array:
        """Map the block."""
        del view
        level, width = LEVEL_WIDTH[self.preset]
        if self.level is not None and self.width is not None:
            level, width = self.level, self.width
        return window(block, level=level, width=width, top=float(self.top), function=self.function)

    def unit_after(self, unit: str) -> str:
        """From 0 to ``top``."""
        del unit
        return "share" if self.top == 1 else "grey" if self.top == 255 else "arbitrary"
