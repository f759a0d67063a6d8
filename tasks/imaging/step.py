"""What every operation on images is: settings with a name, a pure function, and a statement of how far it looks.

An operation is one file in a folder of this room: the pure function, and a class ``Settings(Step)`` that gives it a
name, defaults and limits. Whatever runs operations (normalize, augmentation, the gallery) finds it by that name.

Words:

- *spatial axes*: the first ``len(spacing_mm)`` axes of an array, ``(z, y, x)`` of a volume or ``(y, x)`` of a picture.
  One axis more is colour: red, green, blue.
- *block*: a part of an image that is worked on at a time, with its surroundings; the whole image is one block too.
- *halo*: how many voxels around a voxel, along each spatial axis, its result depends on.
- *measured*: what a step must know of the whole image before it can work on any block of it (a percentile, the box of
  the body): plain numbers, small enough for JSON.
- *fitted*: what a step learnt from the measurements of other patients' images.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, ClassVar, Literal

import numpy as np
import numpy.typing as npt

from storage.volume import Triple
from tasks.settings import StageSettings

Array = npt.NDArray[Any]
Index = tuple[int, ...]
Spacing = tuple[float, ...]
Direction = tuple[Triple, Triple, Triple]
Facts = Mapping[str, Any]
"""Plain numbers, texts and lists of them."""

Blocks = Callable[[], Iterable[tuple[Index, Array]]]
"""Gives the whole image once per call, in blocks without surroundings, each with the index of its first voxel."""

SHOWN = ("grey", "share")
"""Units of what can be shown as it is."""
Kind = Literal["2-D", "3-D", "colour"]
EVERY_KIND: frozenset[Kind] = frozenset({"2-D", "3-D", "colour"})


@dataclass(frozen=True)
class View:
    """What a step knows beside the block that it works on.

    Attributes
    ----------
    spacing_mm
        Along the spatial axes, in mm.
    shape
        Voxels of the whole image along the spatial axes.
    start
        Where in the whole image the block begins; all 0 for the whole image.
    unit
        Of the intensities: ``"HU"``, ``"SUV"``, ``"z"`` (standard deviations), ``"grey"`` (0 to 255, of pictures),
        ``"share"`` (0 to 1), ``"label"``; ``"arbitrary"`` where no such scale is known.
    measured, fitted
        See the words of this module.
    direction
        Of a volume as in :class:`storage.volume.Volume`; ``None`` where it is not known, as for pictures.
    """

    spacing_mm: Spacing
    shape: Index
    start: Index
    unit: str = "arbitrary"
    measured: Facts = field(default_factory=dict)
    fitted: Facts = field(default_factory=dict)
    direction: Direction | None = None

    @classmethod
    def of(
        cls,
        array: Array,
        spacing_mm: Spacing,
        *,
        unit: str = "arbitrary",
        fitted: Facts | None = None,
        direction: Direction | None = None,
    ) -> View:
        """The view of a whole image."""
        axes = len(spacing_mm)
        if axes not in (2, 3) or array.ndim not in (axes, axes + 1):
            raise ValueError(f"expected (y, x) or (z, y, x), and colour at most; got {array.shape}, {axes} spacings")
        return cls(tuple(spacing_mm), tuple(array.shape[:axes]), (0,) * axes, unit, {}, fitted or {}, direction)

    def at(self, start: Index) -> View:
        """The view of a block that begins there."""
        return replace(self, start=start)


class Step(StageSettings, ABC):
    """One operation of a chain: the settings of its block ``[[normalize.steps]]``, and what it does.

    A subclass is called ``Settings``, gives ``name`` as ``Literal["…"]`` with itself as default, and overrides
    :meth:`apply`; the rest where it applies.

    Attributes
    ----------
    kinds
        What it works on.
    whole
        Whether it needs the whole image at once: it cannot be done in blocks.
    mends_nan
        Whether it may be given values that are not finite. All others never are.
    for_augmentation
        Whether it moves or bends the patient within the image, so that positions in it are no longer true. Such a step
        is not for normalize.
    """

    kinds: ClassVar[frozenset[Kind]] = EVERY_KIND
    whole: ClassVar[bool] = False
    mends_nan: ClassVar[bool] = False
    for_augmentation: ClassVar[bool] = False

    name: str = ""

    def halo(self, spacing_mm: Spacing) -> Index:
        """Voxels around a voxel that its result depends on, along each spatial axis."""
        return (0,) * len(spacing_mm)

    def measure(self, blocks: Blocks, view: View) -> Facts:
        """What must be known of the whole image; ``blocks`` may be gone through several times. Plain numbers only."""
        del blocks, view
        return {}

    @classmethod
    def measures(cls) -> bool:
        """Whether it has to go through the whole image before it can be applied."""
        return cls.measure is not Step.measure

    def fit(self, measured: Sequence[Facts]) -> Facts:
        """What is learnt from the measurements of other images. Only steps that learn override it."""
        del measured
        raise TypeError(f"'{self.name}' learns nothing from other images")

    @classmethod
    def learns(cls) -> bool:
        """Whether it needs :meth:`fit` before it can be applied."""
        return cls.fit is not Step.fit

    @abstractmethod
    def apply(self, block: Array, view: View) -> Array:
        """The block's result, of the same spatial shape; what lies within the halo of a cut edge is cut off later."""

    def unit_after(self, unit: str) -> str:
        """Unit of the result."""
        return unit

    def dtype_after(self, dtype: np.dtype[Any]) -> np.dtype[Any]:
        """Type of the result: float32, or float64 of float64, unless its values are values of the image."""
        return dtype if dtype in (np.float32, np.float64) else np.dtype(np.float32)


def kind_of(array: Array, spacing_mm: Spacing) -> Kind:
    """Whether an array is a picture, a volume, or in colour."""
    if array.ndim > len(spacing_mm):
        return "colour"
    return "3-D" if array.ndim == 3 else "2-D"


def look(step: Step, array: Array, view: View) -> View:
    """The view with what the step measures over the whole image."""
    return replace(view, measured=step.measure(lambda: [(view.start, array)], view))


def apply_step(
    step: Step,
    array: Array,
    spacing_mm: Spacing,
    *,
    unit: str = "arbitrary",
    fitted: Facts | None = None,
    direction: Direction | None = None,
) -> Array:
    """Apply one step to a whole image.

    Parameters
    ----------
    array
        ``(y, x)`` or ``(z, y, x)``, perhaps with colour last.
    spacing_mm
        Along the spatial axes, in mm.
    fitted
        Of a step that learns; ``None`` for the others.
    direction
        As in :class:`View`.
    """
    view = View.of(array, spacing_mm, unit=unit, fitted=fitted, direction=direction)
    return step.apply(array, look(step, array, view))


def per_channel(function: Callable[[Array], Array], array: Array, axes: int) -> Array:
    """Apply a function of a grey image to each colour of a coloured one, or to the grey one itself."""
    if array.ndim == axes:
        return function(array)
    return np.stack([function(np.ascontiguousarray(array[..., c])) for c in range(array.shape[-1])], axis=-1)


def floating(array: Array) -> Array:
    """The array in the precision that steps compute in: float64 stays, everything else becomes float32."""
    return array if array.dtype in (np.float32, np.float64) else array.astype(np.float32)
