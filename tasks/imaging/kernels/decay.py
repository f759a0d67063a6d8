"""``exp(-t)`` from sums and products only, so that the compiler does many at a time."""

from __future__ import annotations

from typing import Any

from numba import njit

LAST = 32.0
"""Beyond it the result stays what it is there: nothing (1e-14)."""


@njit(cache=True, nogil=True)
def decay(t: float, number: Any) -> Any:
    """``exp(-t)`` for ``t`` from 0, as ``number``: the 32nd power of the series of ``exp(-t / 32)``.

    The relative error is below 2e-5 up to ``t = 8``, where the result is 3e-4; it is never more than 2e-6 in itself.
    """
    u = min(t, number(LAST)) * number(1 / LAST)
    fifth = number(1) - u * number(1 / 5)
    fourth = number(1) - u * number(1 / 4) * fifth
    third = number(1) - u * number(1 / 3) * fourth
    power = number(1) - u * (number(1) - u * number(1 / 2) * third)
    for _ in range(5):
        power *= power
    return power
