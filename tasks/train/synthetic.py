"""Synthetic pictures among those that a classifier learns from, and what that leaves to calibrate it on.

They teach, and nothing else. The pictures of the fold that a model is tested on were unknown to the generator. So must
be those that set a temperature or end a training: a generator may have learned a picture by heart, and a classifier
that was shown its copy would be too sure of it. A generator whose pictures are learned from therefore leaves out a part
of its own training pictures (``[train.synthesis] held_out``), and these alone calibrate.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt


@dataclass(frozen=True, eq=False)
class Synthetic:
    """What is learned from beside n real pictures.

    Attributes
    ----------
    inputs
        Pictures ``(m, y, x, 3)`` uint8, or features ``(m, columns)``, as the real ones are.
    labels
        Their class, ``(m,)``.
    unseen
        ``(n,)``: which of the real pictures the generator did not see.
    """

    inputs: npt.NDArray[Any]
    labels: npt.NDArray[np.int64]
    unseen: npt.NDArray[np.bool_]
