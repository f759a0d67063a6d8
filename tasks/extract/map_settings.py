"""Settings of feature maps, and which maps there are; see :mod:`tasks.extract.maps`."""

from __future__ import annotations

from pydantic import Field, field_validator

from tasks.extract.families import glcm
from tasks.settings import StageSettings

STATISTICS = tuple(
    f"first_order.{name}"
    for name in ("mean", "variance", "skewness", "kurtosis", "median", "minimum", "maximum", "entropy")
)
"""Maps of the intensities, in the order of their kernel."""
CO_OCCURRENCE = tuple(f"glcm.{name}" for name in glcm.KNOWN)
"""Maps of the levels, in the order of their kernel."""


class MapSettings(StageSettings):
    """Which maps: the block ``[extract.maps]``.

    Attributes
    ----------
    names
        Of ``STATISTICS`` and ``CO_OCCURRENCE``; the default is none.
    radius
        Voxels from the middle of a neighbourhood to its faces.
    masked
        Whether only voxels of the mask count in a neighbourhood. ``False``: all of the image do, and levels are those
        of the whole image.
    """

    names: tuple[str, ...] = ()
    radius: int = Field(1, ge=1, le=5)
    masked: bool = True

    @field_validator("names")
    @classmethod
    def _known_once(cls, names: tuple[str, ...]) -> tuple[str, ...]:
        known = STATISTICS + CO_OCCURRENCE
        if unknown := [name for name in names if name not in known]:
            raise ValueError(f"no map {', '.join(unknown)}; choose from: {', '.join(known)}")
        if len(set(names)) != len(names):
            raise ValueError(f"expected each map once; got {', '.join(names)}")
        return names
