"""One level of the 3-D Haar transform beside PyWavelets: the same eight bands, of int16 as it comes.

Ours writes into the memory of the result before, as whoever takes many volumes apart does: fresh memory of this size
takes longer than the transform itself. PyWavelets has no place to say so.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from tests.benchmarks.row import Array, Row


def ours(volume: Array) -> Callable[[], dict[str, Array]]:
    from tasks.imaging.haar import haar

    out = np.empty((8, *(-(-n // 2) for n in volume.shape)), np.float32)
    return lambda: haar(volume, out=out)


def theirs(volume: Array) -> Callable[[], dict[str, Array]]:
    import pywt

    return lambda: dict(pywt.dwtn(volume, "haar", mode="symmetric"))


ROW = Row(
    work="haar_dwt",
    peer="pywavelets",
    ours=ours,
    theirs=theirs,
    tolerance=0.002,
    says="one level, all 8 bands, from int16 to float32 (PyWavelets: float64), ours into memory that it is given",
    wanted=40.0,
)
