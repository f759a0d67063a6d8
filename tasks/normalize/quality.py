"""Figures that say how good an image is, before and after normalize: what a reader would want to know of a bad result.

They are taken from slices spread evenly over the volume, in the slice's plane, so that they cost little, do not depend
on how thick slices are, and a volume of any size gives them.

- *noise*: its standard deviation in the patient, see :mod:`tasks.imaging.noise`.
- *snr*: the patient's median above that of what surrounds him, over the noise.
- *cnr*: distance between the two classes into which Otsu's threshold (doi:10.1109/TSMC.1979.4310076) divides the
  patient, over the noise.
- *sharpness*: 99th percentile of the gradient inside the patient per mm, over the range from the 2nd to the 98th
  percentile of the slices: 1/mm, the steepness of the clear edges.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from storage.volume import Volume
from tasks.imaging.noise import noise_of
from tasks.normalize.chain import Done

SLICES = 32
BODY_ABOVE = {"HU": -500.0, "SUV": 0.1}
"""The patient is what lies above it; for other units, above Otsu's threshold."""
_FEW = 64
"""Fewer voxels give no figure."""

Floats = npt.NDArray[np.floating[Any]]
Figures = dict[str, float | None]


def quality(source: Volume, result: Volume, seen: Mapping[str, float | None]) -> dict[str, Any]:
    """Figures of a case; arrays may be anything that can be cut like NumPy's.

    Parameters
    ----------
    source, result
        The image as it was scanned, and normalized.
    seen
        What :func:`seen_in` saw in the steps between them.

    Returns
    -------
    dict
        ``before`` and ``after`` with the figures above; ``spacing_ratio`` along (z, y, x), new over old;
        ``clipped_share`` and ``bias_strength``, ``None`` where no step says so.
    """
    old, new = source.spacing_mm, result.spacing_mm
    return {
        "before": figures(source),
        "after": figures(result),
        "spacing_ratio": [round(b / a, 6) for a, b in zip(old, new, strict=True)],
        "clipped_share": seen.get("clipped_share"),
        "bias_strength": seen.get("bias_strength"),
    }


def seen_in(done: Done) -> dict[str, float | None]:
    """What a step tells of the image.

    ``clip``: ``clipped_share``, the share of the patient's voxels that it changed. ``n4``: ``bias_strength``, the
    standard deviation of the logarithm of the shading that it took off.
    """
    if done.step.whole and not isinstance(done.after.array, np.ndarray):
        return {}  # a large volume: all of it would be computed again for these slices
    if done.step.name == "clip":
        return {"clipped_share": _changed_share(done)}
    if done.step.name == "n4":
        return {"bias_strength": _bias_strength(done)}
    return {}


def figures(volume: Volume) -> Figures:
    """Noise, SNR, CNR and sharpness of a volume; ``None`` where it has too little of what they are taken from."""
    slices = _slices(volume).astype(np.float32)
    body = _body(slices, volume.unit)
    noise = noise_of(slices, volume.spacing_mm) or None
    inside = slices[body]
    outside = slices[~body]
    signal = float(np.median(inside) - np.median(outside)) if inside.size and outside.size else None
    contrast = _class_distance(inside)
    return {
        "noise": noise,
        "snr": signal / noise if signal is not None and noise else None,
        "cnr": contrast / noise if contrast is not None and noise else None,
        "sharpness": _sharpness(slices, body, volume.spacing_mm),
    }


def _slices(volume: Volume) -> Floats:
    chosen = np.unique(np.linspace(0, volume.shape[0] - 1, SLICES).round().astype(int))
    if isinstance(volume.array, np.ndarray):
        return finite(volume.array[chosen])
    # All slices of a block at once, so that it is computed once; and block by block, so that one is held.
    ends = np.cumsum(volume.array.chunks[0])[:-1]
    groups = np.split(chosen, np.searchsorted(chosen, ends))
    return finite(np.concatenate([np.asarray(volume.array[group]) for group in groups if group.size]))


def finite(values: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """The values, with the smallest of them where there is none, as before the step that mends them."""
    known = np.isfinite(values)
    return values if known.all() else np.where(known, values, values[known].min(initial=0.0))


def _body(slices: Floats, unit: str) -> npt.NDArray[np.bool_]:
    threshold = BODY_ABOVE.get(unit)
    if threshold is None:
        from skimage.filters import threshold_otsu

        threshold = float(threshold_otsu(slices.ravel())) if slices.min() < slices.max() else -np.inf
    return np.asarray(slices > threshold)


def _class_distance(inside: Floats) -> float | None:
    if inside.size < _FEW or inside.min() == inside.max():
        return None
    from skimage.filters import threshold_otsu

    upper = inside > threshold_otsu(inside)
    return float(inside[upper].mean() - inside[~upper].mean()) if upper.any() and not upper.all() else None


def _sharpness(slices: Floats, body: npt.NDArray[np.bool_], spacing_mm: tuple[float, ...]) -> float | None:
    if body.sum() < _FEW or min(slices.shape[1:]) < 2:
        return None
    low, high = np.percentile(slices, [2, 98])
    if low == high:
        return None
    gradient = np.hypot(*np.gradient(slices, *spacing_mm[1:], axis=(1, 2)))
    return float(np.percentile(gradient[body], 99) / (high - low))


def _changed_share(done: Done) -> float:
    before, after = _slices(done.before), _slices(done.after)
    body = _body(before, done.before.unit)
    return float((before != after)[body].mean()) if body.any() else 0.0


def _bias_strength(done: Done) -> float | None:
    before, after = _slices(done.before).astype(np.float64), _slices(done.after).astype(np.float64)
    known = _body(before, done.before.unit) & (before > 0) & (after > 0)
    return float(np.log(before[known] / after[known]).std()) if known.sum() >= _FEW else None
