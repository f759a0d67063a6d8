"""Local descriptors: what the surroundings of many points of a picture look like, the points on a regular grid.

A descriptor tells the texture around its point and where the point lies:

- *orientations*: 4 × 4 cells around the point, in each the gradients of 8 directions, told apart from bright to dark
  and from dark to bright (Lowe 2004, doi:10.1023/B:VISI.0000029664.99615.94). Their sum is 1, cut at a fifth of their
  length and under the square root (Arandjelović & Zisserman 2012, doi:10.1109/CVPR.2012.6248018). Cells are Gaussian
  windows on maps of the whole picture, as in DAISY (Tola et al. 2010, doi:10.1109/TPAMI.2009.77), so that neighbouring
  descriptors share the work.
- *intensities*: mean, standard deviation, and logarithm of the length of the orientations. Unlike Lowe's, which are
  made to ignore lighting, these tell an enhanced tumour from brain of the same texture.
- *place*: row and column, -0.5 to 0.5 of the picture's side.
"""

from __future__ import annotations

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
    cells = np.rint((np.arange(CELLS) - (CELLS - 1) / 2) * cell_px).astype(int)
    sampled = np.clip(points[:, None] + cells, 0, side - 1)
    maps = ndimage.gaussian_filter(_direction_maps(grey, blur=cell_px / 6), (0, cell_px / 2, cell_px / 2))
    found = maps[:, sampled[:, None, :, None], sampled[None, :, None, :]]
    found = np.moveaxis(found, 0, -1).reshape(len(points), len(points), ORIENTATIONS)
    length = np.linalg.norm(found, axis=-1, keepdims=True)
    cut = np.minimum(found / (length + _FAINT), _CUT)
    shares = np.sqrt(cut / (cut.sum(axis=-1, keepdims=True) + np.finfo(np.float32).tiny))
    here = np.ix_(points, points)
    mean, square = (ndimage.uniform_filter(one, 2 * cell_px)[here] for one in (grey, grey**2))
    places = np.meshgrid(*(points / side - 0.5,) * 2, indexing="ij")
    beside = [mean, np.sqrt(np.maximum(square - mean**2, 0)), np.log(length[..., 0] + 10 * _FAINT), *places]
    found = np.concatenate([shares, np.stack(beside, axis=-1)], axis=-1)
    return np.asarray(found[content[here]], dtype=np.float32)


def _direction_maps(grey: Floats, *, blur: float) -> Floats:
    """Strength of the gradients along each direction ``(8, side, side)``; the two nearest directions share one."""
    down, right = np.gradient(ndimage.gaussian_filter(grey, blur))
    turn = np.arctan2(down, right) / (2 * np.pi) * DIRECTIONS
    away = np.abs((turn - np.arange(DIRECTIONS)[:, None, None] + DIRECTIONS / 2) % DIRECTIONS - DIRECTIONS / 2)
    return np.asarray(np.hypot(down, right) * np.maximum(1 - away, 0), dtype=np.float32)
