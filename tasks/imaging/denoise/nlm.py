"""Non-local means: the mean of voxels whose surroundings look alike.

Texture and fine lines repeat, noise does not: where patches around two voxels differ by no more than noise, they are
two looks at the same thing (Buades, Coll and Morel, doi:10.1109/CVPR.2005.38; in 3-D Coupé et al.,
doi:10.1109/TMI.2007.906087). In colour, patches are compared by luminance, for all channels alike.
"""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from tasks.imaging.luminance import luminance
from tasks.imaging.noise import noise_level
from tasks.imaging.step import Array, Blocks, Facts, Index, Spacing, Step, View, floating, per_channel

THICK = 2.0
"""Slices so many times as thick as pixels are wide are denoised each for itself, unless it is said otherwise."""


def nlm(
    array: Array,
    *,
    spacing_mm: Spacing,
    noise: float,
    strength: float = 0.6,
    search_radius: int = 3,
    patch_radius: int = 1,
    in_plane: bool | None = None,
) -> Array:
    """Denoise by the means of like patches; the border is mirrored.

    Parameters
    ----------
    array
        ``(y, x)`` or ``(z, y, x)``, perhaps with colour last.
    spacing_mm
        Along the spatial axes, in mm.
    noise
        Its standard deviation, in the image's unit; of 0 nothing is changed.
    strength
        A patch whose mean squared difference exceeds that of noise alone by the square of ``strength * noise`` has the
        weight ``exp(-1)``, as in scikit-image's ``denoise_nl_means(h=strength * noise, sigma=noise)``.
    search_radius
        How far like patches are looked for, in voxels. The work grows with its third power, in-plane its second.
    patch_radius
        Half a patch, in voxels.
    in_plane
        Whether slices are denoised each for itself. ``None``: where they are at least twice as thick as pixels are
        wide.

    Returns
    -------
    numpy.ndarray
        float32, or float64 of float64.
    """
    if noise <= 0:
        return floating(array)
    from tasks.imaging.kernels.likeness import patch_means

    search, patch = (_radii(radius, spacing_mm, in_plane) for radius in (search_radius, patch_radius))
    values = floating(array)
    guide = luminance(values, len(spacing_mm))
    return per_channel(
        lambda grey: patch_means(grey, guide, search, patch, noise, strength * noise), values, len(spacing_mm)
    )


def _radii(radius: int, spacing_mm: Spacing, in_plane: bool | None) -> tuple[int, int, int]:
    """Along ``(z, y, x)``."""
    if in_plane is None:
        in_plane = spacing_mm[0] >= THICK * min(spacing_mm)
    flat = len(spacing_mm) == 2 or in_plane
    return (0 if flat else radius), radius, radius


class Settings(Step):
    """Non-local means of ``strength`` times the noise that is measured in the image."""

    name: Literal["nlm"] = "nlm"
    strength: float = Field(default=0.6, gt=0, le=5, description="Width of likeness, times the noise.")
    search_radius: int = Field(default=3, ge=1, le=15, description="Voxels that like patches are looked for in.")
    patch_radius: int = Field(default=1, ge=1, le=5, description="Half a patch, in voxels.")
    in_plane: bool | None = Field(default=None, description="Slices each for itself; by default thick ones.")

    def halo(self, spacing_mm: Spacing) -> Index:
        """As far as is looked, and half a patch."""
        return _radii(self.search_radius + self.patch_radius, spacing_mm, self.in_plane)[-len(spacing_mm) :]

    def measure(self, blocks: Blocks, view: View) -> Facts:
        """The noise."""
        return {"noise": noise_level(blocks, view)}

    def apply(self, block: Array, view: View) -> Array:
        """Denoise the block."""
        options = self.model_dump(exclude={"name"})
        return nlm(block, spacing_mm=view.spacing_mm, noise=view.measured["noise"], **options)
