"""What the rows of resampling share: the same two grids for both sides."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Literal

from tests.benchmarks.row import Array, Prepare

OLD_MM, NEW_MM = (1.25, 0.7, 0.7), (1.0, 1.0, 1.0)


def both(interpolation: Literal["linear", "cubic"]) -> tuple[Prepare, Prepare]:
    """Ours and SimpleITK's."""

    def ours(volume: Array) -> Callable[[], Array]:
        from tasks.imaging.geometry.resample import Settings
        from tasks.imaging.step import apply_step

        step = Settings(spacing_mm=NEW_MM, interpolation=interpolation)
        return lambda: apply_step(step, volume, OLD_MM)

    def theirs(volume: Array) -> Callable[[], Any]:
        import numpy as np
        import SimpleITK as sitk

        image = sitk.GetImageFromArray(volume)
        image.SetSpacing(OLD_MM[::-1])
        old, new = np.asarray(OLD_MM), np.asarray(NEW_MM)
        size = np.ceil(np.asarray(volume.shape) * old / new - 1e-6)
        origin = ((np.asarray(volume.shape) - 1) * old - (size - 1) * new) / 2  # the centres coincide
        resample = sitk.ResampleImageFilter()
        resample.SetSize([int(n) for n in size[::-1]])
        resample.SetOutputOrigin(origin[::-1].tolist())
        resample.SetOutputSpacing(NEW_MM[::-1])
        resample.SetOutputPixelType(sitk.sitkFloat32)
        resample.SetInterpolator({"linear": sitk.sitkLinear, "cubic": sitk.sitkBSpline}[interpolation])
        return lambda: resample.Execute(image)

    return ours, theirs
