"""Several matrices of counts, of which only the elements that are not 0 are kept.

With thousands of levels, a matrix has millions of elements, and a region fills few of them; matrices that are empty, as
of a slice without pairs, drop out by themselves.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Self

import numpy as np
import numpy.typing as npt

from storage.volume import FloatArray

Index = npt.NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Counts:
    """Elements of matrices that are not empty, matrix by matrix, row by row.

    Attributes
    ----------
    matrix, row, column
        Where each element is; matrices are numbered from 0.
    count
        The elements, as ``float64``.
    starts
        Where in these arrays each matrix begins.
    """

    matrix: Index
    row: Index
    column: Index
    count: FloatArray
    starts: Index

    @classmethod
    def of_cells(cls, cells: Index, count: npt.NDArray[Any], shape: tuple[int, int]) -> Self:
        """Of elements that are known by their place in the raveled matrices.

        Parameters
        ----------
        cells
            ``(matrix * rows + row) * columns + column``, ascending, each once.
        count
            The elements, none 0.
        shape
            Rows and columns of each matrix.
        """
        lines, column = np.divmod(cells, shape[1])
        matrix, row = np.divmod(lines, shape[0])
        starts = np.flatnonzero(np.diff(matrix, prepend=-1))
        sizes = np.diff(starts, append=len(cells))
        return cls(np.repeat(np.arange(len(starts)), sizes), row, column, count.astype(np.float64), starts)

    @classmethod
    def of_matrices(cls, matrices: npt.NDArray[Any]) -> Self:
        """Of matrices ``(…, rows, columns)``."""
        flat = matrices.reshape(-1)
        cells = np.flatnonzero(flat)
        return cls.of_cells(cells, flat[cells], (matrices.shape[-2], matrices.shape[-1]))

    @classmethod
    def of_list(cls, matrix: Index, row: Index, column: Index) -> Self:
        """Of what is to be counted: it adds 1 to an element each."""
        shape = int(row.max()) + 1, int(column.max()) + 1
        cells, count = np.unique((matrix * shape[0] + row) * shape[1] + column, return_counts=True)
        return cls.of_cells(cells, count, shape)

    @property
    def totals(self) -> FloatArray:
        """Sum of each matrix."""
        return self.sums(self.count)

    def sums(self, terms: FloatArray) -> FloatArray:
        """Sums over each matrix, along the last axis, of one number for each element."""
        return np.asarray(np.add.reduceat(terms, self.starts, axis=-1))

    def gathered(self, places: Index, terms: FloatArray, size: int) -> FloatArray:
        """Sums over the elements of each matrix that have the same place, ``(matrices, size)``."""
        found = np.bincount(self.matrix * size + places, terms, minlength=len(self.starts) * size)
        return np.asarray(found, dtype=np.float64).reshape(-1, size)
