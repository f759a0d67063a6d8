"""Nyúl's landmarks: MR of many patients on one scale that is learnt from some of them.

Each image's histogram is described by *landmarks*, percentiles of its foreground (1, 10, 20, …, 90, 99). Training
images are mapped so that their outer landmarks meet, and the mean of the inner ones is the *standard scale*. Any image
is then mapped to it piece by piece, linearly between landmarks, and beyond them along the outer pieces
(Nyúl and Udupa, doi:10.1002/(SICI)1522-2594(199912)42:6<1072::AID-MRM11>3.0.CO;2-M; deciles as landmarks after Nyúl,
Udupa and Zhang, doi:10.1109/42.836373).

The scale has no unit. It is learnt from training patients only, and an image of another contrast does not belong on it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import numpy as np

from storage.errors import CaseError
from tasks.imaging.order_statistics import Region, inside, quantiles
from tasks.imaging.step import Array, Blocks, Facts, Kind, Step, View, floating

PERCENTILES = (1.0, 10.0, 20.0, 30.0, 40.0, 50.0, 60.0, 70.0, 80.0, 90.0, 99.0)
SCALE = (0.0, 100.0)
"""Where the outer landmarks lie on the standard scale."""


def standard_scale(landmarks: Sequence[Sequence[float]]) -> list[float]:
    """Mean landmarks of several images, after each was mapped so that its outer ones lie at 0 and 100."""
    each = np.asarray(landmarks, dtype=np.float64)
    first, last = each[:, :1], each[:, -1:]
    mapped = SCALE[0] + (each - first) / (last - first) * (SCALE[1] - SCALE[0])
    return [float(value) for value in mapped.mean(axis=0)]


def map_landmarks(array: Array, *, landmarks: Sequence[float], standard: Sequence[float]) -> Array:
    """Map an image so that its landmarks come to lie on the standard ones.

    Landmarks that coincide count as one, at the mean of their standard places.

    Raises
    ------
    CaseError
        When all landmarks coincide.
    """
    own, which = np.unique(np.asarray(landmarks, dtype=np.float64), return_inverse=True)
    if len(own) < 2:
        raise CaseError("the image has no contrast: its landmarks coincide")
    places = np.bincount(which, weights=np.asarray(standard, dtype=np.float64)) / np.bincount(which)
    slopes = np.diff(places) / np.diff(own)
    values = floating(array)
    inner = np.interp(values, own, places)
    below = np.minimum(values.astype(np.float64) - own[0], 0) * slopes[0]
    beyond = np.maximum(values.astype(np.float64) - own[-1], 0) * slopes[-1]
    return np.asarray(inner + below + beyond, dtype=values.dtype)


class Settings(Step):
    """Intensities mapped to the standard scale of the training images.

    Attributes
    ----------
    inside
        The foreground: ``above_mean``, as the authors take it, or another region.
    """

    name: Literal["nyul"] = "nyul"
    kinds = frozenset[Kind]({"2-D", "3-D"})
    inside: Region = "above_mean"

    def measure(self, blocks: Blocks, view: View) -> Facts:
        """The image's landmarks."""
        del view
        landmarks = quantiles(inside(blocks, self.inside), [p / 100 for p in PERCENTILES])
        if not landmarks[0] < landmarks[-1]:
            raise CaseError("the image has no contrast: its landmarks coincide")
        return {"landmarks": landmarks}

    def fit(self, measured: Sequence[Facts]) -> Facts:
        """The standard scale of the training images."""
        return {"standard": standard_scale([facts["landmarks"] for facts in measured])}

    def apply(self, block: Array, view: View) -> Array:
        """Map the block."""
        return map_landmarks(block, landmarks=view.measured["landmarks"], standard=view.fitted["standard"])

    def unit_after(self, unit: str) -> str:
        """None: the standard scale."""
        del unit
        return "arbitrary"
