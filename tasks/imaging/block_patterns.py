"""Local binary patterns in blocks: which fine textures there are, and where in the picture.

A pattern says which of 8 neighbours on a circle are at least as bright as the pixel between them; it keeps its
direction, since anatomy has one. Counted are the 58 *uniform* ones (one run of bright neighbours, or none, or all), and
all others together (Ojala et al. 2002, doi:10.1109/TPAMI.2002.1017623), in each block by itself (Ahonen et al. 2006,
doi:10.1109/TPAMI.2006.244). Square roots of shares have Hellinger's distances, and a rare pattern counts as well.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

NEIGHBOURS = 8
PATTERNS = 59
"""58 uniform ones, and the others."""


def block_patterns(grey: npt.NDArray[np.float32], *, blocks: int, radii_px: Sequence[int]) -> npt.NDArray[np.float64]:
    """Square roots of the patterns' shares in each block; the squares of a block's add up to 1 for each radius.

    Parameters
    ----------
    grey
        ``(side, side)``, 0–1.
    blocks
        Along each side, which they have to divide.
    radii_px
        Of the circles.

    Returns
    -------
    numpy.ndarray
        ``(radii, blocks, blocks, PATTERNS)``.
    """
    from skimage.feature import local_binary_pattern

    levels = (grey * 255).astype(np.uint8)
    counts = []
    for radius in radii_px:
        codes = local_binary_pattern(levels, NEIGHBOURS, radius, method="nri_uniform").astype(np.intp)
        counts.append(_in_blocks(codes, blocks))
    return np.asarray(np.sqrt(np.stack(counts) / (len(grey) // blocks) ** 2))


def _in_blocks(codes: npt.NDArray[np.intp], blocks: int) -> npt.NDArray[np.intp]:
    """How often each pattern is found in each block: ``(blocks, blocks, PATTERNS)``."""
    of_block = np.arange(len(codes)) * blocks // len(codes)
    place = (of_block[:, None] * blocks + of_block) * PATTERNS + codes
    return np.bincount(place.ravel(), minlength=blocks**2 * PATTERNS).reshape(blocks, blocks, PATTERNS)
