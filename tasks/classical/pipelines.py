"""From a table of features to classes: what comes before a classical model is the same for all of them, and lives here.

The named steps of a pipeline, each fitted on training rows alone:

- ``harmonize``: ComBat between scanners, where a study of volumes asks for it, see
  :mod:`tasks.classical.harmonization`. Such a pipeline takes one more column than the table has; :func:`inputs_of`
  puts it there.
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

import importlib
import pkgutil
from collections.abc import Mapping, Sequence
from functools import cache
from typing import TYPE_CHECKING, Annotated, Any, Union

import numpy as np
import numpy.typing as npt
from pydantic import Field

from tasks.classical.selector import Selector
from tasks.discover import MODELS, part

if TYPE_CHECKING:
    from sklearn.base import ClassifierMixin
    from sklearn.pipeline import Pipeline

    from tasks.classical.scanner_harmonizer import ScannerHarmonizer

SELECTION = "tasks.selection"
"""The package of selectors."""
HARMONIZE = "harmonize"
"""Name of the first step where features are harmonized."""
MEASURED = "measured"
"""Name of the one step before a model that is not imputed for."""


@cache
def selectors() -> dict[str, type[Selector]]:
    """Every selector by name. ``TypeError`` when a file has no ``Settings(Selector)`` that bears its name."""
    found: dict[str, type[Selector]] = {}
    package: Any = importlib.import_module(SELECTION)
    for module in sorted(pkgutil.iter_modules(package.__path__), key=lambda m: m.name):
        kind = getattr(importlib.import_module(f"{SELECTION}.{module.name}"), "Settings", None)
        if not (isinstance(kind, type) and issubclass(kind, Selector)):
            raise TypeError(f"{SELECTION}.{module.name}: expected a class Settings(Selector)")
        if kind.model_fields["name"].default != module.name:
            raise TypeError(f"{SELECTION}.{module.name}: expected name = {module.name!r}")
        found[module.name] = kind
    return found


SELECTORS = tuple(f"{SELECTION}.{name}" for name in selectors())
"""Modules of the selectors: whatever fits a pipeline stands on the source of all of them."""

if TYPE_CHECKING:
    AnySelector = Selector
else:
    AnySelector = Annotated[Union[tuple(selectors().values())], Field(discriminator="name")]  # noqa: UP007 - made at run time


def selector_of(options: Mapping[str, Any]) -> Selector:
    """The selector that these settings name."""
    return selectors()[options["name"]].model_validate(options)


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

    steps = Pipeline(
        [
            ("impute", SimpleImputer(strategy="median", keep_empty_features=True)),
            ("vary", VarianceThreshold()),
            *([("scale", StandardScaler())] if scaled else []),
            *((f"select_{place}", selector.build(seed=seed)) for place, selector in enumerate(selection, start=1)),
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


def inputs_of(
    pipeline: Pipeline, features: npt.NDArray[np.float64], scanners: Sequence[str | None]
) -> npt.NDArray[np.float64]:
    """What a pipeline takes for a table ``(rows, columns)``: with the scanner of each row where it harmonizes."""
    harmonizer: ScannerHarmonizer | None = pipeline.named_steps.get(HARMONIZE)
    return features if harmonizer is None else harmonizer.with_scanners(features, scanners)


def steps_of(pipeline: Pipeline) -> dict[str, Any]:
    """The steps of a fitted pipeline by name; in place of ``measured`` those that it holds."""
    found: dict[str, Any] = dict(pipeline.steps)
    measured = found.pop(MEASURED, None)
    return found if measured is None else {**dict(measured.preparation_.steps), **found}


def kept_columns(pipeline: Pipeline, columns: int) -> npt.NDArray[np.bool_]:
    """Which of the table's columns the model of a fitted pipeline sees, bool ``(columns,)``."""
    kept = np.arange(columns)
    for name, step in steps_of(pipeline).items():
        if name == "vary" or name.startswith("select_"):
            kept = kept[step.get_support()]
    return np.isin(np.arange(columns), kept)
