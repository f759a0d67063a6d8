"""Polygons filled at pixel centres by the even-odd rule, row by row.

scikit-image asks of every pixel of the box whether it is inside; here each edge turns over the pixels beside it in the
rows that it crosses, which costs as much as the contour is long. The pixels are the same, those on an edge or a vertex
included: a ray to the right and one to the left are counted apart, and where either is odd the pixel belongs to the
polygon (O'Rourke 1998, Computational Geometry in C, section 7.4).
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from numba import njit

from storage.volume import FloatArray

AT_VERTEX = 1e-12
"""A centre so near to a vertex, in pixels, is on it, as scikit-image has it."""


def turn_over(mask: npt.NDArray[np.bool_], rows: FloatArray, columns: FloatArray) -> None:
    """Turn the pixels of one slice over that lie within a closed polygon.

    Parameters
    ----------
    mask
        ``(y, x)``, written in place; what lies outside is cut off.
    rows, columns
        Of the vertices, in pixels; the last one is joined to the first.
    """
    inside = np.zeros(mask.shape, dtype=np.bool_)
    _fill(inside, np.ascontiguousarray(rows, np.float64), np.ascontiguousarray(columns, np.float64))
    mask ^= inside


@njit(cache=True, nogil=True)
def _fill(inside: npt.NDArray[np.bool_], rows: npt.NDArray[np.float64], columns: npt.NDArray[np.float64]) -> None:
    height, width = inside.shape
    n = rows.size
    right, left = np.zeros((height, width), dtype=np.bool_), np.zeros((height, width), dtype=np.bool_)
    for i in range(n):
        y0, x0, y1, x1 = rows[i - 1], columns[i - 1], rows[i], columns[i]
        for row in range(max(int(np.ceil(min(y0, y1))), 0), min(int(np.floor(max(y0, y1))) + 1, height)):
            to_right, to_left = (y0 > row) != (y1 > row), (y0 < row) != (y1 < row)
            if not (to_right or to_left):
                continue
            near = int(np.rint(x0 + (row - y0) * (x1 - x0) / (y1 - y0)))
            if to_right:
                for column in range(min(near, width)):
                    right[row, column] = not right[row, column]
            if to_left:
                for column in range(max(near + 1, 0), width):
                    left[row, column] = not left[row, column]
            if 0 <= near < width:
                beyond = ((x0 - near) * (y1 - row) - (x1 - near) * (y0 - row)) / ((y1 - row) - (y0 - row))
                if to_right and beyond > 0:
                    right[row, near] = not right[row, near]
                if to_left and beyond < 0:
                    left[row, near] = not left[row, near]
    for row in range(height):
        for column in range(width):
            inside[row, column] = right[row, column] or left[row, column]
    for i in range(n):
        y, x = np.rint(rows[i]), np.rint(columns[i])
        if abs(rows[i] - y) < AT_VERTEX and abs(columns[i] - x) < AT_VERTEX and 0 <= y < height and 0 <= x < width:
            inside[int(y), int(x)] = True
