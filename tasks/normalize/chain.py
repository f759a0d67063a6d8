"""From a volume as it was scanned to one that can be compared with others.

- CT keeps Hounsfield units, PET keeps SUV: both are physical scales already, and only impossible values are cut.
- MR has no scale of its own: it is standardized to mean 0 and standard deviation 1 inside the patient (a threshold
  after Otsu,
  doi:10.1109/TSMC.1979.4310076), from this image alone.
"""

from __future__ import annotations

import numpy as np

from storage.errors import CaseError
from storage.volume import Volume
from tasks.imaging.resample import resample_to_spacing
from tasks.normalize.settings import Settings

CLIP = {"HU": (-1024.0, 3071.0), "SUV": (0.0, 100.0)}
"""What 12 bits of CT can say, and more than any tissue takes up; used where the study gives no range."""


def normalize(volume: Volume, settings: Settings) -> Volume:
    """Bring an image onto the study's grid and scale.

    Parameters
    ----------
    volume
        Image in HU, SUV or arbitrary units, ``(z, y, x)``.

    Returns
    -------
    Volume
        ``float32``; unit HU, SUV or, for arbitrary units, ``"z"`` (standard deviations).

    Raises
    ------
    CaseError
        When voxels are not finite, or all are equal.
    """
    if not np.isfinite(volume.array).all():
        raise CaseError("the image holds values that are not finite numbers")
    if volume.array.min() == volume.array.max():
        raise CaseError(f"the image is empty: all voxels are {float(volume.array.min()):g} {volume.unit}")
    clip = settings.clip or CLIP.get(volume.unit)
    if clip:
        volume = volume.with_array(np.clip(volume.array, *clip))
    if settings.spacing_mm:
        volume = resample_to_spacing(volume, settings.spacing_mm, interpolation=settings.interpolation)
        if clip:  # a spline overshoots at edges
            volume = volume.with_array(np.clip(volume.array, *clip))
    if volume.unit == "arbitrary":
        volume = _standardized(volume)
    return volume.with_array(volume.array.astype(np.float32))


def _standardized(volume: Volume) -> Volume:
    from skimage.filters import threshold_otsu  # 0.4 s to import; CT and PET do without

    inside = volume.array[volume.array > threshold_otsu(volume.array)]
    if inside.size == 0 or inside.std() == 0:
        raise CaseError("the image has no contrast between patient and background")
    return volume.with_array((volume.array - inside.mean()) / inside.std(), unit="z")
