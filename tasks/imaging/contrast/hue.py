"""Hue: colours turned round the colour circle (HSV), value and saturation kept; for augmentation and colour casts."""

from __future__ import annotations

from typing import Literal

import numpy as np
from pydantic import Field

from tasks.imaging.hue_kept import white_of
from tasks.imaging.order_statistics import moments
from tasks.imaging.step import Array, Blocks, Facts, Kind, Step, View, floating


def turn_hue(rgb: Array, *, degrees: float, white: float) -> Array:
    """Turn hues; 120 makes red green, green blue and blue red.

    Parameters
    ----------
    rgb
        ``(y, x, 3)`` from 0 to ``white``; what is outside is cut.
    """
    from skimage.color import hsv2rgb, rgb2hsv

    values = floating(rgb)
    hsv = rgb2hsv(np.clip(values / white, 0, 1))
    hsv[..., 0] = (hsv[..., 0] + degrees / 360) % 1
    return np.asarray(hsv2rgb(hsv) * white, dtype=values.dtype)


class Settings(Step):
    """Hues turned by ``degrees``."""

    name: Literal["hue"] = "hue"
    kinds = frozenset[Kind]({"colour"})
    degrees: float = Field(default=10.0, ge=-360, le=360)

    def measure(self, blocks: Blocks, view: View) -> Facts:
        """What white is."""
        del view
        return {"white": white_of(moments(blocks).maximum)}

    def apply(self, block: Array, view: View) -> Array:
        """Turn the block's hues."""
        return turn_hue(block, degrees=self.degrees, white=view.measured["white"])
