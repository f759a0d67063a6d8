"""The median of 3×3×3 voxels beside SimpleITK's: both repeat the voxels of the faces outside."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from tests.benchmarks.row import Array, Row


def ours(volume: Array) -> Callable[[], Array]:
    from tasks.imaging.denoise.median import median

    return lambda: median(volume, spacing_mm=(1.0, 1.0, 1.0), size=3)


def theirs(volume: Array) -> Callable[[], Any]:
    import SimpleITK as sitk

    image = sitk.GetImageFromArray(volume)
    return lambda: sitk.Median(image, [1, 1, 1])


ROW = Row(
    work="median",
    peer="simpleitk",
    ours=ours,
    theirs=theirs,
    tolerance=0.0,
    says="3×3×3 voxels, int16, compared everywhere",
    wanted=5.0,
)
