"""Statistics of a whole image that is read block by block: memory stays bounded, and the blocks' layout plays no part.

Quantiles are exact: every number has a *key*, an unsigned integer that sorts as the number does (for floating point the
bit pattern with its sign turned, as in radix sort). One pass counts the keys' upper 16 bits, the next the 16 bits below
them for those keys that can still be a wanted rank, and so on: one pass for 8 and 16 bits, two for float32, four for
float64. An image is read a few times and never held.

What only some voxels are asked for (above a threshold, the luminance of colour) is said by :func:`mapped`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from storage.errors import CaseError
from tasks.imaging.step import Array, Blocks

Region = Literal["all", "nonzero", "above_mean", "patient"]
"""Voxels that statistics are taken of: all, those above 0, above the mean, or above Otsu's threshold."""

PART = 1 << 14
"""Voxels looked at together: few enough for the cache, and for memory that is used again instead of asked for anew."""
OTSU_BINS = 256
GATHERED = 1 << 21
"""So many values are rather held and sorted than counted in several passes."""


@dataclass(frozen=True)
class Moments:
    """Number of values, their mean, standard deviation (of the whole population), and extremes; NaN where none is."""

    count: int
    mean: float
    std: float
    minimum: float
    maximum: float


def mapped(blocks: Blocks, function: Callable[[Array], Array]) -> Blocks:
    """The blocks' values after a function of each block; it may leave values out and change the shape."""
    return lambda: ((start, function(block)) for start, block in blocks())


def above(blocks: Blocks, threshold: float | None) -> Blocks:
    """Only the values greater than a threshold; all for ``None``."""
    return blocks if threshold is None else mapped(blocks, lambda block: block[block > threshold])


def inside(blocks: Blocks, region: Region) -> Blocks:
    """Only the values of a region."""
    return above(blocks, region_threshold(blocks, region))


def region_threshold(blocks: Blocks, region: Region) -> float | None:
    """What the values of a region are greater than; ``None`` of the whole image."""
    if region == "all":
        return None
    if region == "nonzero":
        return 0.0
    return moments(blocks).mean if region == "above_mean" else otsu(blocks)


def moments(blocks: Blocks) -> Moments:
    """Mean, standard deviation and extremes in one pass, in float64.

    Each part's sum of squares is taken about its own mean and then merged (Chan, Golub and LeVeque,
    doi:10.1007/978-3-642-51461-6_3), so that a large mean costs no digits.
    """
    count, mean, squares, low, high = 0, 0.0, 0.0, np.nan, np.nan
    for part in _parts(blocks):
        values = part.astype(np.float64)
        here, total = float(values.mean()), count + values.size
        away = here - mean
        squares += float(np.square(values - here).sum()) + away**2 * count * values.size / total
        mean, count = mean + away * values.size / total, total
        low, high = float(np.fmin(low, values.min())), float(np.fmax(high, values.max()))
    return Moments(count, mean if count else np.nan, (squares / count) ** 0.5 if count else np.nan, low, high)


def histogram(blocks: Blocks, *, bins: int, low: float, high: float) -> npt.NDArray[np.int64]:
    """Counts in ``bins`` bins of equal width from ``low`` to ``high``, as ``numpy.histogram`` has them."""
    counts = np.zeros(bins, dtype=np.int64)
    for part in _parts(blocks):
        counts += np.histogram(part, bins=bins, range=(low, high))[0]
    return counts


def otsu(blocks: Blocks) -> float:
    """Otsu's threshold (doi:10.1109/TSMC.1979.4310076) from 256 bins between the extremes.

    As ``skimage.filters.threshold_otsu`` has it for floating point. A constant image's threshold is its value.

    Raises
    ------
    CaseError
        When there is no value at all.
    """
    from skimage.filters import threshold_otsu

    whole = moments(blocks)
    if not whole.count:
        raise CaseError("there is nothing to find a threshold in")
    if whole.minimum == whole.maximum:
        return whole.minimum
    edges = np.linspace(whole.minimum, whole.maximum, OTSU_BINS + 1)
    counts = histogram(blocks, bins=OTSU_BINS, low=whole.minimum, high=whole.maximum)
    return float(threshold_otsu(hist=(counts, (edges[1:] + edges[:-1]) / 2)))


def quantiles(blocks: Blocks, q: Sequence[float]) -> list[float]:
    """Exact quantiles: between two values linearly, as ``numpy.quantile`` has it by default.

    Parameters
    ----------
    q
        From 0 to 1.

    Raises
    ------
    CaseError
        When there is no value at all.
    """
    count = sum(part.size for part in _parts(blocks))
    if not count:
        raise CaseError("there is nothing to take quantiles of")
    places = [min(max(p, 0.0), 1.0) * (count - 1) for p in q]
    lower = [int(place) for place in places]
    upper = [min(rank + 1, count - 1) for rank in lower]
    ranks = sorted({*lower, *upper})
    value = _sorted(blocks, ranks) if count <= GATHERED else ranked(blocks, ranks)
    return [value[a] + (value[b] - value[a]) * (place - a) for place, a, b in zip(places, lower, upper, strict=True)]


def ranked(blocks: Blocks, ranks: Sequence[int]) -> dict[int, float]:
    """The values at places (from 0) of the sorted image.

    Digit by digit, from the highest: of each *prefix* of digits that a wanted value has, the counts of the next digit
    say which it is.
    """
    from tasks.imaging.kernels.digits import DIGIT_BITS, count_digits

    found = dict.fromkeys(ranks, 0)  # the prefix of each, as long as there were passes
    left = {rank: rank for rank in ranks}  # its rank among the values with this prefix
    level, levels, dtype = 0, 1, np.dtype(np.uint8)
    while level < levels:
        prefixes = np.array(sorted(set(found.values())), dtype=np.uint64)
        counts = np.zeros((len(prefixes), 1 << DIGIT_BITS), dtype=np.int64)
        for part in _parts(blocks):
            dtype = part.dtype
            levels = max(1, dtype.itemsize * 8 // DIGIT_BITS)
            count_digits(_keys(part), prefixes, (levels - 1 - level) * DIGIT_BITS, counts)
        for rank, prefix in found.items():
            ends = np.cumsum(counts[np.searchsorted(prefixes, np.uint64(prefix))])
            digit = int(np.searchsorted(ends, left[rank], side="right"))
            left[rank] -= int(ends[digit - 1]) if digit else 0
            found[rank] = prefix << DIGIT_BITS | digit
        level += 1
    return {rank: _value(key, dtype) for rank, key in found.items()}


def _sorted(blocks: Blocks, ranks: Sequence[int]) -> dict[int, float]:
    values = np.concatenate(list(_parts(blocks)))
    values.partition(ranks)
    return {rank: float(values[rank]) for rank in ranks}


def _parts(blocks: Blocks) -> Iterator[Array]:
    for _, block in blocks():
        flat = block.ravel(order="K")
        for begin in range(0, flat.size, PART):
            yield flat[begin : begin + PART]


def _keys(values: Array) -> npt.NDArray[Any]:
    """Unsigned integers of the values' own width, in the values' order."""
    dtype = values.dtype
    if dtype.kind in "ub":
        return values.view(np.uint8) if dtype.kind == "b" else values
    unsigned = np.dtype(f"u{dtype.itemsize}")
    bits = values.view(unsigned)
    sign = unsigned.type(1 << (8 * dtype.itemsize - 1))
    if dtype.kind == "i":
        return np.asarray(bits ^ sign)
    turn = (values.view(f"i{dtype.itemsize}") >> (8 * dtype.itemsize - 1)).view(unsigned)  # all ones where negative
    turn |= sign
    turn ^= bits
    return np.asarray(turn)


def _value(key: int, dtype: np.dtype[Any]) -> float:
    """The number that a key stands for."""
    if dtype.kind in "ub":
        return float(key)
    unsigned, bits = np.dtype(f"u{dtype.itemsize}"), 8 * dtype.itemsize
    sign = 1 << (bits - 1)
    turned = dtype.kind == "f" and not key & sign  # a negative number of floating point
    pattern = ~key & ((1 << bits) - 1) if turned else key ^ sign
    return float(np.array(pattern, dtype=unsigned).view(dtype))
