"""Random texture: tissue that is not uniform, and the grain of a scanner."""

from __future__ import annotations

import numpy as np
from scipy import ndimage

from storage.volume import Triple
from tasks.phantom.canvas import Float32


def smooth_noise(
    rng: np.random.Generator, shape: tuple[int, int, int], spacing_mm: Triple, *, scale_mm: float
) -> Float32:
    """Noise of zero mean and about unit deviation whose blobs are about ``scale_mm`` wide, shape ``(z, y, x)``.

    A coarse random grid is interpolated linearly: cheap, and good enough for tissue.
    """
    coarse_shape = tuple(int(np.ceil(n * s / scale_mm)) + 2 for n, s in zip(shape, spacing_mm, strict=True))
    field = rng.standard_normal(coarse_shape, dtype=np.float32)
    for axis, (n, s) in enumerate(zip(shape, spacing_mm, strict=True)):
        position = np.arange(n) * min(s / scale_mm, 1.0)
        low = position.astype(int)
        weight = (position - low).astype(np.float32).reshape([-1 if a == axis else 1 for a in range(3)])
        field = field.take(low, axis) * (1.0 - weight) + field.take(low + 1, axis) * weight
    return np.asarray(field / max(float(field.std()), 1e-6), dtype=np.float32)


def scanner_noise(
    rng: np.random.Generator, shape: tuple[int, int, int], spacing_mm: Triple, *, noise_hu: float
) -> Float32:
    """Noise as filtered back-projection leaves it: grainy, weak at low frequencies, of deviation ``noise_hu``.

    White noise is smoothed in the plane by a narrow Gaussian minus half of a wider one, which gives the ramp at low and
    the roll-off at high frequencies of a CT noise power spectrum (doi:10.1088/0031-9155/32/5/003).
    """
    white = rng.standard_normal(shape, dtype=np.float32)
    narrow = [0.0, *(max(0.9 / s, 0.35) for s in spacing_mm[1:])]
    wide = [0.0, *(max(2.6 / s, 1.0) for s in spacing_mm[1:])]
    grain = ndimage.gaussian_filter(white, narrow, truncate=3.0)
    grain -= np.float32(0.6) * ndimage.gaussian_filter(grain, wide, truncate=2.0)
    return np.asarray(grain * np.float32(noise_hu / grain.std()), dtype=np.float32)
