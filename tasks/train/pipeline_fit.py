"""Fitting a classical model to the classes of pictures.

The folds of the study are the *inner folds* too: each training picture gets its probabilities from a pipeline that was
fitted without its fold. They set the temperature (Guo et al. 2017, arXiv:1706.04599), and they say how good the model
is without a look at the pictures that it will be tested on. Then the pipeline is fitted on all training pictures.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from tasks.classical.pipelines import build_pipeline, kept_columns
from tasks.discover import MODELS, part
from tasks.picture_model import class_probabilities, log_probabilities, tempered
from tasks.train.picture_settings import PipelineSettings
from tasks.train.temperature import fit_temperature

if TYPE_CHECKING:
    from sklearn.pipeline import Pipeline

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class FittedPipeline:
    """A classical model on all training pictures, and what its inner folds say of it; see `PipelineCard`."""

    pipeline: Pipeline
    kept: npt.NDArray[np.bool_] | None
    temperature: float
    inner_loss: float
    inner_accuracy: float


def fit_pipeline(
    inputs: npt.NDArray[Any], labels: npt.ArrayLike, folds: npt.ArrayLike, settings: PipelineSettings, *, classes: int
) -> FittedPipeline:
    """Fit one model; nothing outside what is given is known to it.

    Parameters
    ----------
    inputs
        Features ``(n, columns)``, NaN where one is not defined; or pictures ``(n, y, x, 3)`` uint8 for a model that
        looks at them by itself.
    labels
        Class of each, ``(n,)``, 0 to ``classes - 1``.
    folds
        What must not be torn apart by the inner folds, ``(n,)``: the study's fold of each picture.

    Raises
    ------
    ValueError
        With fewer than two inner folds or two classes: there is nothing to learn, or to learn it from.
    """
    target, inner = np.asarray(labels, dtype=np.int64), np.asarray(folds, dtype=np.int64)
    if len(np.unique(inner)) < 2 or len(np.unique(target)) < 2:
        raise ValueError(
            f"training '{settings.model}' needs 2 classes and 2 inner folds; got {len(np.unique(target))} "
            f"and {len(np.unique(inner))}"
        )
    make = _maker(settings, inputs)
    unseen = np.zeros((len(target), classes))
    for fold in np.unique(inner):
        held_out = inner == fold
        fitted = _fitted(make, inputs[~held_out], target[~held_out])
        unseen[held_out] = class_probabilities(fitted, inputs[held_out], classes)
    temperature = fit_temperature(log_probabilities(unseen), target)
    calibrated = tempered(unseen, temperature)
    pipeline = _fitted(make, inputs, target)
    return FittedPipeline(
        pipeline=pipeline,
        kept=kept_columns(pipeline, inputs.shape[1]) if inputs.ndim == 2 else None,
        temperature=temperature,
        inner_loss=round(float(-np.log(calibrated[np.arange(len(target)), target]).mean()), 6),
        inner_accuracy=round(float((calibrated.argmax(axis=1) == target).mean()), 6),
    )


def _fitted(make: Callable[[], Any], inputs: npt.NDArray[Any], target: IntArray) -> Any:
    """A fitted pipeline; of one class alone, one that says nothing else."""
    from sklearn.dummy import DummyClassifier
    from threadpoolctl import threadpool_limits

    pipeline = make() if len(np.unique(target)) > 1 else DummyClassifier()
    with threadpool_limits(1):  # sums in another order are other sums
        return pipeline.fit(inputs, target)


def _maker(settings: PipelineSettings, inputs: npt.NDArray[Any]) -> Callable[[], Any]:
    module = part(MODELS, settings.model)
    if hasattr(module, "build_on_pictures"):
        return lambda: module.build_on_pictures(module.Settings.model_validate(settings.options), seed=settings.seed)
    columns = inputs.shape[1]
    return lambda: build_pipeline(
        settings.model, settings.options, settings.selection, columns=columns, seed=settings.seed
    )
