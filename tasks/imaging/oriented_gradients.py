"""Histograms of oriented gradients in 3-D: how strong the edges of a volume are, in which directions.

A direction in space votes for the *axes* through the faces of a regular solid: 6 of the dodecahedron, 10 of the
icosahedron. An edge counts alike from bright to dark and from dark to bright, as in the common 2-D form. A vote is
shared among the axes near the gradient, less what an axis would get from a gradient along its neighbour, so that a
gradient straight along one axis votes for no other (Kläser et al. 2008, doi:10.5244/C.22.99, section 3.2).
"""

from __future__ import annotations

from typing import Any, Literal

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Solid = Literal["dodecahedron", "icosahedron"]

GOLDEN = (1 + 5**0.5) / 2
CLIPPED = 0.2
"""No direction counts for more than this share of the whole (Dalal & Triggs 2005, doi:10.1109/CVPR.2005.177)."""
FLAT = 1e-5
"""Added to the length before division, in intensity per sample: what has no gradients keeps none."""


def face_axes(solid: Solid) -> Floats:
    """Unit vectors ``(axes, 3)`` through the middles of opposite faces; of a coordinate axis pair none is preferred."""
    if solid == "dodecahedron":
        corners = [(0.0, 1.0, sign * GOLDEN) for sign in (1, -1)]
    else:
        corners = [(0.0, 1 / GOLDEN, sign * GOLDEN) for sign in (1, -1)]
    vectors = [np.roll(corner, turn) for turn in range(3) for corner in corners]
    if solid == "icosahedron":
        vectors += [np.array((1.0, y, x)) for y in (1.0, -1.0) for x in (1.0, -1.0)]
    found = np.array(vectors)
    return np.asarray(found / np.linalg.norm(found, axis=1, keepdims=True))


def votes(gradients: Floats, axes: Floats) -> Floats:
    """What gradients ``(…, 3)`` give to each of the axes ``(n, 3)``: ``(…, n)``, of the gradient's own length."""
    lengths = np.linalg.norm(gradients, axis=-1, keepdims=True)
    alike = np.abs(axes @ axes.T)
    neighbour = alike[alike < 1 - 1e-9].max()
    shares = np.abs(gradients @ axes.T) / np.where(lengths > 0, lengths, 1.0)
    shares = np.maximum(shares - neighbour, 0.0)
    total = np.linalg.norm(shares, axis=-1, keepdims=True)
    return np.asarray(lengths * shares / np.where(total > 0, total, 1.0))


def gradient_histograms(volume: npt.NDArray[Any], *, cells: int, solid: Solid) -> Floats:
    """Votes of the gradients of a volume with equal samples along its axes, summed in each cell.

    Parameters
    ----------
    volume
        ``(z, y, x)``, at least 2 samples along each axis.
    cells
        Cells along each axis.

    Returns
    -------
    numpy.ndarray
        ``(cells, cells, cells, axes)`` along z, y, x and of :func:`face_axes`, not normalized.
    """
    axes = face_axes(solid)
    slopes = [np.gradient(np.asarray(volume, dtype=np.float64), axis=axis) for axis in range(3)]
    shared = votes(np.stack(slopes, axis=-1), axes)
    for axis, n in enumerate(volume.shape):
        shared = np.add.reduceat(shared, [n * cell // cells for cell in range(cells)], axis=axis)
    return shared


def normalized(histograms: Floats) -> Floats:
    """All histograms together with length 1, each value at most ``CLIPPED`` before that (L2-Hys)."""
    once = np.minimum(histograms / np.sqrt((histograms**2).sum() + FLAT**2), CLIPPED)
    return np.asarray(once / np.sqrt((once**2).sum() + FLAT**2))
