"""From a table of features to classes: what comes before a classical model is the same for all of them, and lives here.

The named steps of a pipeline, each fitted on training rows alone:

- ``harmonize``: ComBat between scanners, where a study of volumes asks for it, see
  :mod:`tasks.classical.harmonization`. Such a pipeline takes one more column than the table has, which
  :func:`tasks.classical.steps.inputs_of` puts there.
- ``impute``: NaN becomes the column's median; a column that is never defined becomes 0.
- ``vary``: columns that are the same everywhere go.
- ``scale``: mean 0 and standard deviation 1. Left out where neither a selector nor the model wants it.
- ``select_1``, ``select_2``, …: the study's selectors in their order, see :mod:`tasks.classical.selector`.
- ``classify``: the model. A file of ``tasks/models`` with ``Settings``, ``SCALED`` (whether it wants columns that are
  scaled), ``build(settings, *, columns, seed)``, which gives an unfitted classifier with ``predict_proba`` and
  ``classes_``, and where there is something to search ``suggest(trial)``, its settings as optuna draws them.

A model that says ``IMPUTED = False`` sees the columns that these steps choose, but with their values as they were
measured, NaN among them: its pipeline has one step before it, ``measured``, which holds all others.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from tasks.classical.selector import Selector
from tasks.classical.steps import MEASURED, SELECT, VARY
from tasks.discover import MODELS, part

if TYPE_CHECKING:
    from sklearn.base import ClassifierMixin
    from sklearn.pipeline import Pipeline


def build_pipeline(
    model: str, options: Mapping[str, Any], selection: Sequence[Selector], *, columns: int, seed: int
) -> Pipeline:
    """An unfitted pipeline that ends in a model.

    Parameters
    ----------
    model
        Name of a file in ``tasks/models`` that has ``build``.
    options
        Its settings; what is not named has its default.
    selection
        Selectors in their order; none: all columns that vary are kept.
    columns
        Of the table that it will be fitted on.
    seed
        Of everything that draws.
    """
    before = build_preparation(selection, scaled=is_scaled(model, selection), imputed=is_imputed(model), seed=seed)
    return before.__class__([*before.steps, ("classify", build_classifier(model, options, columns=columns, seed=seed))])


def build_preparation(selection: Sequence[Selector], *, scaled: bool, seed: int, imputed: bool = True) -> Pipeline:
    """The unfitted steps before a model, which models that compete on the same rows may share.

    ``imputed``: whether the model sees values that these steps have filled in and scaled, or as they were measured.
    """
    from sklearn.feature_selection import VarianceThreshold
    from sklearn.impute import SimpleImputer
    from sklearn.pipeline import Pipeline
    from sklearn.preprocessing import StandardScaler

    from tasks.classical.column_selector import ColumnSelector

    chosen = [ColumnSelector(selector.model_dump(), seed) for selector in selection]
    steps = Pipeline(
        [
            ("impute", SimpleImputer(strategy="median", keep_empty_features=True)),
            (VARY, VarianceThreshold()),
            *([("scale", StandardScaler())] if scaled else []),
            *((f"{SELECT}{place}", step) for place, step in enumerate(chosen, start=1)),
        ]
    )
    if imputed:
        return steps
    from tasks.classical.measured_columns import MeasuredColumns

    return Pipeline([(MEASURED, MeasuredColumns(steps))])


def build_classifier(model: str, options: Mapping[str, Any], *, columns: int, seed: int) -> ClassifierMixin:
    """The unfitted classifier of a model alone."""
    module = part(MODELS, model)
    classifier: ClassifierMixin = module.build(module.Settings.model_validate(options), columns=columns, seed=seed)
    return classifier


def is_scaled(model: str, selection: Sequence[Selector]) -> bool:
    """Whether columns are scaled: for the sake of a selector, or of the model."""
    return bool(selection) or bool(part(MODELS, model).SCALED)


def is_imputed(model: str) -> bool:
    """Whether a model wants to see no NaN."""
    return bool(getattr(part(MODELS, model), "IMPUTED", True))
