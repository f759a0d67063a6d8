"""Settings of the stage *extract*: how regions are prepared, which families, and one block for each.

The blocks are made from the families' own files, so that a new family is one new file: ``[extract.haar_wavelet]`` in
the study file is checked by ``Settings`` of ``tasks/extract/families/haar_wavelet.py``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Self

from pydantic import Field, create_model, field_validator, model_validator

from tasks.extract.discretize import Discretization
from tasks.extract.grid import Interpolation
from tasks.extract.map_settings import MapSettings
from tasks.extract.registry import family_names, load_family
from tasks.extract.resegment import Resegmentation
from tasks.imaging.response import AnyFilter
from tasks.settings import StageSettings


class FamilyChoice(StageSettings):
    """What does not depend on which families exist.

    Attributes
    ----------
    families
        Names of the families to compute, in the order of the table's columns.
    interpolation, resegmentation, discretization
        How a region is prepared, in this order.
    filters
        Filters, on whose response maps the families are computed too, where they say something there.
    response_discretization
        Of response maps, which have no scale: a fixed number of bins.
    maps
        Feature maps to write beside the table.
    stability_regions
        Regions of each case, those of highest score, on which the features are tried out for the evidence of the
        study's data dictionary; 0 for none.
    """

    families: tuple[str, ...] = ("first_order", "shape", "haar_wavelet")
    interpolation: Interpolation = Interpolation()
    resegmentation: Resegmentation = Resegmentation()
    discretization: Discretization = Discretization()
    filters: tuple[AnyFilter, ...] = ()
    response_discretization: Discretization = Discretization()
    maps: MapSettings = MapSettings()
    stability_regions: int = Field(1, ge=0)

    @field_validator("families")
    @classmethod
    def _known_once(cls, names: tuple[str, ...]) -> tuple[str, ...]:
        for name in names:
            load_family(name)
        if not names or len(set(names)) != len(names):
            raise ValueError(f"expected each family once and at least one; got {', '.join(names) or 'none'}")
        return names

    @field_validator("filters")
    @classmethod
    def _each_once(cls, chosen: tuple[AnyFilter, ...]) -> tuple[AnyFilter, ...]:
        labels = [one.label for one in chosen]
        if len(set(labels)) != len(labels):
            raise ValueError(f"expected each filter once; got {', '.join(labels)}")
        return chosen

    @model_validator(mode="after")
    def _first_bin(self) -> Self:
        if self.response_discretization.method != "fixed_bin_number":
            raise ValueError("a response map has no scale: its discretization must be of 'fixed_bin_number'")
        lowest = self.resegmentation.lowest
        for bins in (
            self.discretization,
            getattr(self.block("intensity_volume"), "discretization", self.discretization),
        ):
            if bins.lowest is not None and (lowest is None or lowest < bins.lowest):
                raise ValueError(
                    f"intensities below the first bin have no level: set resegmentation.lowest to {bins.lowest:g}"
                )
        return self

    def block(self, name: str) -> StageSettings:
        """Settings of one family."""
        block = getattr(self, name)
        if name not in family_names() or not isinstance(block, StageSettings):
            raise ValueError(f"{name!r} is no feature family; choices: {', '.join(family_names())}")
        return block

    def bins(self) -> Discretization:
        """Discretization of the image: bins of one size begin where re-segmentation does, unless they say otherwise."""
        chosen = self.discretization
        if chosen.method == "fixed_bin_size" and chosen.lowest is None:
            return chosen.model_copy(update={"lowest": self.resegmentation.lowest})
        return chosen


if TYPE_CHECKING:

    class Settings(FamilyChoice):
        """One block ``[extract]`` of the study file, with one block per family inside."""

else:
    _blocks = {name: (load_family(name).settings, load_family(name).settings()) for name in family_names()}
    Settings = create_model("Settings", __base__=FamilyChoice, __module__=__name__, **_blocks)
