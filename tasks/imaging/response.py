"""Filters whose response maps features are computed on: chapter 2 of the IBSI.

They are kept apart from the operations of normalize (:mod:`tasks.imaging.step`): those make an image that people can
read, in its unit; these answer a question of the standard, with its kernels, borders and pooling, in arbitrary units. A
filter is one file of ``tasks/imaging/responses`` with a class ``Settings(Filter)`` that gives it a name.

References
----------
Whybra et al. 2024, doi:10.1148/radiol.231319; the manual, arXiv:2006.05470
"""

from __future__ import annotations

import importlib
import pkgutil
from abc import ABC, abstractmethod
from functools import cache
from typing import TYPE_CHECKING, Annotated, Any, Literal, Union

from pydantic import Field

from storage.volume import FloatArray, Triple
from tasks.settings import StageSettings

FOLDER = "tasks.imaging.responses"
Boundary = Literal["zero", "nearest", "periodic", "mirror"]
"""What lies outside of an image: zeros, the border's voxels, the image again, the image mirrored at its faces."""


class Filter(StageSettings, ABC):
    """One filter: a block ``[[extract.filters]]``. A subclass is called ``Settings`` and gives ``name`` as default.

    Attributes
    ----------
    slice_wise
        Whether each slice is filtered by itself, in two dimensions.
    boundary
        What lies outside of the image.
    """

    name: str = ""
    slice_wise: bool = False
    boundary: Boundary = "mirror"

    @property
    @abstractmethod
    def label(self) -> str:
        """First part of the names of the features on its response; other settings, another label: ``log_3mm``."""

    @abstractmethod
    def respond(self, image: FloatArray, spacing_mm: Triple) -> FloatArray:
        """The response map of a whole image.

        Parameters
        ----------
        image
            ``(z, y, x)``, finite.
        spacing_mm
            Voxel spacing ``(z, y, x)`` in mm.

        Returns
        -------
        numpy.ndarray
            float32 of the same shape, float64 of float64.

        Raises
        ------
        ValueError
            When the image is too small, or its voxels are not what the filter needs.
        """


@cache
def filters() -> dict[str, type[Filter]]:
    """Every filter by name. ``TypeError`` when a file has no ``Settings(Filter)`` that bears its name."""
    found: dict[str, type[Filter]] = {}
    package: Any = importlib.import_module(FOLDER)
    for module in sorted(pkgutil.iter_modules(package.__path__), key=lambda m: m.name):
        kind = getattr(importlib.import_module(f"{FOLDER}.{module.name}"), "Settings", None)
        if not (isinstance(kind, type) and issubclass(kind, Filter)):
            raise TypeError(f"{FOLDER}.{module.name}: expected a class Settings(Filter)")
        if kind.model_fields["name"].default != module.name:
            raise TypeError(f"{FOLDER}.{module.name}: expected name = {module.name!r}")
        found[module.name] = kind
    return found


if TYPE_CHECKING:
    AnyFilter = Filter
else:
    AnyFilter = Annotated[Union[tuple(filters().values())], Field(discriminator="name")]  # noqa: UP007 - made at run time
