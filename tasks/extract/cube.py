"""A cube around a candidate, sampled on a small fixed grid: what families of fixed blocks and of transforms look at.

The cube follows the size of the candidate, so that what is found in it means fractions of a lesion; its edge beyond the
candidate lets the local contrast in. Size itself is the shape family's.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from pydantic import Field

from storage.volume import Triple
from tasks.extract.region import Region
from tasks.imaging.morphology import mask_box
from tasks.settings import StageSettings

Floats = npt.NDArray[np.float64]


class CubeSettings(StageSettings):
    """How the cube is cut.

    Attributes
    ----------
    side_mm
        Side of the cube in mm; ``None``: ``context`` times the largest side of the candidate's box.
    context
        See ``side_mm``; 1.5 leaves a quarter of the candidate's size on either side.
    samples
        Samples along each side of the cube.
    smoothing_samples
        Sigma of a Gaussian over the cube, in samples; 0 for none.
    """

    side_mm: float | None = Field(None, gt=0)
    context: float = Field(1.5, ge=1)
    samples: int = Field(16, ge=2, le=64)
    smoothing_samples: float = Field(0.5, ge=0)


def cube_margin_mm(extent_mm: Triple, settings: CubeSettings) -> Triple:
    """Surroundings that the cube needs along ``(z, y, x)``, and room for its interpolation."""
    side = cube_side_mm(extent_mm, settings)
    room = side / settings.samples * (1 + 4 * settings.smoothing_samples)
    z, y, x = (max(0.0, (side - extent) / 2) + room for extent in extent_mm)
    return z, y, x


def cube(region: Region, settings: CubeSettings) -> Floats:
    """The cube centred on the candidate's box, interpolated linearly; wide samples are means of sub-samples.

    Where the image ends inside the cube, its last voxels are repeated. Families that cut alike share one cube.
    """
    cut = CubeSettings(**{name: getattr(settings, name) for name in CubeSettings.model_fields})
    return region.once(f"cube {cut!r}", lambda one: _cube(one, cut))


def cube_side_mm(extent_mm: Triple, settings: CubeSettings) -> float:
    """Side of the cube in mm around a candidate whose box has this extent."""
    return settings.side_mm if settings.side_mm is not None else settings.context * max(extent_mm)


def _cube(region: Region, settings: CubeSettings) -> Floats:
    from scipy import ndimage

    box, spacing = mask_box(region.mask), np.asarray(region.spacing_mm)
    extent = [(side.stop - side.start) * s for side, s in zip(box, spacing, strict=True)]
    step = cube_side_mm((extent[0], extent[1], extent[2]), settings) / settings.samples
    finer = [max(1, round(step / s)) for s in spacing]
    image = np.asarray(region.image, dtype=np.float64)
    for axis, (side, s, parts) in enumerate(zip(box, spacing, finer, strict=True)):
        n = settings.samples * parts
        at = (side.start + side.stop - 1) / 2 + (np.arange(n) - (n - 1) / 2) * step / parts / s
        image = _interpolate(image, at, axis)
        image = image.reshape(*image.shape[:axis], settings.samples, parts, *image.shape[axis + 1 :]).mean(
            axis=axis + 1
        )
    if settings.smoothing_samples:
        image = ndimage.gaussian_filter(image, settings.smoothing_samples, mode="nearest")
    return image


def _interpolate(image: Floats, at: Floats, axis: int) -> Floats:
    """Linear interpolation at fractional indices along one axis, constant beyond the ends."""
    at = np.clip(at, 0, image.shape[axis] - 1)
    low = np.minimum(at.astype(int), max(image.shape[axis] - 2, 0))
    weight = (at - low).reshape([-1 if a == axis else 1 for a in range(3)])
    high = np.minimum(low + 1, image.shape[axis] - 1)
    return np.asarray(np.take(image, low, axis) * (1 - weight) + np.take(image, high, axis) * weight)
