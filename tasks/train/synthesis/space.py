"""A feature space in which generated images are judged and plain classifiers learn: shapes of edges, and grey values.

Gradient histograms say what is where (Dalal & Triggs 2005, doi:10.1109/CVPR.2005.177; in 3-D
`tasks.imaging.oriented_gradients`), block means how bright. Scale and principal components come from the images that
the space is fitted to, which are training images. A study with a feature table of its own can give that table to
`tasks.metrics.synthesis` instead.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

FloatArray = npt.NDArray[np.float64]
Images = npt.NDArray[Any]

CELLS = 4
"""Cells of gradient histograms along each axis, and blocks of grey values."""
ORIENTATIONS = 9
COMPONENTS = 32


def described(images: Images) -> FloatArray:
    """Features ``(n, columns)`` of images ``(n, channels, y, x)`` or ``(n, channels, z, y, x)``; colours are averaged.

    Raises
    ------
    ValueError
        For images with fewer than 8 samples along y or x.
    """
    if images.ndim not in (4, 5) or min(images.shape[-2:]) < 2 * CELLS:
        raise ValueError(
            f"expected images (n, channels, [z,] y, x) of at least {2 * CELLS} × {2 * CELLS}; got {images.shape}"
        )
    grey = images.astype(np.float64).mean(axis=1)
    return np.stack([np.concatenate([_edges(one), _blocks(one).ravel()]) for one in grey])


@dataclass(frozen=True, eq=False)
class Space:
    """Scale and axes of a feature space, as the training images had them."""

    mean: FloatArray
    scale: FloatArray
    axes: FloatArray

    def place(self, images: Images) -> FloatArray:
        """Where images lie, ``(n, components)``."""
        return np.asarray(((described(images) - self.mean) / self.scale) @ self.axes.T)


def fit_space(images: Images, *, components: int = COMPONENTS) -> Space:
    """The space of some images: at most so many principal components of their standardized features."""
    features = described(images)
    mean, scale = features.mean(axis=0), features.std(axis=0)
    scale[scale < 1e-9] = 1.0
    _, _, axes = np.linalg.svd((features - mean) / scale, full_matrices=False)
    return Space(mean, scale, axes[: min(components, len(images) - 1)])


def _edges(grey: FloatArray) -> FloatArray:
    if grey.ndim == 3:
        from tasks.imaging.oriented_gradients import gradient_histograms, normalized

        return normalized(gradient_histograms(grey, cells=min(CELLS, *grey.shape), solid="dodecahedron")).ravel()
    from skimage.feature import hog

    cell = (grey.shape[0] // CELLS, grey.shape[1] // CELLS)
    return np.asarray(hog(grey, ORIENTATIONS, pixels_per_cell=cell, cells_per_block=(2, 2), block_norm="L2-Hys"))


def _blocks(grey: FloatArray) -> FloatArray:
    """Mean grey of each block."""
    for axis, size in enumerate(grey.shape):
        cells = min(CELLS, size)
        starts = [size * cell // cells for cell in range(cells)]
        counts = np.diff([*starts, size]).reshape([-1 if one == axis else 1 for one in range(grey.ndim)])
        grey = np.add.reduceat(grey, starts, axis=axis) / counts
    return grey
