"""One level of the 3-D Haar transform beside PyWavelets: the same eight bands, of int16 as it comes."""

from __future__ import annotations

from collections.abc import Callable

from tests.benchmarks.row import Array, Row


def ours(volume: Array) -> Callable[[], dict[str, Array]]:
    from tasks.imaging.haar import haar

    return lambda: haar(volume)


def theirs(volume: Array) -> Callable[[], dict[str, Array]]:
    import pywt

    return lambda: dict(pywt.dwtn(volume, "haar", mode="symmetric"))


ROW = Row(
    work="haar_dwt",
    peer="pywavelets",
    ours=ours,
    theirs=theirs,
    tolerance=0.002,
    says="one level, all 8 bands, from int16 to float32 (PyWavelets: float64), compared everywhere",
    wanted=40.0,
)
