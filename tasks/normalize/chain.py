"""From a volume as it was scanned to one that can be compared with others: the steps in their order.

A volume's array may be NumPy's or Dask's. With Dask's nothing but what must be measured is computed here; the rest
waits until the result is stored, slab by slab.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from storage.errors import CaseError
from storage.volume import Volume
from tasks.imaging.grid_step import GridStep
from tasks.imaging.grids import moved
from tasks.imaging.step import Facts, Step, View, look

Ready = Callable[[Volume, Step], Volume]


@dataclass(frozen=True)
class Done:
    """A step of the chain: its number from 1, and the volume before and after it."""

    number: int
    step: Step
    view: View
    before: Volume
    after: Volume


def normalize(volume: Volume, steps: Sequence[Step], fitted: Facts | None = None) -> Volume:
    """Bring an image onto the study's grid and scale.

    Parameters
    ----------
    volume
        Image in HU, SUV or arbitrary units, ``(z, y, x)``.
    steps
        What is done, in this order.
    fitted
        What the step that learns has learnt; ``None`` where there is no such step.

    Returns
    -------
    Volume
        ``float32``.

    Raises
    ------
    CaseError
        When voxels are not finite or all equal, or a step cannot be done; the message names the step.
    """
    for done in each_step(volume, steps, fitted):
        volume = done.after
    return volume.with_array(volume.array.astype(np.float32, copy=False))


def each_step(
    volume: Volume, steps: Sequence[Step], fitted: Facts | None = None, *, ready: Ready = lambda volume, _step: volume
) -> Iterator[Done]:
    """The chain one step at a time; parameters as in :func:`normalize`.

    ``ready(volume, step)`` may put a volume into another place before the step is done, e.g. from memory onto disk.
    """
    if not steps or not steps[0].mends_nan:
        check_voxels(volume)
    for number, step in enumerate(steps, start=1):
        volume = ready(volume, step)
        try:
            done = _done(number, step, volume, fitted)
            if isinstance(volume.array, np.ndarray) and not np.isfinite(done.after.array).all():
                raise CaseError("the result holds values that are not finite numbers")
        except CaseError as error:
            raise CaseError(f"step {number} ({step.name}): {error}") from error
        yield done
        volume = done.after


def check_voxels(volume: Volume) -> None:
    """Refuse an image that is no image: ``CaseError`` when voxels are not finite, or all are equal."""
    low, high = np.inf, -np.inf
    for block in _blocks(volume.array):
        if not np.isfinite(block).all():
            raise CaseError("the image holds values that are not finite numbers; the step 'finite' mends them")
        low, high = min(low, float(block.min())), max(high, float(block.max()))
    if low == high:
        raise CaseError(f"the image is empty: all voxels are {low:g} {volume.unit}")


def check_finite(volume: Volume) -> None:
    """``CaseError`` when the steps have left values that are not finite."""
    if not all(np.isfinite(block).all() for block in _blocks(volume.array)):
        raise CaseError("the steps left values that are not finite numbers")


def looked_at(step: Step, volume: Volume, fitted: Facts | None = None) -> View:
    """What a step knows of a volume before it is applied: it has measured what it needs."""
    given = fitted if step.learns() else None
    view = View.of(volume.array, volume.spacing_mm, unit=volume.unit, fitted=given, direction=volume.direction)
    if isinstance(volume.array, np.ndarray):
        return look(step, volume.array, view)
    from tasks.imaging.chunked import look_in_blocks

    return look_in_blocks(step, volume.array, view)


def _done(number: int, step: Step, volume: Volume, fitted: Facts | None) -> Done:
    view = looked_at(step, volume, fitted)
    if isinstance(volume.array, np.ndarray):
        array = step.apply(volume.array, view)
    else:
        from tasks.imaging.chunked import apply_in_blocks

        array = apply_in_blocks(step, volume.array, view)
    unit = step.unit_after(volume.unit)
    if isinstance(step, GridStep):
        after = replace(moved(volume, step.placement(view), array), unit=unit)
    else:
        after = volume.with_array(array, unit=unit)
    return Done(number, step, view, volume, after)


def _blocks(array: Any) -> Iterator[np.ndarray[Any, Any]]:
    if isinstance(array, np.ndarray):
        yield array
    else:
        from tasks.imaging.chunked import blocks_of

        yield from (block for _, block in blocks_of(array, array.ndim)())
