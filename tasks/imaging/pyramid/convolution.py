"""The pyramid of a convolutional network: each level is the one before, convolved, and of each block the largest value.

Unlike a mean, the largest value does not fade: what answers strongly to the kernel is still seen on the coarsest level,
though no longer exactly where. Kernels are fixed ones or learned elsewhere; there is no activation between the levels,
since taking the largest is what makes them more than one large kernel.

As torch has it, the kernel is laid over the image as it is, not turned by 180°. At the border the nearest voxel counts
on. Sizes are those of :mod:`tasks.imaging.pyramid.formula`; but a voxel of a level stands for two of the one before
along each halved axis, and its centre lies between theirs.

References
----------
LeCun et al. 1998, doi:10.1109/5.726791; Riesenhuber & Poggio 1999, doi:10.1038/14819 (the largest instead of the mean)
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Literal

import numpy as np

from tasks.imaging.pyramid.formula import UNTIL, Grid, grids
from tasks.imaging.step import Array, Spacing, floating

if TYPE_CHECKING:
    import torch

Kernel = Literal["box", "gaussian", "edge"]
"""3 taps along each axis: the mean; the binomial 1 2 1; a voxel less the mean of its neighbours."""


def convolution_pyramid(
    array: Array,
    *,
    spacing_mm: Spacing,
    kernels: Kernel | Sequence[Array | torch.Tensor] = "gaussian",
    levels: int | None = None,
    until: int = UNTIL,
) -> list[Array]:
    """An image and its coarser levels, finest first.

    Parameters
    ----------
    array
        ``(y, x)`` or ``(z, y, x)``, perhaps with colour last. It is level 0 as it is, uncopied.
    kernels
        A fixed kernel, which every level applies to each colour; or kernels ``(out, in, …)`` with odd sides along the
        spatial axes: one for all levels, or one for each level beside the image.
    spacing_mm, levels, until
        As in :func:`~tasks.imaging.pyramid.formula.grids`.

    Returns
    -------
    list
        Of float32 arrays (float64 of float64) from level 1 on. What kernels give comes last, like colour, unless it is
        one number per voxel.
    """
    import torch

    axes = len(spacing_mm)
    sizes = grids(array.shape[:axes], spacing_mm, levels=levels, until=until)
    image = torch.from_numpy(np.ascontiguousarray(np.moveaxis(np.atleast_3d(array) if False else array, -1, 0)))
    raise NotImplementedError
