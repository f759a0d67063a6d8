"""The colours of a picture as features: for skin, retina and endoscopy, where they are part of the diagnosis.

Histograms and moments in RGB, HSV and CIELAB, the colour correlogram, and asymmetry at the principal axes, all of the
picture's content alone. Grey pictures have no hue; what is left of them is their grey values.
"""

from __future__ import annotations

import numpy as np

from tasks.extract.feature import FeatureInfo
from tasks.imaging.colour_measures import (
    RANGES,
    Floats,
    Pixels,
    asymmetry,
    auto_correlogram,
    colour_moments,
    hue_moments,
    in_spaces,
)
from tasks.imaging.framed_grey import content_of
from tasks.imaging.morphology import BoolArray
from tasks.settings import NoSettings as Settings

__all__ = ["Settings", "compute", "features"]

BINS = 8
"""Of each channel's histogram."""
SHADES = 3
"""Of red, green and blue each, in the correlogram."""
DISTANCES = (1, 3, 5)
"""Of the correlogram, in pixels."""
NO_HUE = "a grey picture, or hues that cancel each other out"


def features(settings: Settings) -> dict[str, FeatureInfo]:
    """Bins and moments of each channel, the correlogram, and the asymmetries."""
    del settings
    infos: dict[str, FeatureInfo] = {}
    for space, channels in RANGES.items():
        for channel, (low, high) in channels.items():
            name, text = f"{space}_{channel}", f"{channel.upper()} of {space.upper()}"
            infos |= _moment_info(name, text)
            for number, start in enumerate(np.linspace(low, high, BINS + 1)[:-1]):
                infos[f"{name}_bin_{number}"] = FeatureInfo(
                    None, "1", f"Share of pixels with {text} from {start:g} on."
                )
    for colour in range(SHADES**3):
        for distance in DISTANCES:
            shades = ", ".join(str(shade) for shade in np.unravel_index(colour, (SHADES,) * 3))
            text = f"How often a pixel at distance {distance} has the same colour (shades {shades} of R, G, B)."
            infos[f"correlogram_{colour:02d}_{distance}px"] = FeatureInfo(None, "1", text)
    for axis in ("major", "minor"):
        text = f"Share of the shape outside of its mirror image at its {axis} axis."
        infos[f"asymmetry_shape_{axis}"] = FeatureInfo(None, "1", text)
    for axis in ("major", "minor"):
        text = f"Mean CIELAB distance of pixels from their mirror images at the {axis} axis."
        infos[f"asymmetry_colour_{axis}"] = FeatureInfo(None, "1", text, nan_when="no overlap with the mirror image")
    return infos


def compute(original: Pixels, framed: Pixels, settings: Settings) -> dict[str, float]:
    """By the names of `features`, of the content. Raises ``CaseError`` when the frame is empty."""
    del original
    return colours_inside(framed, content_of(framed), settings)


def colours_inside(pixels: Pixels, mask: BoolArray, settings: Settings) -> dict[str, float]:
    """Colours of a picture uint8 RGB ``(y, x, 3)`` inside a mask that is not empty, by the names of `features`."""
    spaces = in_spaces(pixels)
    values: list[float] = []
    for space, channels in RANGES.items():
        for place, (channel, span) in enumerate(channels.items()):
            inside = spaces[space][mask][:, place]
            values += _hue(spaces["hsv"][mask]) if (space, channel) == ("hsv", "h") else colour_moments(inside)
            values += (np.histogram(np.clip(inside, *span), bins=BINS, range=span)[0] / len(inside)).tolist()
    shades = np.minimum((spaces["rgb"] * SHADES).astype(np.intp), SHADES - 1)
    colours = np.ravel_multi_index(tuple(np.moveaxis(shades, -1, 0)), (SHADES,) * 3)
    values += auto_correlogram(colours, mask, count=SHADES**3, distances=DISTANCES).ravel().tolist()
    values += asymmetry(spaces["lab"], mask).values()
    return dict(zip(features(settings), values, strict=True))


def _moment_info(name: str, text: str) -> dict[str, FeatureInfo]:
    if name == "hsv_h":
        return {
            f"{name}_mean": FeatureInfo(None, "1", "Circular mean hue, weighted by saturation.", nan_when=NO_HUE),
            f"{name}_agreement": FeatureInfo(None, "1", "How much hues agree, 0 to 1.", nan_when="a grey picture"),
        }
    return {
        f"{name}_mean": FeatureInfo(None, "1", f"Mean of {text}."),
        f"{name}_sd": FeatureInfo(None, "1", f"Standard deviation of {text}."),
        f"{name}_skewness": FeatureInfo(None, "1", f"Skewness of {text}."),
    }


def _hue(hsv: Floats) -> tuple[float, float]:
    return hue_moments(hsv[:, 0], hsv[:, 1])
