"""Histogram matching: intensities mapped so that they are distributed as in the training images.

The reference is the mean of the training images' quantile functions: the value below which a share of the image lies,
averaged over the images (which is their barycentre in the sense of optimal transport, doi:10.1137/100805741). It learns
from training patients only.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import numpy as np

from storage.errors import CaseError
from tasks.imaging.hue_kept import on_luminance, white_in, white_of
from tasks.imaging.luminance import luminances
from tasks.imaging.order_statistics import quantiles
from tasks.imaging.step import Array, Blocks, Facts, Step, View, floating

SHARES = tuple(percent / 100 for percent in range(101))


def match_histogram(grey: Array, *, own: Sequence[float], reference: Sequence[float]) -> Array:
    """Map an image's quantiles to those of a reference, linearly between them.

    Parameters
    ----------
    own, reference
        Values at the same shares, from 0 to 1. Of shares at which the image has the same value (its background), the
        reference's mean is taken.
    """
    values = floating(grey)
    levels, which = np.unique(np.asarray(own, dtype=np.float64), return_inverse=True)
    targets = np.bincount(which, weights=np.asarray(reference, dtype=np.float64)) / np.bincount(which)
    return np.asarray(np.interp(values, levels, targets), dtype=values.dtype)


class Settings(Step):
    """The histogram of the training images; of a coloured picture that of the luminance."""

    name: Literal["match_histogram"] = "match_histogram"

    def measure(self, blocks: Blocks, view: View) -> Facts:
        """The image's percentiles, 0 to 100."""
        own = quantiles(luminances(blocks, view), SHARES)
        if not own[0] < own[-1]:
            raise CaseError(f"the image has no contrast to match: all voxels are {own[0]:g}")
        return {"quantiles": own, "white": white_in(blocks, view)}

    def fit(self, measured: Sequence[Facts]) -> Facts:
        """The mean percentiles of the training images."""
        return {"reference": np.mean([facts["quantiles"] for facts in measured], axis=0).tolist()}

    def apply(self, block: Array, view: View) -> Array:
        """Map the block."""
        own, reference = view.measured["quantiles"], view.fitted["reference"]
        return on_luminance(
            block,
            len(view.shape),
            lambda grey: match_histogram(grey, own=own, reference=reference),
            white=view.measured["white"],
            white_after=white_of(reference[-1]),
        )
