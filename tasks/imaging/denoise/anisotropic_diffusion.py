"""Anisotropic diffusion: intensities even out within tissues, and edges hold them back.

Heat flows from voxel to voxel, the less the steeper the gradient between them: ``exp(-(gradient / conductance)²)``
(Perona and Malik, doi:10.1109/34.56205, their first function). Gradients are per mm, so that thick slices exchange as
much less as they lie farther apart. In colour each channel is for itself.
"""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from tasks.imaging.noise import noise_level
from tasks.imaging.step import Array, Blocks, Facts, Index, Spacing, Step, View, floating, per_channel


def anisotropic_diffusion(array: Array, *, spacing_mm: Spacing, conductance: float, iterations: int = 10) -> Array:
    """Let intensities flow for some steps of time; nothing flows through the border.

    Parameters
    ----------
    array
        ``(y, x)`` or ``(z, y, x)``, perhaps with colour last.
    spacing_mm
        Along the spatial axes, in mm.
    conductance
        Difference of neighbours along the axis of the smallest spacing, in the image's unit, of which ``exp(-1)`` still
        flows; of 0 nothing is changed.
    iterations
        Steps of time, each half as long as the largest stable one: it evens out a chequerboard at once.

    Returns
    -------
    numpy.ndarray
        float32, or float64 of float64.
    """
    if conductance <= 0:
        return floating(array)
    from tasks.imaging.kernels.diffusion import diffused

    values = floating(array)
    return per_channel(lambda grey: diffused(grey, spacing_mm, conductance, iterations), values, len(spacing_mm))


class Settings(Step):
    """Anisotropic diffusion; without ``conductance``, of ``times_noise`` the noise that is measured in the image."""

    name: Literal["anisotropic_diffusion"] = "anisotropic_diffusion"
    iterations: int = Field(default=10, ge=1, le=100, description="Steps of time.")
    times_noise: float = Field(default=2.0, gt=0, le=20, description="Conductance in standard deviations of the noise.")
    conductance: float | None = Field(default=None, gt=0, description="Conductance in the image's unit.")

    def halo(self, spacing_mm: Spacing) -> Index:
        """A voxel for each step of time."""
        return (self.iterations,) * len(spacing_mm)

    def measure(self, blocks: Blocks, view: View) -> Facts:
        """The conductance."""
        return {"conductance": self.conductance or self.times_noise * noise_level(blocks, view)}

    def apply(self, block: Array, view: View) -> Array:
        """Diffuse within the block."""
        width = view.measured["conductance"]
        return anisotropic_diffusion(block, spacing_mm=view.spacing_mm, conductance=width, iterations=self.iterations)
