"""Stains of tissue brought to one strength.

Haematoxylin, eosin and DAB each absorb light in their own proportion of colours; a fixed matrix separates their amounts
(Ruifrok and Johnston 2001, PMID 11531144, as scikit-image has it). Each stain is scaled so that its strong places (99th
percentile) have the amount that is asked for. Limits: the matrix is that of one laboratory, and
amounts below 0 are cut, so that colours that no stain makes (ink) are changed.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Literal

import numpy as np
from pydantic import Field

from tasks.imaging.hue_kept import white_of
from tasks.imaging.order_statistics import mapped, moments, quantiles
from tasks.imaging.step import Array, Blocks, Facts, Kind, Step, View, floating

Amount = Annotated[float, Field(ge=0, le=10)]
STRONG = 0.99
LEAST = 1e-3
"""Amounts below are no stain: nothing is scaled by them."""


def amounts(rgb: Array, *, white: float) -> Array:
    """Amounts of haematoxylin, eosin and DAB, last; 0 where there is none.

    Parameters
    ----------
    rgb
        ``(y, x, 3)`` from 0 to ``white``.
    """
    from skimage.color import hed_from_rgb, separate_stains

    return np.asarray(separate_stains(np.clip(floating(rgb) / white, 0, 1), hed_from_rgb))


def restain(rgb: Array, *, factors: Sequence[float], white: float) -> Array:
    """Multiply the amount of each stain; of the shape and range of ``rgb``, float32 or float64 of float64."""
    from skimage.color import combine_stains, rgb_from_hed

    values = floating(rgb)
    stained = amounts(values, white=white) * np.asarray(factors, dtype=values.dtype)
    return np.asarray(combine_stains(stained, rgb_from_hed) * white, dtype=values.dtype)


class Settings(Step):
    """Stains as strong in all pictures.

    Attributes
    ----------
    strong
        Amounts of haematoxylin, eosin and DAB in strong places; 0 leaves a stain as it is. The default is no
        laboratory's: what matters is that all pictures have the same. A laboratory's own come from :func:`amounts`.
    most
        The largest factor, and its inverse the smallest.
    """

    name: Literal["stain"] = "stain"
    kinds = frozenset[Kind]({"colour"})
    strong: tuple[Amount, Amount, Amount] = (0.1, 0.1, 0.1)
    most: float = Field(default=3.0, ge=1, le=100)

    def measure(self, blocks: Blocks, view: View) -> Facts:
        """What white is, and how strong each stain is where it is strong."""
        del view
        white = white_of(moments(blocks).maximum)
        strong = [
            quantiles(mapped(blocks, lambda block, s=s: amounts(block, white=white)[..., s]), (STRONG,))[0]  # type: ignore[misc]
            for s in range(3)
        ]
        return {"white": white, "strong": strong}

    def apply(self, block: Array, view: View) -> Array:
        """Restain the block."""
        pairs = zip(view.measured["strong"], self.strong, strict=True)
        factors = [wanted / own if min(own, wanted) > LEAST else 1.0 for own, wanted in pairs]
        factors = [min(max(factor, 1 / self.most), self.most) for factor in factors]
        return restain(block, factors=factors, white=view.measured["white"])
