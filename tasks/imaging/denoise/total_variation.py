"""Total-variation denoising: the image with the least sum of gradients that is still near to what was measured.

Even surfaces become flat and edges stay sharp (Rudin, Osher and Fatemi, doi:10.1016/0167-2789(92)90242-F), by
Chambolle's iteration (doi:10.1023/B:JMIV.0000011325.36760.1e). A fixed number of iterations, each of which looks one
voxel farther, can be done in blocks. Differences are per distance: those between thick slices count less. Fine texture
is taken for noise: the result looks painted where the weight is large. In colour each channel is for itself.
"""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from tasks.imaging.noise import noise_level
from tasks.imaging.step import Array, Blocks, Facts, Index, Spacing, Step, View, floating, per_channel


def total_variation(array: Array, *, spacing_mm: Spacing, weight: float, iterations: int = 30) -> Array:
    """Bring the total variation down.

    Parameters
    ----------
    array
        ``(y, x)`` or ``(z, y, x)``, perhaps with colour last.
    spacing_mm
        Along the spatial axes, in mm.
    weight
        As scikit-image's ``denoise_tv_chambolle`` has it, in the image's unit: about the noise's standard deviation; of
        0 nothing is changed.
    iterations
        As many as there are give the result of ``denoise_tv_chambolle`` with one more, of voxels that are cubes.

    Returns
    -------
    numpy.ndarray
        float32, or float64 of float64.
    """
    if weight <= 0:
        return floating(array)
    from tasks.imaging.kernels.total_variation import smallest_variation

    ease = [min(spacing_mm) / s for s in spacing_mm]
    return per_channel(
        lambda grey: smallest_variation(grey, weight, ease, iterations), floating(array), len(spacing_mm)
    )


class Settings(Step):
    """Total variation brought down with ``times_noise`` the noise that is measured in the image as weight."""

    name: Literal["total_variation"] = "total_variation"
    times_noise: float = Field(default=1.0, gt=0, le=20, description="Weight in standard deviations of the noise.")
    iterations: int = Field(default=30, ge=1, le=200, description="How often the solution is bettered.")

    def halo(self, spacing_mm: Spacing) -> Index:
        """A voxel for each iteration."""
        return (self.iterations,) * len(spacing_mm)

    def measure(self, blocks: Blocks, view: View) -> Facts:
        """The weight."""
        return {"weight": self.times_noise * noise_level(blocks, view)}

    def apply(self, block: Array, view: View) -> Array:
        """Denoise the block."""
        weight = view.measured["weight"]
        return total_variation(block, spacing_mm=view.spacing_mm, weight=weight, iterations=self.iterations)
