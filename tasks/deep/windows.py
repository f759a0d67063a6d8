"""A network applied to a whole volume, window by window: overlapping windows, blended where they meet.

A network sees the border of a window worse than its middle. So windows overlap, and each counts most in its middle: a
Gaussian with a standard deviation of an eighth of the window (nnU-Net, doi:10.1038/s41592-020-01008-z). Windows and
weights are those of MONAI's ``sliding_window_inference``, and so is the result, but for rounding. What differs:

- *Speed*: on a machine that multiplies bfloat16 the network does so, with channels innermost in memory, and its weights
  are rounded once for all windows. What it says is added up in float32.
- *Memory*: windows come in rows along the first axis. Of the network's answers only the planes that a later row
  still changes are kept; finished planes go through ``finish`` at once, e.g. to class numbers of one byte. Of an image
  in Zarr one row is read at a time.
- Where memory does not suffice, windows go in smaller batches. What was done is not done again, and the answer is the
  same.
"""

from __future__ import annotations

import copy
import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise, product
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import numpy.typing as npt

from tasks.deep.memory import give_back_memory, is_out_of_memory
from tasks.deep.precision import Precision, autocast, precision_for

if TYPE_CHECKING:
    import torch
    from torch import Tensor, nn

SIGMA = 0.125
"""Standard deviation of the Gaussian, in lengths of the window."""
LEAST_WEIGHT = 1e-3
"""Corners count at least so much: a voxel that only one window sees is divided by its weight."""
EMPTY_LOGIT = -30.0
"""Of every class but the background where no window was looked at; the background's is 0."""
CPU_BATCH_VOXELS = 64**3
GPU_BATCH_VOXELS = 4 * 96**3
"""Voxels in a batch of windows where no batch is asked for: what a CPU's cache, or a GPU, is busy with."""


@dataclass(frozen=True, eq=False)
class Windowed:
    """What a network said of a volume, and how it was asked.

    Attributes
    ----------
    answer
        What ``finish`` made of the logits, and ``gather`` of that.
    windows, skipped
        Windows that were looked at, and windows that were empty.
    batch
        Windows at a time in the end; less than at the start where memory was short.
    precision
        In which the network multiplied.
    """

    answer: npt.NDArray[Any]
    windows: int
    skipped: int
    batch: int
    precision: Precision


def logits_of(logits: Tensor) -> Tensor:
    """Logits as they are: float32, one per class."""
    return logits


def probabilities_of(logits: Tensor) -> Tensor:
    """Float32 for each class; they sum to 1 over the classes."""
    return logits.softmax(dim=0)


def labels_of(logits: Tensor) -> Tensor:
    """The most probable class of each voxel, uint8, the first of equals."""
    import torch

    return logits.argmax(dim=0).to(torch.uint8)


def predict_windows(
    network: nn.Module,
    image: Any,
    *,
    classes: int,
    window: Sequence[int],
    overlap: float = 0.25,
    finish: Callable[[Tensor], Tensor] = probabilities_of,
    gather: Callable[[Iterator[npt.NDArray[Any]]], npt.NDArray[Any]] | None = None,
    outside: float = 0.0,
    empty_below: float | None = None,
    batch: int | None = None,
    precision: Literal["auto", "float32", "bfloat16", "float16"] = "auto",
    device: str = "cpu",
) -> Windowed:
    """Apply a network to a volume or a picture of any size.

    Parameters
    ----------
    network
        Takes ``(n, channels, *window)`` and returns logits ``(n, classes, *window)``. It is left as it is.
    image
        ``(channels, z, y, x)`` or ``(channels, y, x)``, of NumPy or Zarr, as the network wants its intensities.
    window
        Voxels along each axis of the image.
    overlap
        Part of a window, 0 to below 1, that it shares with the next one along each axis.
    finish
        From logits ``(classes, some, …)`` to what is wanted of them, voxel by voxel: `probabilities_of`, `labels_of`,
        `logits_of`.
    gather
        From finished planes ``(…, some, y, x)``, which come from the first to the last as soon as they are known, to
        the answer, e.g. sums over them. ``None``: they are joined, and all are held.
    outside
        What lies around an image that is smaller than the window.
    empty_below
        A window is passed over when none of its voxels is larger than this in any channel; where no other window looks,
        it is background. ``None``: every window is looked at.
    batch
        Windows at a time; ``None``: as many as keep the device busy.
    precision
        ``"auto"``: what the device multiplies fast. ``"float32"`` agrees with MONAI's to some 1e-5.

    Raises
    ------
    ValueError
        When image and window have not the same 2 or 3 axes, the overlap is not from 0 to below 1, or the network says
        something else than one logit for each class and voxel.
    """
    import torch

    if len(image.shape) != len(window) + 1 or len(window) not in (2, 3):
        raise ValueError(f"expected an image (channels, …) with the window's axes; got {image.shape}, {tuple(window)}")
    if not 0 <= overlap < 1:
        raise ValueError(f"expected an overlap from 0 to below 1; got {overlap}")
    size = tuple(max(length, side) for length, side in zip(image.shape[1:], window, strict=True))
    starts = [window_starts(length, side, overlap) for length, side in zip(size, window, strict=True)]
    numbers = precision_for(precision, device)
    rows = _Rows(image, size, tuple(window), list(product(*starts[1:])), outside, empty_below, device)
    innermost = torch.channels_last_3d if len(window) == 3 else torch.channels_last
    memory_format = torch.contiguous_format if numbers == "float32" else innermost
    # A copy: a network that is still learning must get back neither another format nor tensors without gradients.
    mine = copy.deepcopy(network).to(device).to(memory_format=memory_format).eval()
    weights = blend_weights(window).to(device)
    asked = _Asked(mine, weights, memory_format, batch or _usual_batch(window, device))
    with torch.inference_mode(), autocast(numbers, device):
        blended = _blended(asked, rows, starts[0], classes)
        planes = (rows.without_margin(finish(some).cpu().numpy()) for some in blended)
        answer = gather(planes) if gather else np.concatenate(list(planes), axis=-len(window))
    return Windowed(answer, asked.windows, math.prod(map(len, starts)) - asked.windows, asked.batch, numbers)


def window_starts(length: int, side: int, overlap: float) -> list[int]:
    """First voxels of the windows along an axis: by steps, the last so that it ends where the axis ends.

    ``length`` is at least ``side``.
    """
    step = max(1, int(side * (1 - overlap)))
    count = math.ceil((length - side) / step) + 1
    return [min(number * step, length - side) for number in range(count)]


def blend_weights(window: Sequence[int]) -> Tensor:
    """How much each voxel of a window counts, float32 of the window's shape: 1 or a little less in the middle."""
    import torch

    weights = torch.ones(())
    for side in window:
        place = torch.arange(side, dtype=torch.float32) - (side - 1) / 2
        weights = weights[..., None] * torch.exp(-(place**2) / (2 * (SIGMA * side) ** 2))
    return weights.clamp_min(LEAST_WEIGHT)


class _Asked:
    """A network that is asked about windows, as many at a time as memory allows."""

    def __init__(self, network: nn.Module, weights: Tensor, memory_format: torch.memory_format, batch: int) -> None:
        self.weights, self.batch, self.windows = weights, batch, 0
        self._network, self._format = network, memory_format

    def answers(self, windows: Sequence[Tensor]) -> Iterator[Tensor]:
        """Weighted logits ``(classes, *window)`` of each window, float32."""
        done = 0
        while done < len(windows):
            logits = self._logits(windows[done : done + self.batch])
            if logits is None:
                self.batch //= 2
                give_back_memory()
                continue
            for one in logits:
                yield one.float() * self.weights
            done += len(logits)
        self.windows += done

    def _logits(self, windows: Sequence[Tensor]) -> Tensor | None:
        """Of some windows; ``None`` when fewer have to be tried. The error is not kept: it holds what fills memory."""
        try:
            logits: Tensor = self._network(self._stacked(windows))
        except (RuntimeError, MemoryError) as error:
            if self.batch == 1 or not is_out_of_memory(error):
                raise
            return None
        return logits

    def _stacked(self, windows: Sequence[Tensor]) -> Tensor:
        """Windows as a batch. With one channel a tensor fits all formats; its strides, not a flag, say which it has."""
        import torch

        shape = (len(windows), *windows[0].shape)
        batch = torch.empty(shape, device=windows[0].device, memory_format=self._format)
        for place, window in zip(batch, windows, strict=True):
            place.copy_(window)
        return batch


@dataclass(frozen=True, eq=False)
class _Rows:
    """An image of which one row of windows is read at a time; where it is smaller than the window, with a margin.

    ``size`` is that of image and margin; ``places`` are the first voxels of a row's windows along the other axes.
    """

    image: Any
    size: tuple[int, ...]
    window: tuple[int, ...]
    places: list[tuple[int, ...]]
    outside: float
    empty_below: float | None
    device: str

    def windows(self, start: int) -> list[tuple[tuple[slice, ...], Tensor]]:
        """Those of the row that begins at a plane: where each lies in it, channels first, and what is to be seen."""
        planes = self._planes(start)
        found = []
        for place in self.places:
            sides = zip(place, self.window[1:], strict=True)
            where = (slice(None), slice(None), *(slice(first, first + side) for first, side in sides))
            if self.empty_below is None or bool((planes[where] > self.empty_below).any()):
                found.append((where, planes[where]))
        return found

    def without_margin(self, answer: npt.NDArray[Any]) -> npt.NDArray[Any]:
        """The part of finished planes that belongs to the image; one with a margin before them has a single row."""
        given = zip(self._before(), self.image.shape[1:], strict=True)
        part: tuple[Any, ...] = (..., *(slice(first, first + length) for first, length in given))
        return np.asarray(answer[part])

    def _planes(self, start: int) -> Tensor:
        import torch

        before = self._before()
        given = np.asarray(self.image[:, start : start + self.window[0]], dtype=np.float32)
        wanted = (self.window[0], *self.size[1:])
        after = [a - b - c for a, b, c in zip(wanted, before, given.shape[1:], strict=True)]
        margins = [side for pair in zip(reversed(before), reversed(after), strict=True) for side in pair]
        planes = torch.from_numpy(np.ascontiguousarray(given)).to(self.device)
        return torch.nn.functional.pad(planes, margins, value=self.outside)

    def _before(self) -> list[int]:
        return [(length - given) // 2 for length, given in zip(self.size, self.image.shape[1:], strict=True)]


def _blended(asked: _Asked, rows: _Rows, starts: Sequence[int], classes: int) -> Iterator[Tensor]:
    """Logits ``(classes, some planes, …)``, from the first plane to the last, as soon as no window changes them."""
    import torch

    sums = torch.zeros((classes, rows.window[0], *rows.size[1:]), device=rows.device)
    weights = torch.zeros_like(sums[:1])
    for start, following in pairwise([*starts, rows.size[0]]):
        windows = rows.windows(start)
        answers = asked.answers([seen for _, seen in windows])
        for (where, _), logits in zip(windows, answers, strict=True):
            if logits.shape != (classes, *rows.window):
                raise ValueError(f"expected logits {(classes, *rows.window)} of each window; got {tuple(logits.shape)}")
            sums[where] += logits
            weights[where] += asked.weights
        done = following - start
        yield _divided(sums[:, :done], weights[:, :done])
        sums, weights = _moved_on(sums, done), _moved_on(weights, done)


def _divided(sums: Tensor, weights: Tensor) -> Tensor:
    """Weighted means; where no window was looked at, the background."""
    unseen = weights == 0
    means = (sums / weights.masked_fill(unseen, 1)).masked_fill_(unseen, EMPTY_LOGIT)
    means[:1].masked_fill_(unseen, 0)
    return means


def _moved_on(planes: Tensor, count: int) -> Tensor:
    """Planes without the first ones, and as many of zeros behind."""
    import torch

    return torch.cat([planes[:, count:], torch.zeros_like(planes[:, :count])], dim=1)


def _usual_batch(window: Sequence[int], device: str) -> int:
    voxels = CPU_BATCH_VOXELS if device == "cpu" else GPU_BATCH_VOXELS
    return max(1, voxels // math.prod(window))
