"""Fitting a classical model to the classes of pictures.

The folds of the study are the *inner folds* too: each training picture gets its probabilities from a pipeline that was
fitted without its fold. They set the temperature (Guo et al. 2017, arXiv:1706.04599), and they say how good the model
is without a look at the pictures that it will be tested on. Then the pipeline is fitted on all training pictures. With
synthetic pictures among these there is one inner fold: the training pictures that the generator did not see.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from tasks.classical.pipelines import build_pipeline
from tasks.classical.steps import kept_columns
from tasks.discover import MODELS, part
from tasks.picture_model import class_probabilities, log_probabilities, tempered
from tasks.train.pipeline_settings import PipelineSettings
from tasks.train.synthetic import Synthetic
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
    synthetic: int


def fit_pipeline(
    inputs: npt.NDArray[Any],
    labels: npt.ArrayLike,
    folds: npt.ArrayLike,
    settings: PipelineSettings,
    *,
    classes: int,
    synthetic: Synthetic | None = None,
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

    synthetic
        What is learned from beside these, in every fit, and never asked about. ``None``: nothing.

    Raises
    ------
    ValueError
        With fewer than two inner folds or two classes: there is nothing to learn, or to learn it from; or where the
        generator has seen every picture.
    """
    target, inner = np.asarray(labels, dtype=np.int64), np.asarray(folds, dtype=np.int64)
    if len(np.unique(inner)) < 2 or len(np.unique(target)) < 2:
        raise ValueError(
            f"training '{settings.model}' needs 2 classes and 2 inner folds; got {len(np.unique(target))} "
            f"and {len(np.unique(inner))}"
        )
    model = _model(settings, inputs)
    described = model.described(inputs)
    beside = None if synthetic is None else replace(synthetic, inputs=model.described(synthetic.inputs))
    unseen, asked = np.zeros((len(target), classes)), np.zeros(len(target), dtype=bool)
    for held_out in _held_out(inner, synthetic):
        fitted = model.fitted(*_taught(described[~held_out], target[~held_out], beside))
        unseen[held_out] = class_probabilities(fitted, described[held_out], classes)
        asked |= held_out
    answers = target[asked]
    temperature = fit_temperature(log_probabilities(unseen[asked]), answers)
    calibrated = tempered(unseen[asked], temperature)
    pipeline = model.whole(model.fitted(*_taught(described, target, beside)))
    return FittedPipeline(
        pipeline=pipeline,
        kept=kept_columns(pipeline, inputs.shape[1]) if inputs.ndim == 2 else None,
        temperature=temperature,
        inner_loss=round(float(-np.log(calibrated[np.arange(len(answers)), answers]).mean()), 6),
        inner_accuracy=round(float((calibrated.argmax(axis=1) == answers).mean()), 6),
        synthetic=0 if synthetic is None else len(synthetic.inputs),
    )


def _held_out(inner: IntArray, synthetic: Synthetic | None) -> list[npt.NDArray[np.bool_]]:
    """The rows of each inner fold."""
    if synthetic is None:
        return [inner == fold for fold in np.unique(inner)]
    if not synthetic.unseen.any():
        raise ValueError("a model that learns from synthetic pictures needs real ones that their generator did not see")
    return [synthetic.unseen]


def _taught(
    inputs: npt.NDArray[Any], target: IntArray, synthetic: Synthetic | None
) -> tuple[npt.NDArray[Any], IntArray]:
    if synthetic is None:
        return inputs, target
    return np.concatenate([inputs, synthetic.inputs]), np.append(target, synthetic.labels)


@dataclass(frozen=True, eq=False)
class _Model:
    """An unfitted pipeline whose first steps may learn nothing: these are done once, not again for each inner fold."""

    build: Callable[[], Pipeline]
    learn_nothing: int

    def described(self, inputs: npt.NDArray[Any]) -> npt.NDArray[Any]:
        """What the first steps make of inputs, row by row."""
        from threadpoolctl import threadpool_limits

        with threadpool_limits(1):  # sums in another order are other sums
            return self.build()[: self.learn_nothing].fit_transform(inputs) if self.learn_nothing else inputs

    def fitted(self, described: npt.NDArray[Any], target: IntArray) -> Any:
        """The other steps, fitted; of one class alone, one that says nothing else."""
        from sklearn.dummy import DummyClassifier
        from threadpoolctl import threadpool_limits

        learning = self.build()[self.learn_nothing :] if len(np.unique(target)) > 1 else DummyClassifier()
        with threadpool_limits(1):
            return learning.fit(described, target)

    def whole(self, fitted: Pipeline) -> Pipeline:
        """All steps, from the inputs on."""
        from sklearn.pipeline import Pipeline

        return Pipeline([*self.build().steps[: self.learn_nothing], *fitted.steps])


def _model(settings: PipelineSettings, inputs: npt.NDArray[Any]) -> _Model:
    from sklearn.utils import get_tags

    module = part(MODELS, settings.model)
    if hasattr(module, "build_on_pictures"):
        options = module.Settings.model_validate(settings.options)
        build = partial(module.build_on_pictures, options, seed=settings.seed)
    else:
        about = (settings.model, settings.options, settings.selection)
        build = partial(build_pipeline, *about, columns=inputs.shape[1], seed=settings.seed)
    learning = [get_tags(step).requires_fit for _, step in build().steps]
    return _Model(build, learning.index(True))
