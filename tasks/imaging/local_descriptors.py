"""Local descriptors: what the surroundings of many points of a picture look like, the points on a regular grid.

A descriptor tells the texture around its point and where the point lies:

- *orientations*: 4 × 4 cells around the point, in each the gradients of 8 directions, told apart from bright to dark
  and from dark to bright (Lowe 2004, doi:10.1023/B:VISI.0000029664.99615.94). Their sum is 1, cut at a fifth of their
  length and under the square root (Arandjelović & Zisserman 2012, doi:10.1109/CVPR.2012.6248018). Cells are Gaussian
  windows on maps of the whole picture, as in DAISY (Tola et al. 2010, doi:10.1109/TPAMI.2009.77), so that neighbouring
  descriptors share the work; a map is multiplied by the windows of all rows and of all columns of cells.
- *intensities*: mean, standard deviation, and logarithm of the length of the orientations. Unlike Lowe's, which are
  made to ignore lighting, these tell an enhanced tumour from brain of the same texture.
- *place*: row and column, -0.5 to 0.5 of the picture's side.
"""

from __future__ import annotations

from functools import cache

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from tasks.imaging.morphology import BoolArray

Floats = npt.NDArray[np.float32]

CELLS = 4
"""Along each side of a descriptor's surroundings."""
DIRECTIONS = 8
ORIENTATIONS = CELLS**2 * DIRECTIONS
"""The first columns of a descriptor; then `INTENSITIES` and `PLACES`."""
INTENSITIES = 3
PLACES = 2
COLUMNS = ORIENTATIONS + INTENSITIES + PLACES

_CUT = 0.2
_FAINT = 1e-3


def local_descriptors(grey: Floats, content: BoolArray, *, cell_px: int, step_px: int) -> Floats:
    """Descriptors of the points of a grid that lie in a picture's content.

    Parameters
    ----------
    grey
        float32 ``(side, side)``, 0–1.
    content
        bool, same shape.
    cell_px
        Side of a cell: a descriptor looks at ``4 · cell_px`` pixels.
    step_px
        Between points. The outermost keep a cell's distance from the picture's edge, beyond which cells repeat it.

    Returns
    -------
    numpy.ndarray
        float32 ``(points, COLUMNS)``, row by row.
    """
    side = grey.shape[0]
    points = np.arange(cell_px, side - cell_px, step_px)
    here = np.ix_(points, points)
    inside = content[here]
    windows = _windows(side, cell_px, step_px)
    cells = windows @ _direction_maps(grey, blur=cell_px / 6) @ windows.T
    cells = cells.reshape(DIRECTIONS, len(points), CELLS, len(points), CELLS)
    found = cells.transpose(1, 3, 2, 4, 0)[inside].reshape(-1, ORIENTATIONS)
    length = np.linalg.norm(found, axis=-1, keepdims=True)
    cut = np.minimum(found / (length + _FAINT), _CUT)
    shares = np.sqrt(cut / (cut.sum(axis=-1, keepdims=True) + np.finfo(np.float32).tiny))
    mean, square = (ndimage.uniform_filter(one, 2 * cell_px)[here][inside] for one in (grey, grey**2))
    places = (points / side - 0.5)[np.argwhere(inside)].T
    beside = [mean, np.sqrt(np.maximum(square - mean**2, 0)), np.log(length[:, 0] + 10 * _FAINT), *places]
    return np.concatenate([shares, np.stack(beside, axis=-1)], axis=-1, dtype=np.float32)


@cache
def _windows(side: int, cell_px: int, step_px: int) -> Floats:
    """The Gaussian windows of all cells along one side: ``(points · CELLS, side)``, rows of sum 1."""
    points = np.arange(cell_px, side - cell_px, step_px)
    cells = np.rint((np.arange(CELLS) - (CELLS - 1) / 2) * cell_px).astype(int)
    middles = np.clip(points[:, None] + cells, 0, side - 1)
    weights = ndimage.gaussian_filter1d(np.eye(side), cell_px / 2, axis=0)[middles.ravel()]
    return np.asarray(weights, dtype=np.float32)


def _direction_maps(grey: Floats, *, blur: float) -> Floats:
    """Strength of the gradients along each direction ``(8, side, side)``; the two nearest directions share one."""
    down, right = np.gradient(ndimage.gaussian_filter(grey, blur))
    turn = np.arctan2(down, right) / (2 * np.pi) * DIRECTIONS
    turn += DIRECTIONS * (turn < 0)
    apart = np.abs(turn - np.arange(DIRECTIONS, dtype=np.float32)[:, None, None])
    nearness = 1 - np.minimum(apart, DIRECTIONS - apart)
    return np.asarray(np.hypot(down, right) * np.maximum(nearness, 0), dtype=np.float32)
