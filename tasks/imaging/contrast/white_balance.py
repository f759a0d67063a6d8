"""White balance: the colour of the light estimated from the picture, and taken out.

*Shades of grey* (Finlayson and Trezzi, doi:10.2352/CIC.2004.12.1.art00008): the light's colour is each channel's
Minkowski mean. Of norm 1 it is the grey world, of a large one the brightest patch; 6 did best in their trials. A
picture of one colour, as of skin or stained tissue, breaks the assumption: its own colour is taken for the light's.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import numpy as np
from pydantic import Field

from tasks.imaging.hue_kept import white_of
from tasks.imaging.luminance import LUMA
from tasks.imaging.order_statistics import mapped, moments
from tasks.imaging.step import Array, Blocks, Facts, Kind, Step, View, floating


def channel_gains(light: Sequence[float]) -> list[float]:
    """What each channel is multiplied by so that light of this colour is grey and as bright; 1 for a dark channel."""
    grey = sum(weight * value for weight, value in zip(LUMA, light, strict=True))
    return [grey / value if value > 0 else 1.0 for value in light]


def balance(rgb: Array, *, gains: Sequence[float], white: float) -> Array:
    """Multiply each colour; what would be brighter than white is white."""
    values = floating(rgb)
    return np.asarray(np.clip(values * np.asarray(gains, dtype=values.dtype), None, white), dtype=values.dtype)


class Settings(Step):
    """The light's colour taken out; ``norm`` is Minkowski's: 1 for the grey world, large for the brightest patch."""

    name: Literal["white_balance"] = "white_balance"
    kinds = frozenset[Kind]({"colour"})
    norm: float = Field(default=6.0, ge=1, le=32)

    def measure(self, blocks: Blocks, view: View) -> Facts:
        """What white is, and the gain of each channel."""
        del view
        highest = moments(blocks).maximum
        scale = highest if highest > 0 else 1.0  # large powers stay near 1

        def light(channel: int) -> float:
            powers = mapped(blocks, lambda block: np.abs(block[..., channel].astype(np.float64) / scale) ** self.norm)
            return float(moments(powers).mean ** (1 / self.norm))

        return {"white": white_of(highest), "gains": channel_gains([light(channel) for channel in range(3)])}

    def apply(self, block: Array, view: View) -> Array:
        """Balance the block."""
        return balance(block, gains=view.measured["gains"], white=view.measured["white"])
