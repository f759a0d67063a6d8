"""Separable filters in all right-angle orientations: rotation invariance of the IBSI manual on filters.

There are 24 such rotations in three dimensions and 4 in two. A rotated separable filter has the same kernels along
other axes, some of them reversed. Where kernels are symmetric, antisymmetric or equal, many rotations make the same
response but for its sign, which is then computed once.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import permutations, product
from math import prod

from storage.volume import FloatArray
from tasks.imaging.filtering.boundary import Boundary
from tasks.imaging.filtering.pooling import Pooling, pooled
from tasks.imaging.filtering.separable import Kernel, convolved

Cascade = tuple[tuple[Kernel, ...], ...]
"""Separable filters one after the other, each with a kernel along (z, y, x) or (y, x)."""


def respond(image: FloatArray, cascade: Cascade, boundary: Boundary, pooling: Pooling) -> FloatArray:
    """The response to a cascade, pooled over its rotations unless pooling is ``"none"``."""
    if pooling == "none":
        return _through(image, cascade, boundary)
    signs: dict[Cascade, list[int]] = {}
    for rotated in rotations(cascade):
        unsigned, sign = _unsigned(rotated)
        signs.setdefault(unsigned, []).append(sign)
    count = sum(map(len, signs.values()))
    return pooled(_signed(image, signs, boundary, pooling), pooling, count)


def rotations(cascade: Cascade) -> Iterator[Cascade]:
    """The cascade in all right-angle orientations, all its filters turned alike."""
    axes = range(len(cascade[0]))
    for order in permutations(axes):
        for steps in product((1, -1), repeat=len(order)):
            # Half of the exchanges and reversals are mirrorings, which are no rotations.
            if _sign(order) * prod(steps) == 1:
                yield tuple(tuple(one[a][::s] for a, s in zip(order, steps, strict=True)) for one in cascade)


def _signed(
    image: FloatArray, signs: dict[Cascade, list[int]], boundary: Boundary, pooling: Pooling
) -> Iterator[FloatArray]:
    """Each response with the signs that it has in some rotation, or the sum of them."""
    for unsigned, found in signs.items():
        response = _through(image, unsigned, boundary)
        for sign in [sum(found)] if pooling == "mean" else set(found):
            yield sign * response


def _through(image: FloatArray, cascade: Cascade, boundary: Boundary) -> FloatArray:
    for kernels in cascade:
        image = convolved(image, kernels, boundary)
    return image


def _unsigned(cascade: Cascade) -> tuple[Cascade, int]:
    """Of each kernel and its negative the greater, and the sign that this takes off."""
    sign, unsigned = 1, []
    for kernels in cascade:
        greater = tuple(max(kernel, tuple(-weight for weight in kernel)) for kernel in kernels)
        sign *= prod(1 if one == other else -1 for one, other in zip(kernels, greater, strict=True))
        unsigned.append(greater)
    return tuple(unsigned), sign


def _sign(order: tuple[int, ...]) -> int:
    """1 for an even permutation, -1 for an odd one."""
    return prod(1 if before < after else -1 for i, after in enumerate(order) for before in order[:i])
