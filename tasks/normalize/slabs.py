"""Volumes that are too large to be worked on in one piece, in bounded memory.

The steps are strung together as Dask's blocks, and computed when the result is written, slab after slab. Before a step
that measures or needs the whole image, what precedes it is put down on disk: it would be computed for the measurement
and once more for the result.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace

from storage.volume import Volume
from tasks.imaging.step import Step

LARGEST_WHOLE = 64 * 2**20
"""Voxels up to which a volume is worked on in one piece: 256 MiB as float32, of which a step holds a few. The same on
every machine, since blocks and the whole agree to float tolerance only."""
SIDES = (64, 512, 512)
"""Voxels of a block along (z, y, x) at most: with its surroundings, and what a step needs, some hundred MiB."""


def is_large(shape: tuple[int, ...]) -> bool:
    """Whether a volume of this shape is worked on in blocks."""
    return math.prod(shape) > LARGEST_WHOLE


@dataclass
class Slabs:
    """A volume in blocks on its way through the chain.

    Attributes
    ----------
    put_down
        Stores a volume that is not computed yet, and returns it as it is stored.
    """

    put_down: Callable[[Volume], Volume]
    _pending: bool = False

    def ready(self, volume: Volume, step: Step) -> Volume:
        """The volume as a step can be strung to it: in blocks that fit, and on disk where the step goes through all."""
        if self._pending and (step.whole or step.measures()):
            volume = self.put_down(volume)
        self._pending = True
        sides = tuple(min(side, n) for side, n in zip(SIDES, volume.shape, strict=True))
        return replace(volume, array=volume.array.rechunk(sides))  # type: ignore[attr-defined]
