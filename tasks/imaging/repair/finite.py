"""Voxels that hold no measurement given one: not-a-number, infinity, and the padding that a scanner declares.

CT is a disc within a square; what lies outside the disc is padded with a value that is no Hounsfield number, and moves
every statistic of the image. It becomes air. Elsewhere what is missing becomes the image's smallest value, or that of
the nearest voxel that holds one.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
from pydantic import Field

from storage.errors import CaseError
from tasks.imaging.order_statistics import mapped, moments
from tasks.imaging.step import Array, Blocks, Facts, Index, Spacing, Step, View

PADDING_BY_UNIT = {"HU": (-3024.0, -2048.0, -2000.0)}
"""What scanners write outside the field of view (PixelPaddingValue, DICOM PS3.3 C.7.5.1.1.2, after rescaling)."""
FILL_BY_UNIT = {"HU": -1024.0}
"""Air, as 12 bits can say it."""


def missing(array: Array, padding: Sequence[float]) -> npt.NDArray[np.bool_]:
    """Which values are no measurement."""
    bad = np.zeros(array.shape, dtype=bool) if array.dtype.kind in "iu" else ~np.isfinite(array)
    return bad | np.isin(array, padding) if padding else bad


def mend(
    array: Array, *, spacing_mm: Spacing, fill: float, padding: Sequence[float] = (), reach_mm: float = 0.0
) -> Array:
    """Replace what is no measurement.

    Parameters
    ----------
    array
        ``(y, x)`` or ``(z, y, x)``, perhaps with colour last; each colour is mended by itself.
    fill
        The value that is put in.
    padding
        Values that are no measurements, beside those that are not finite.
    reach_mm
        Where the nearest measurement is no farther than this, it is put in instead; 0 for nowhere. Of several as near,
        the first in memory.

    Returns
    -------
    numpy.ndarray
        Of the same type.

    Raises
    ------
    CaseError
        When the type cannot hold ``fill``, and it is needed.
    """
    bad = missing(array, padding)
    mended = array.copy()
    if bad.any():
        _take_nearest(mended, array, bad, list(_nearest_first(spacing_mm, reach_mm)))
    if bad.any():
        if array.dtype.kind in "iu" and not np.iinfo(array.dtype).min <= fill <= np.iinfo(array.dtype).max:
            raise CaseError(f"missing values cannot become {fill:g}: {array.dtype} does not hold it")
        mended[bad] = fill
    return mended


def _take_nearest(mended: Array, array: Array, bad: npt.NDArray[np.bool_], offsets: list[Index]) -> None:
    """Fill what is bad from one neighbour after the other; ``bad`` becomes what is still left."""
    was_bad = bad.copy()
    limits = np.asarray(array.shape)
    for offset in offsets:
        to = np.argwhere(bad)
        source = to.copy()
        source[:, : len(offset)] += offset
        within = ((source >= 0) & (source < limits)).all(axis=1)
        to, source = to[within], source[within]
        good = ~was_bad[tuple(source.T)]
        mended[tuple(to[good].T)] = array[tuple(source[good].T)]
        bad[tuple(to[good].T)] = False


def _nearest_first(spacing_mm: Spacing, reach_mm: float) -> Iterator[Index]:
    sides = [range(-int(reach_mm / s), int(reach_mm / s) + 1) for s in spacing_mm]
    squares = {o: sum((n * s) ** 2 for n, s in zip(o, spacing_mm, strict=True)) for o in itertools.product(*sides)}
    yield from sorted((o for o, square in squares.items() if 0 < square <= reach_mm**2), key=lambda o: (squares[o], o))


class Settings(Step):
    """Missing and padding values replaced.

    Attributes
    ----------
    padding
        Values that are no measurements; ``None``: −3024, −2048 and −2000 in HU, no other unit has any.
    fill
        What is put in; ``None``: −1024 in HU, else the smallest value that is a measurement.
    reach_mm
        Single missing voxels take the nearest measurement where one is within this distance; 0 for none.
    """

    name: Literal["finite"] = "finite"
    mends_nan = True
    padding: tuple[float, ...] | None = None
    fill: float | None = Field(default=None, allow_inf_nan=False)
    reach_mm: float = Field(default=0.0, ge=0, le=10)

    def halo(self, spacing_mm: Spacing) -> Index:
        """As far as the nearest measurement is looked for."""
        return tuple(int(self.reach_mm / s) for s in spacing_mm)

    def measure(self, blocks: Blocks, view: View) -> Facts:
        """What is put in, and how many values are missing."""
        padding = self._padding(view.unit)
        whole = moments(mapped(blocks, lambda block: block[~missing(block, padding)]))
        if not whole.count:
            raise CaseError("no voxel holds a measurement: all are padding or not finite")
        fill = FILL_BY_UNIT.get(view.unit, whole.minimum) if self.fill is None else self.fill
        return {"fill": fill, "missing": sum(block.size for _, block in blocks()) - whole.count}

    def apply(self, block: Array, view: View) -> Array:
        """Mend the block."""
        if not view.measured["missing"]:
            return block.copy()
        padding, fill = self._padding(view.unit), view.measured["fill"]
        return mend(block, spacing_mm=view.spacing_mm, fill=fill, padding=padding, reach_mm=self.reach_mm)

    def dtype_after(self, dtype: np.dtype[Any]) -> np.dtype[Any]:
        """The same: values are the image's own."""
        return dtype

    def _padding(self, unit: str) -> tuple[float, ...]:
        return PADDING_BY_UNIT.get(unit, ()) if self.padding is None else self.padding
