"""The candidates of one training case as models on features learn from them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from tasks.train.label import CandidateLabels

if TYPE_CHECKING:
    import pandas as pd

FloatArray = npt.NDArray[np.float64]
BoolArray = npt.NDArray[np.bool_]


@dataclass(frozen=True, eq=False)
class CaseTable:
    """One training case: features of its candidates, what the annotation says of them, how they overlap.

    ``scanner``: what its image was made with, where the study harmonizes; ``None``: not known.
    ``on_patches``: by the name of a model that looks at patches, its scores of the candidates, by one that did not know
    this patient.
    """

    patient: str
    digest: str
    features: pd.DataFrame
    labels: CandidateLabels
    volume_ml: FloatArray
    dice: npt.NDArray[np.float32]
    on_patches: Mapping[str, FloatArray] = field(default_factory=dict)
    scanner: str | None = None

    def positive(self, iou: float) -> BoolArray:
        """Candidates that teach 'lesion'."""
        return self.labels.placed & (self.labels.iou >= iou)


def rows_of(cases: Sequence[CaseTable], positive_iou: float) -> tuple[FloatArray, BoolArray]:
    """Features of all candidates ``(rows, columns)``, and which of them teach 'lesion', ``(rows,)``."""
    features = np.concatenate([case.features.to_numpy(dtype=float) for case in cases])
    return features, np.concatenate([case.positive(positive_iou) for case in cases])
