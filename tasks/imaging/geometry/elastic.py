"""The patient bent a little: smooth random displacements, and their inverse.

Displacements are a cubic B-spline through random vectors on a coarse grid of control points (the free-form deformation
of Rueckert et al. 1999, doi:10.1109/42.796284). Such a field folds nowhere when no vector is longer than 0.4 of the
distance between control points (Choi and Lee 2000, doi:10.1006/gmod.2000.0531), which the settings hold to.

Positions in mm are no longer true afterwards: for augmentation.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, ClassVar, Literal, Self

import numpy as np
from pydantic import Field, model_validator

from tasks.imaging.lines import spline_weights
from tasks.imaging.placement import Floats, Interpolation
from tasks.imaging.step import Array, Index, Spacing, Step, View

STEEPEST = 0.4
"""Longest displacement by the distance of control points at which the field folds nowhere."""


@dataclass(frozen=True, eq=False)
class Warp:
    """A field of displacements over an image.

    Attributes
    ----------
    vectors
        ``(n, …)``: coefficients of the B-spline in mm, for each of n spatial axes on the grid of control points. The
        first control point of an axis lies ``control_mm`` before its first voxel.
    control_mm
        Distance between control points.
    """

    vectors: Floats
    control_mm: float

    @classmethod
    def random(cls, shape: Index, *, spacing_mm: Spacing, control_mm: float, max_mm: float, seed: int) -> Warp:
        """A field for an image of this shape; no displacement is longer than ``max_mm``."""
        field_mm = (np.asarray(shape) - 1) * np.asarray(spacing_mm)
        count = np.floor(field_mm / control_mm).astype(int) + 4
        longest = max_mm / np.sqrt(len(shape))
        vectors = np.random.default_rng(seed).uniform(-longest, longest, (len(shape), *count))
        return cls(vectors, control_mm)

    def at(self, points_mm: Floats) -> Floats:
        """Displacements in mm ``(n, p)`` at points ``(n, p)`` in mm from the first voxel; beyond the grid its ends."""
        from tasks.imaging.kernels.resample import gather_cubic

        axes = len(self.vectors)
        shape = (1,) * (3 - axes) + self.vectors.shape[1:]
        where = np.zeros((3, points_mm.shape[1]))
        where[3 - axes :] = points_mm / self.control_mm + 1.0
        result = np.empty_like(points_mm)
        for axis in range(axes):
            gather_cubic(self.vectors[axis].reshape(shape), (0, 0, 0), shape, where, result[axis])
        return result

    def on_grid(self, *sides_mm: Floats) -> Floats:
        """What :meth:`at` gives, and sooner, on a regular grid with these coordinates along each axis: ``(n, …)``."""
        result = self.vectors
        for axis, side in enumerate(sides_mm, start=1):
            controls = np.arange(self.vectors.shape[axis])
            weights = spline_weights(np.abs(side[:, None] / self.control_mm + 1.0 - controls), "cubic")
            result = np.moveaxis(np.tensordot(weights, result, (1, axis)), 0, axis)
        return result


def inverse_displacement(
    displacement: Callable[[Floats], Floats], points: Floats, *, tolerance: float = 1e-6, most: int = 100
) -> Floats:
    """Displacements that undo a field: ``v(y) = -u(y + v(y))``, by fixed-point iteration.

    Parameters
    ----------
    displacement
        ``u``: gives vectors ``(n, p)`` at points ``(n, p)``, both in one unit. The iteration converges where ``u``
        changes by less than the distance walked.
    points
        ``y``, ``(n, p)``.
    tolerance
        The iteration ends when no vector changes by more, in the same unit.

    Raises
    ------
    ValueError
        When it has not ended after ``most`` steps.

    References
    ----------
    Chen et al. 2008, doi:10.1118/1.2837287.
    """
    inverse = -displacement(points)
    for _ in range(most):
        better = -displacement(points + inverse)
        change = float(np.abs(better - inverse).max(initial=0.0))
        inverse = better
        if change <= tolerance:
            return inverse
    raise ValueError(f"the field cannot be inverted: after {most} steps vectors still change by {change:.3g}")


def warped(
    block: Array,
    warp: Warp,
    view: View,
    *,
    inverse: bool = False,
    interpolation: Interpolation = "linear",
) -> Array:
    """A block of an image with each voxel's value taken from ``x + u(x)``, or with that undone.

    Parameters
    ----------
    block
        ``(y, x)`` or ``(z, y, x)``, perhaps with colour last.
    warp
        Over the whole image.
    view
        Where the block lies. Beyond the image the nearest voxel counts.
    """
    from tasks.imaging.gathering import gathered

    shape, spacing = block.shape[: len(view.shape)], np.asarray(view.spacing_mm)[:, None]

    def points(plane: int) -> Floats:
        sides = [(b + np.arange(n)) * s for b, n, s in zip(view.start, shape, view.spacing_mm, strict=True)]
        if len(shape) == 3:
            sides[0] = sides[0][plane : plane + 1]
        here = np.stack([side.ravel() for side in np.meshgrid(*sides, indexing="ij")])
        shift = inverse_displacement(warp.at, here) if inverse else warp.on_grid(*sides).reshape(here.shape)
        moved = here + shift
        return np.concatenate([np.zeros((3 - len(shape), moved.shape[1])), moved / spacing])

    return gathered(block, view.start, view.shape, points, shape, interpolation=interpolation, outside=None)


class Settings(Step):
    """Warped by at most ``max_mm``; the same ``seed`` bends an image, and its mask, in the same way."""

    for_augmentation: ClassVar[bool] = True

    name: Literal["elastic"] = "elastic"
    control_mm: float = Field(default=40.0, gt=0, le=1000, description="Distance between control points.")
    max_mm: float = Field(
        default=12.0,
        ge=0,
        le=200,
        description="No displacement is longer; most are much shorter. At most 0.4 control_mm.",
    )
    seed: int = Field(default=0, ge=0)
    inverse: bool = Field(default=False, description="Undo what the same settings without it have done.")
    interpolation: Interpolation = "linear"

    @model_validator(mode="after")
    def _folds_nowhere(self) -> Self:
        if self.max_mm > STEEPEST * self.control_mm:
            raise ValueError(
                f"expected max_mm of at most {STEEPEST:g} times control_mm, {STEEPEST * self.control_mm:g}, so that "
                f"nothing folds; got {self.max_mm:g}"
            )
        return self

    def halo(self, spacing_mm: Spacing) -> Index:
        """The longest displacement and the interpolation's reach."""
        from tasks.imaging.placing import REACH

        return tuple(int(np.ceil(self.max_mm / s)) + REACH[self.interpolation] for s in spacing_mm)

    def for_masks(self) -> Settings:
        """The same step as masks follow it: by the nearest voxel."""
        return self.model_copy(update={"interpolation": "nearest"})

    def dtype_after(self, dtype: np.dtype[Any]) -> np.dtype[Any]:
        """That of the image with the nearest voxel, which has the image's own values."""
        return dtype if self.interpolation == "nearest" else super().dtype_after(dtype)

    def apply(self, block: Array, view: View) -> Array:
        """Take each voxel's value from where the field points."""
        warp = Warp.random(
            view.shape,
            spacing_mm=view.spacing_mm,
            control_mm=self.control_mm,
            max_mm=self.max_mm,
            seed=self.seed,
        )
        return warped(block, warp, view, inverse=self.inverse, interpolation=self.interpolation)
