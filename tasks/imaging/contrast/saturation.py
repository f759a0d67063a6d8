"""Saturation: colours made stronger or paler, their luminance kept."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from tasks.imaging.hue_kept import white_of, within_gamut
from tasks.imaging.luminance import luminance
from tasks.imaging.order_statistics import moments
from tasks.imaging.step import Array, Blocks, Facts, Kind, Step, View, floating


def saturate(rgb: Array, *, factor: float, white: float) -> Array:
    """Move each pixel away from the grey of its luminance, as far as its colours stay within ``0 … white``.

    Parameters
    ----------
    rgb
        ``(y, x, 3)``.
    factor
        0: grey; 1: unchanged; above: stronger.
    """
    values = floating(rgb)
    grey = luminance(values, values.ndim - 1)
    moved = grey[..., None] + factor * (values - grey[..., None])
    return within_gamut(moved.astype(values.dtype, copy=False), grey, white)


class Settings(Step):
    """Colours stronger by ``factor``; 0 makes them grey."""

    name: Literal["saturation"] = "saturation"
    kinds = frozenset[Kind]({"colour"})
    factor: float = Field(default=1.3, ge=0, le=10)

    def measure(self, blocks: Blocks, view: View) -> Facts:
        """What white is."""
        del view
        return {"white": white_of(moments(blocks).maximum)}

    def apply(self, block: Array, view: View) -> Array:
        """Change the block's colours."""
        return saturate(block, factor=self.factor, white=view.measured["white"])
