"""Haar-like features of a candidate and its surroundings: blocks of fixed size, the value and direction of each.

The cube around the candidate (:mod:`tasks.extract.cube`) is divided into blocks; each responds to patterns of boxes
that fill it, and has a gradient, of which the length is its value and the unit vector its direction
(:mod:`tasks.imaging.haar_blocks`). Responses and values are in standard deviations of the cube, so that neither the
scale of intensities nor the contrast of the candidate matters, only how it is arranged. Blocks are numbered from the
first along each axis: ``block_z0_y1_x0``.

Many more features of the same kind, of every place and size, are :func:`tasks.imaging.haar_features.haar_like`'s, from
which boosting selects (:mod:`tasks.imaging.boosting`).

References
----------
Viola & Jones 2004, doi:10.1023/B:VISI.0000013087.49260.fb; Lienhart & Maydt 2002, doi:10.1109/ICIP.2002.1038171
"""

from __future__ import annotations

from itertools import product
from typing import Literal, Self

from pydantic import Field, model_validator

from storage.volume import Triple
from tasks.extract.cube import CubeSettings, cube, cube_margin_mm
from tasks.extract.feature import FeatureInfo
from tasks.extract.region import Region

AXES = "zyx"
KINDS: dict[str, dict[str, str]] = {
    "two": {f"two_{axis}": f"further less nearer half along {axis}" for axis in AXES},
    "three": {f"three_{axis}": f"twice the middle third along {axis} less the outer ones" for axis in AXES},
    "four": {
        f"four_{plane}": f"quarters of the {plane} plane further along one axis alone less the others"
        for plane in ("yx", "zx", "zy")
    },
    "eight": {"eight": "octants further along one or three axes less the others"},
}
"""Patterns of each kind, and what they compare."""
FLAT = 1e-9
"""A share of the cube's largest value below which differences are what rounding leaves."""


class Settings(CubeSettings):
    """How the cube is cut, and what its blocks respond to.

    Attributes
    ----------
    blocks
        Blocks along each side of the cube.
    kinds
        Of patterns. The samples along a block must be a multiple of 2, and of 3 with ``"three"``.
    """

    samples: int = Field(24, ge=2, le=64)
    blocks: int = Field(2, ge=1, le=8)
    kinds: tuple[Literal["two", "three", "four", "eight"], ...] = ("two", "four", "eight")

    @model_validator(mode="after")
    def _divisible(self) -> Self:
        parts = 6 if "three" in self.kinds else 2
        if self.samples % (self.blocks * parts):
            raise ValueError(
                f"samples must be a multiple of {self.blocks * parts} for {self.blocks} blocks of a side, "
                f"each to be divided by {parts}; got {self.samples}"
            )
        if len(set(self.kinds)) != len(self.kinds):
            raise ValueError(f"expected each kind once; got {', '.join(self.kinds)}")
        return self


def features(settings: Settings) -> dict[str, FeatureInfo]:
    """Responses (``block_z0_y0_x0_two_x``), ``…_value`` and ``…_direction_x`` of each block."""
    infos: dict[str, FeatureInfo] = {}
    for block in _names(settings):
        for kind in settings.kinds:
            for name, text in KINDS[kind].items():
                infos[f"{block}_{name}"] = FeatureInfo(
                    None, "1", f"Mean over the block, {text}, in standard deviations of the cube."
                )
        infos[f"{block}_value"] = FeatureInfo(
            None, "1", "Length of the block's gradient, in standard deviations of the cube per half a block."
        )
        for axis in AXES:
            infos[f"{block}_direction_{axis}"] = FeatureInfo(
                None, "1", f"Cosine between the block's gradient and {axis}.", nan_when="a block without a gradient"
            )
    return infos


def margin_mm(extent_mm: Triple, settings: Settings) -> Triple:
    """Surroundings that the cube needs."""
    return cube_margin_mm(extent_mm, settings)


def compute(region: Region, settings: Settings) -> dict[str, float]:
    """Responses, values and directions of the blocks of the region's cube, by the names of `features`.

    A cube of one intensity has responses and values of 0, and no directions.
    """
    import numpy as np

    from tasks.imaging.haar_blocks import haar_blocks

    samples = cube(region, settings)
    tiny = FLAT * float(np.abs(samples).max())
    patterns = [name for kind in settings.kinds for name in KINDS[kind]]
    found = haar_blocks(samples - samples.mean(), settings.samples // settings.blocks, patterns)
    scale = 1.0 / deviation if (deviation := float(samples.std())) > tiny else 0.0
    values: dict[str, float] = {}
    for block, at in zip(_names(settings), np.ndindex(found.value.shape), strict=True):
        directed = found.value[at] > tiny
        values |= {f"{block}_{name}": float(found.responses[name][at]) * scale for name in patterns}
        values[f"{block}_value"] = float(found.value[at]) * scale
        for axis, cosine in zip(AXES, found.direction[at], strict=True):
            values[f"{block}_direction_{axis}"] = float(cosine) if directed else float("nan")
    return values


def _names(settings: Settings) -> list[str]:
    return [f"block_z{z}_y{y}_x{x}" for z, y, x in product(range(settings.blocks), repeat=3)]
