"""The Riesz transform (AYRS) of another filter's response, after the IBSI manual on filters (arXiv:2006.05470).

It asks for the direction of what the other filter finds. The standard has reference maps of three settings only (9.a,
9.b.1 and 10.b.1), and none of transforms that turn with the image's structure, which are not here.
"""

from __future__ import annotations

from functools import partial
from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from storage.volume import FloatArray, Triple
from tasks.imaging.filtering.filter import Filter
from tasks.imaging.filtering.spectral import multiplied, slice_by_slice
from tasks.imaging.filtering.transfers import riesz
from tasks.imaging.responses import log, simoncelli

Order = Annotated[int, Field(ge=0, le=8)]
REACH = 24
"""Voxels beyond which what lies outside of a response changes the transform by less than 1 % of its range."""


class Settings(Filter):
    """A derivative of some order of which only the direction is left.

    Attributes
    ----------
    order
        Along (z, y, x); along z it is 0 slice by slice.
    of
        The other filter: ``"log"`` with its ``sigma_mm``, or ``"simoncelli"`` with its ``level``.
    """

    name: Literal["riesz"] = "riesz"
    order: tuple[Order, Order, Order] = (0, 0, 1)
    of: Literal["log", "simoncelli"] = "log"
    sigma_mm: float = Field(3.0, gt=0)
    level: int = Field(1, ge=1, le=6)

    @model_validator(mode="after")
    def _some_direction(self) -> Self:
        if not any(self.order):
            raise ValueError("expected an order of 1 or more along some axis; got none")
        if self.slice_wise and self.order[0]:
            raise ValueError(f"expected order 0 along z where slices are filtered one by one; got {self.order[0]}")
        return self

    @property
    def label(self) -> str:
        """``riesz_0-0-1_log_3mm``."""
        scale = f"{self.sigma_mm:g}mm" if self.of == "log" else self.level
        return self.labelled("-".join(map(str, self.order)), self.of, scale)

    @property
    def least_voxels(self) -> int:
        """As many as the other filter needs."""
        return self._other().least_voxels

    def filtered(self, image: FloatArray, spacing_mm: Triple) -> FloatArray:
        """The transform, whose directions are those of the voxel grid."""
        response = self._other().filtered(image, spacing_mm)
        multiply, order = (slice_by_slice, self.order[1:]) if self.slice_wise else (multiplied, self.order)
        return multiply(response, partial(riesz, order=order), REACH, self.boundary)

    def _other(self) -> Filter:
        if self.of == "log":
            return log.Settings(sigma_mm=self.sigma_mm, slice_wise=self.slice_wise, boundary=self.boundary)
        return simoncelli.Settings(level=self.level, slice_wise=self.slice_wise, boundary=self.boundary)
