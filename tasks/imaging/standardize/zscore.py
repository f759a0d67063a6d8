"""Mean 0 and standard deviation 1 inside the patient: the plainest way to compare MR, which has no scale of its own.

It needs no other image. Its weakness is that a large lesion moves the mean; WhiteStripe and Nyúl's landmarks do better
where the anatomy is known.
"""

from __future__ import annotations

from typing import Literal

import numpy as np

from storage.errors import CaseError
from tasks.imaging.luminance import luminance, luminances
from tasks.imaging.order_statistics import Region, mapped, moments, region_threshold
from tasks.imaging.step import Array, Blocks, Facts, Step, View, floating


def zscore(array: Array, *, mean: float, std: float) -> Array:
    """``(array - mean) / std``; float32, or float64 of float64."""
    values = floating(array)
    return np.asarray((values - mean) / std, dtype=values.dtype)


class Settings(Step):
    """Standard deviations from the mean of a region; of a coloured picture each colour by itself.

    Attributes
    ----------
    inside
        Where mean and standard deviation are taken: ``patient``, above Otsu's threshold (of colour: of its luminance);
        ``above_mean``; ``nonzero``, above 0, for images whose background was cut to 0; ``all``.
    """

    name: Literal["zscore"] = "zscore"
    inside: Region = "patient"

    def measure(self, blocks: Blocks, view: View) -> Facts:
        """Mean and standard deviation inside the region, of each colour."""
        threshold = region_threshold(luminances(blocks, view), self.inside)
        axes, means, deviations = len(view.shape), [], []

        def chosen(block: Array, colour: int) -> Array:
            values = block[..., colour] if block.ndim > axes else block
            return values if threshold is None else values[luminance(block, axes) > threshold]

        for colour in range(_colours(blocks, axes)):
            here = moments(mapped(blocks, lambda block, c=colour: chosen(block, c)))  # type: ignore[misc]
            # A constant is not always exactly its mean: what is left is rounding.
            if not here.count or here.std <= 1e-7 * max(abs(here.minimum), abs(here.maximum)):
                raise CaseError("the image has no contrast between patient and background")
            means.append(here.mean)
            deviations.append(here.std)
        return {"mean": means, "std": deviations}

    def apply(self, block: Array, view: View) -> Array:
        """Standardize the block."""
        mean, std = view.measured["mean"], view.measured["std"]
        if block.ndim == len(view.shape):
            return zscore(block, mean=mean[0], std=std[0])
        return np.stack(
            [zscore(block[..., c], mean=m, std=s) for c, (m, s) in enumerate(zip(mean, std, strict=True))], axis=-1
        )

    def unit_after(self, unit: str) -> str:
        """Standard deviations."""
        del unit
        return "z"


def _colours(blocks: Blocks, axes: int) -> int:
    first = next(iter(blocks()))[1]
    return 1 if first.ndim == axes else first.shape[-1]
