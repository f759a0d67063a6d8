"""Regions side by side: the one that was asked about, and those that look like it."""

from __future__ import annotations

import io
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt


def draw_neighbours(regions: Sequence[tuple[str, npt.NDArray[Any]]]) -> bytes:
    """The middle slice of each region ``(z, y, x)`` under its title, each in its own range, as PNG."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(1.5 * len(regions), 2.0), layout="constrained", dpi=120)
    for axes, (title, region) in zip(figure.subplots(1, len(regions), squeeze=False)[0], regions, strict=True):
        low, high = np.percentile(region, [1, 99])
        axes.imshow(region[len(region) // 2], cmap="gray", vmin=low, vmax=max(high, low + 1e-6))
        axes.set_title(title, fontsize=6)
        axes.set_axis_off()
    file = io.BytesIO()
    figure.savefig(file, format="png", metadata={"Software": "Lesionflow"})
    return file.getvalue()
