"""What a network learns from, as the training engine sees it: rows, batches of them, and how answers are judged.

A *row* is one picture, patch or volume, by its number. The rows of one *step* change the weights once; the engine may
ask for them in several *parts*.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    from torch import Tensor, nn

IntArray = npt.NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Batch:
    """Some rows as the network takes them, ``(n, channels, …)`` float32, and what their loss is measured against."""

    inputs: Tensor
    answers: Tensor


class Lesson(Protocol):
    """What is learned from. Nothing of it changes while it is learned."""

    def steps(self, epoch: int) -> Sequence[IntArray]:
        """The rows of each step of an epoch, in the order of the steps. The same for the same epoch."""

    def batch(self, rows: IntArray, epoch: int) -> Batch:
        """Rows as they are shown in an epoch, augmented or not: the same for the same (epoch, row).

        Called in another thread, some steps ahead: torch's global generators must not be used. Tensors may be on the
        CPU; the engine brings them to the device.
        """

    def weight(self, rows: IntArray) -> float:
        """What the sum of the rows' losses is divided by: their number, or the sum of their weights."""

    def loss(self, outputs: Any, answers: Tensor) -> Tensor:
        """Sum over rows of their losses, each times its weight. ``outputs``: of the network, in float32."""

    def tally(self, outputs: Any, answers: Tensor) -> dict[str, Tensor]:
        """Sums over rows of what the record of the epoch tells as means, ``"loss"`` at least."""

    def examine(self, network: nn.Module) -> dict[str, float]:
        """What the network does on the held-out part, ``"loss"`` at least; empty without such a part.

        The network is in evaluation mode, and no gradient is kept.
        """
