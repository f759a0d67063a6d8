"""A picture of what each step did to an image: the middle slice before and after it, and the histograms of both."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from storage.volume import Volume
from tasks.normalize.chain import Done
from tasks.normalize.quality import finite

if TYPE_CHECKING:
    from matplotlib.axes import Axes

ROW_IN = 2.6
BINS = 120
BEFORE, AFTER = "#8a8f98", "#c2410c"


def draw_preview(chain: Iterable[Done], *, title: str) -> bytes:
    """Draw a chain.

    Parameters
    ----------
    chain
        The steps as they were done.
    title
        Printed above; no patient identifier.

    Returns
    -------
    bytes
        PNG, a row for each step: before, after, histograms (share of voxels, logarithmic).
    """
    import io

    from matplotlib.figure import Figure

    steps = list(chain)
    figure = Figure(figsize=(9.6, ROW_IN * len(steps) + 0.6), layout="constrained", dpi=110)
    figure.suptitle(title, fontsize=10)
    rows = figure.subplots(len(steps), 3, squeeze=False, width_ratios=(1, 1, 1.2))
    for done, (left, middle, right) in zip(steps, rows, strict=True):
        shown = _range(done.before)
        _slice(left, done.before, shown)
        same_unit = done.before.unit == done.after.unit and done.step.name != "rescale"
        _slice(middle, done.after, shown if same_unit and _overlap(shown, _range(done.after)) else _range(done.after))
        left.set_title(f"{done.number}. {done.step.name}", loc="left", fontsize=9, fontweight="bold")
        middle.set_title(_what(done), loc="left", fontsize=7)
        _histograms(right, done)
    file = io.BytesIO()
    figure.savefig(file, format="png", metadata={"Software": "Lesionflow"})
    return file.getvalue()


def _slice(axes: Axes, volume: Volume, shown: tuple[float, float]) -> None:
    _, y, x = volume.spacing_mm
    middle = finite(volume.array[volume.shape[0] // 2])
    axes.imshow(middle, cmap="gray", vmin=shown[0], vmax=shown[1], aspect=y / x, interpolation="nearest")
    axes.set_axis_off()


def _histograms(axes: Axes, done: Done) -> None:
    alike = _overlap(_range(done.before), _range(done.after))
    other = axes if alike else axes.twiny()  # a scale of its own where the two would not fit into one
    for ground, volume, colour, name in ((axes, done.before, BEFORE, "before"), (other, done.after, AFTER, "after")):
        values = _sampled(volume)
        ground.hist(
            values,
            bins=BINS,
            weights=np.full(values.size, 1 / values.size),
            histtype="step",
            color=colour,
            label=f"{name}: {values.min():.4g} … {values.max():.4g} {volume.unit}",
        )
        ground.tick_params(axis="x", labelsize=6, labelcolor="black" if alike else colour)
    axes.set_yscale("log")
    axes.tick_params(axis="y", labelsize=6)
    lines = dict(zip(*reversed(axes.get_legend_handles_labels()), strict=True))
    lines |= dict(zip(*reversed(other.get_legend_handles_labels()), strict=True))
    axes.legend(lines.values(), lines.keys(), fontsize=6, frameon=False, loc="upper right")


def _what(done: Done) -> str:
    """Settings that differ from the defaults, and what became of the grid."""
    chosen = done.step.model_dump(exclude_defaults=True, exclude={"name"})
    words = [f"{name} = {value}" for name, value in chosen.items()]
    if done.before.shape != done.after.shape:
        words.append(" × ".join(map(str, done.before.shape)) + " → " + " × ".join(map(str, done.after.shape)))
    return "\n".join(words)


def _range(volume: Volume) -> tuple[float, float]:
    low, high = np.percentile(finite(volume.array[volume.shape[0] // 2]), [0.5, 99.5])
    return float(low), float(high) if high > low else float(low) + 1.0


def _overlap(one: tuple[float, float], other: tuple[float, float]) -> bool:
    """Whether two ranges share at least half of the wider one: the slices can be shown in one window."""
    shared = min(one[1], other[1]) - max(one[0], other[0])
    return shared > 0.5 * max(one[1] - one[0], other[1] - other[0])


def _sampled(volume: Volume) -> npt.NDArray[Any]:
    """Values for the histogram: every voxel of at most 32 slices."""
    step = max(1, volume.shape[0] // 32)
    return finite(volume.array[::step]).astype(np.float32).ravel()
