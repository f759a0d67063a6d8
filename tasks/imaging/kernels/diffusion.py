"""Anisotropic diffusion: each voxel takes from its neighbours what flows, the less the more they differ."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

import numpy as np
from numba import njit

from tasks.imaging.kernels.decay import decay
from tasks.imaging.kernels.volume import as_volume
from tasks.imaging.step import Array
from tasks.threads import over_slabs


def diffused(image: Array, spacing: Sequence[float], conductance: float, iterations: int) -> Array:
    """The image after some steps of time, each half as long as the largest stable one.

    Parameters
    ----------
    image
        float, ``(y, x)`` or ``(z, y, x)``; nothing flows through its border.
    spacing
        Along each axis.
    conductance
        Difference of neighbours along the axis of the smallest spacing of which ``exp(-1)`` still flows.
    iterations
        Steps of time, at least one.
    """
    now = as_volume(image)
    number = now.dtype.type
    ease = [(min(spacing) / s) ** 2 for s in spacing]
    ease_zyx = tuple(number(e) for e in (*(0.0,) * (3 - len(ease)), *ease))
    scale, rate = number(conductance**-2), number(1 / (4 * sum(ease)))
    done, spare = np.empty_like(now), np.empty_like(now)
    for _ in range(iterations):
        over_slabs(partial(_step, now, done, ease_zyx, scale, rate), len(done))
        now, done, spare = done, spare, done
    return now.reshape(image.shape)


@njit(cache=True, nogil=True)
def _step(
    image: Array, out: Array, ease: tuple[float, float, float], scale: float, rate: float, start: int, stop: int
) -> None:
    """Fill ``out[start:stop]``; ``ease`` is 1 over the squared spacing, ``scale`` over the squared conductance."""
    depth, height, width = image.shape
    flow = np.empty(width, dtype=out.dtype)
    for z in range(start, stop):
        for y in range(height):
            here = image[z, y]
            flow[:] = 0
            if z > 0:
                _add_flow(here, image[z - 1, y], ease[0], scale, flow)
            if z < depth - 1:
                _add_flow(here, image[z + 1, y], ease[0], scale, flow)
            if y > 0:
                _add_flow(here, image[z, y - 1], ease[1], scale, flow)
            if y < height - 1:
                _add_flow(here, image[z, y + 1], ease[1], scale, flow)
            _add_flow(here[1:], here, ease[2], scale, flow[1:])
            _add_flow(here[:-1], here[1:], ease[2], scale, flow[:-1])
            for x in range(width):
                out[z, y, x] = here[x] + rate * flow[x]


@njit(cache=True, nogil=True)
def _add_flow(here: Array, there: Array, ease: float, scale: float, flow: Array) -> None:
    """The difference times its conductance, which falls with the squared gradient."""
    number = flow.dtype.type
    for x in range(len(flow)):
        d = there[x] - here[x]
        flow[x] += ease * decay(scale * ease * d * d, number) * d
