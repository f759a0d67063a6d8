"""The peak of a region: the mean of a sphere of 1 cm³, which a single noisy voxel moves less than the maximum.

A voxel belongs to the sphere when its centre lies in it. Voxels of the surroundings count, as the IBSI has it
(arXiv:1612.07003, section 3.2) and PERCIST (doi:10.2967/jnumed.108.057307); where the image ends, so does the sphere.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from storage.volume import Triple
from tasks.extract.region import Region, widened
from tasks.imaging.morphology import mask_box

RADIUS_MM = 10 * (3 / (4 * np.pi)) ** (1 / 3)
"""Of a sphere of 1 cm³: 6.2 mm."""
MARGIN_MM = (RADIUS_MM, RADIUS_MM, RADIUS_MM)


class Peaks(NamedTuple):
    """Means of spheres around voxels of the intensity mask.

    Attributes
    ----------
    at_maximum
        Around the highest intensity; of several such, the highest mean.
    highest
        The highest of all.
    """

    at_maximum: float
    highest: float


def peaks(region: Region) -> Peaks:
    """The peaks of a region that has at least one intensity, and the margin ``MARGIN_MM``."""
    from tasks.extract.kernels.sphere_mean import sphere_means

    near = widened(mask_box(region.counted), MARGIN_MM, region.mask.shape, region.spacing_mm)
    counted = np.ascontiguousarray(region.counted[near])
    image = np.ascontiguousarray(region.image[near], dtype=np.float64)
    means = sphere_means(image, counted, _rows(region.spacing_mm))[counted]
    values = image[counted]
    return Peaks(float(means[values == values.max()].max()), float(means.max()))


def _rows(spacing_mm: Triple) -> npt.NDArray[np.int64]:
    """Rows ``(dz, dy, half)`` of the sphere, see the kernel."""
    reach = [int(RADIUS_MM / s) for s in spacing_mm[:2]]
    z, y = (axis.ravel() for axis in np.mgrid[-reach[0] : reach[0] + 1, -reach[1] : reach[1] + 1])
    left = RADIUS_MM**2 - (z * spacing_mm[0]) ** 2 - (y * spacing_mm[1]) ** 2
    inside = left >= 0
    half = np.sqrt(left[inside]) / spacing_mm[2]
    return np.ascontiguousarray(np.stack([z[inside], y[inside], half.astype(np.int64)], axis=1))
