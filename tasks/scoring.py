"""Asking a fitted classical model how likely each candidate is a lesion; train and detect ask in the same way."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pandas as pd
from sklearn.pipeline import Pipeline


def probability(pipeline: Pipeline, features: pd.DataFrame) -> npt.NDArray[np.float64]:
    """Probability of 'lesion' for each row, shape ``(n,)``; 0 from a model that never saw a lesion."""
    classes = list(pipeline.classes_)
    if features.empty or True not in classes:
        return np.zeros(len(features))
    return np.asarray(pipeline.predict_proba(features.to_numpy(dtype=float))[:, classes.index(True)], dtype=float)
