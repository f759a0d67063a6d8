"""Movements of the patient within the image: flipped, turned, magnified and bent, all in one interpolation.

Each voxel of the result takes its value from ``A (p + u(p))``: ``u`` are the elastic displacements, ``A`` all that is
linear, about the image's centre. A map that folds nowhere, followed by one that can be undone, folds nowhere.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from tasks.imaging.augmentation.settings import Settings
from tasks.imaging.geometry.elastic import Warp
from tasks.imaging.geometry.rotate import turned
from tasks.imaging.placement import BACKGROUND, AxisName, Floats, Interpolation, Placement, axis_of
from tasks.imaging.step import Array, View


@dataclass(frozen=True, eq=False)
class Movement:
    """One movement.

    Attributes
    ----------
    flipped
        Axes, by number, that are reversed.
    matrix
        ``(n, n)``, from new to old voxels from the centre, without the flips.
    warp
        Displacements over the new grid; ``None``: none.
    """

    flipped: tuple[int, ...]
    matrix: Floats
    warp: Warp | None = None

    @property
    def moves(self) -> bool:
        """Whether it does anything."""
        return bool(self.flipped) or self.bends

    @property
    def bends(self) -> bool:
        """Whether it does more than reverse axes."""
        return self.warp is not None or not np.array_equal(self.matrix, np.eye(len(self.matrix)))

    @property
    def flips_alone(self) -> Movement:
        """The same without what could take something out of the image."""
        return replace(self, matrix=np.eye(len(self.matrix)), warp=None)

    def apply(self, image: Array, view: View, interpolation: Interpolation, outside: float | None) -> Array:
        """The image after it; parameters as of :func:`tasks.imaging.placing.place`."""
        axes = len(view.shape)
        signs = np.ones(axes)
        signs[list(self.flipped)] = -1.0
        placement = Placement.centred(view.shape, np.diag(signs) @ self.matrix, view.shape)
        if self.warp is None:
            from tasks.imaging.placing import place

            box = ((0,) * axes, view.shape)
            return place(
                image,
                (0,) * axes,
                placement,
                box,
                view.shape,
                interpolation=interpolation,
                outside=outside,
                antialias=False,
            )
        return _bent(image, self.warp, placement, view, interpolation, outside)


def drawn_movement(settings: Settings, view: View, rngs: dict[str, np.random.Generator]) -> Movement:
    """A movement by chance; of ``rngs`` it takes ``flip``, ``rotation``, ``scale`` and ``elastic``."""
    axes = len(view.shape)
    matrix = np.eye(axes)
    for about in ("z", "y", "x"):
        matrix = matrix @ _turn(settings, view, about, rngs["rotation"])
    chosen = rngs["scale"].random() < settings.scale.probability
    factor = log_uniform(settings.scale.amount, rngs["scale"])
    if chosen:
        matrix = matrix / factor
    return Movement(_flipped(settings, view, rngs["flip"]), matrix, _warp(settings, view, rngs["elastic"]))


def log_uniform(amount: float, rng: np.random.Generator) -> float:
    """A factor between ``1 / (1 + amount)`` and ``1 + amount``, either as likely."""
    return float((1 + amount) ** rng.uniform(-1, 1))


def outside_value(settings: Settings, view: View) -> float | None:
    """What is moved in from outside; ``None``: the border's values."""
    if settings.outside == "background":
        return BACKGROUND.get(view.unit)
    return None if settings.outside == "edge" else settings.outside


def _turn(settings: Settings, view: View, about: AxisName, rng: np.random.Generator) -> Floats:
    rotation, axes = settings.rotation, len(view.shape)
    chosen, degrees = rng.random() < rotation.probability, rng.uniform(-rotation.degrees, rotation.degrees)
    if not chosen or about not in rotation.axes or (axes == 2 and about != "z"):
        return np.eye(axes)
    return turned(spacing_mm=view.spacing_mm, degrees=float(degrees), axis=about)


def _flipped(settings: Settings, view: View, rng: np.random.Generator) -> tuple[int, ...]:
    axes = len(view.shape)
    kept = None if settings.flip.left_right else left_right_axis(view)
    drawn = {name: rng.random() < settings.flip.probability for name in ("z", "y", "x")}
    found = (axis_of(name, axes) for name in settings.flip.axes if drawn[name])
    return tuple(sorted({axis for axis in found if axis is not None and axis != kept}))


def left_right_axis(view: View) -> int:
    """The array axis that runs closest to the patient's left and right; x where the direction is not known."""
    if view.direction is None or len(view.shape) == 2:
        return len(view.shape) - 1
    return int(np.argmax(np.abs(np.asarray(view.direction)[0])))


def _warp(settings: Settings, view: View, rng: np.random.Generator) -> Warp | None:
    elastic = settings.elastic
    chosen, max_mm = rng.random() < elastic.probability, rng.uniform(0, elastic.max_mm)
    seed = int(rng.integers(2**63))
    if not chosen or max_mm == 0:
        return None
    return Warp.random(
        view.shape, spacing_mm=view.spacing_mm, control_mm=elastic.control_mm, max_mm=float(max_mm), seed=seed
    )


def _bent(
    image: Array, warp: Warp, placement: Placement, view: View, interpolation: Interpolation, outside: float | None
) -> Array:
    from tasks.imaging.gathering import gathered

    axes, spacing = len(view.shape), np.asarray(view.spacing_mm)[:, None]

    def points(plane: int) -> Floats:
        sides = [np.arange(n) * s for n, s in zip(view.shape, view.spacing_mm, strict=True)]
        if axes == 3:
            sides[0] = sides[0][plane : plane + 1]
        here = np.stack([side.ravel() for side in np.meshgrid(*sides, indexing="ij")])
        bent = (here + warp.on_grid(*sides).reshape(here.shape)) / spacing
        old = placement.matrix @ bent + placement.offset[:, None]
        return np.concatenate([np.zeros((3 - axes, old.shape[1])), old])

    return gathered(image, (0,) * axes, view.shape, points, view.shape, interpolation=interpolation, outside=outside)
