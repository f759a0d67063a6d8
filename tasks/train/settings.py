"""Settings of train."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import Discriminator, Field, Tag, field_validator, model_validator

from tasks.classical.harmonization import HarmonizationSettings
from tasks.classical.selectors import AnySelector
from tasks.discover import MODELS, part, part_names
from tasks.model_kinds import PATCH_LEARNERS
from tasks.selection import univariate
from tasks.settings import StageSettings
from tasks.train.patch_model_settings import PatchLearnerSettings
from tasks.train.patch_network_settings import PatchNetworkSettings
from tasks.train.search_settings import SearchSettings

MINIMUM_PATIENTS = 2
"""With fewer, no patient can be scored by a model that never saw him, so neither model nor threshold can be chosen."""


def _kind_on_patches(entry: Any) -> str:
    name = entry.get("model") if isinstance(entry, dict) else entry.model
    return "learner" if name in PATCH_LEARNERS else "network"


AnyOnPatches = Annotated[
    Annotated[PatchNetworkSettings, Tag("network")] | Annotated[PatchLearnerSettings, Tag("learner")],
    Discriminator(_kind_on_patches),
]


class Settings(StageSettings):
    """Which models compete, what they learn from, and where the operating point lies.

    ``[train.options.random_forest]`` and so on hold the settings of each model. Each ``[[train.selection]]`` is one
    selector of features, see ``tasks/selection``; they work in the order in which they stand. Each
    ``[[train.on_patches]]`` is a model that sees no features, but the image itself.
    """

    models: tuple[str, ...] = Field(default=("random_forest", "logistic"), min_length=1, validate_default=True)
    options: dict[str, dict[str, Any]] = Field(
        default_factory=dict, description="Settings by model name.", validate_default=True
    )
    selection: tuple[AnySelector, ...] = Field(
        default=(univariate.Settings(features=40),), description="Which features the models see; none: all."
    )
    harmonization: HarmonizationSettings | None = Field(
        default=None, description="ComBat between scanners, before all else; none: features stay as they are."
    )
    search: SearchSettings = SearchSettings()
    on_patches: tuple[AnyOnPatches, ...] = Field(
        default=(), description="Models that look at the patch around each candidate, and compete with the others."
    )
    positive_iou: float = Field(
        default=0.5, gt=0, le=1, description="A candidate with this IoU with a lesion, placed on it, teaches 'lesion'."
    )
    inner_folds: int = Field(
        default=5, ge=2, description="Patient folds inside the training patients: they choose model and threshold."
    )
    fp_per_scan: float = Field(
        default=1.0, gt=0, description="Operating point: as sensitive as this many false positives per scan allow."
    )
    hit_iou: float = Field(default=0.3, gt=0, le=1, description="IoU of a hit when models and thresholds are compared.")
    false_positive_ml: float = Field(default=0.5, ge=0, description="Least volume of a false positive, likewise.")
    seed: int = Field(default=0, ge=0)

    @field_validator("models")
    @classmethod
    def _known(cls, names: tuple[str, ...]) -> tuple[str, ...]:
        for name in names:
            if name not in (choices := part_names(MODELS, with_function="build")):
                raise ValueError(f"no model '{name}'; choose from: {', '.join(choices)}")
        return names

    @field_validator("on_patches")
    @classmethod
    def _each_once(cls, entries: tuple[AnyOnPatches, ...]) -> tuple[AnyOnPatches, ...]:
        if len({entry.model for entry in entries}) < len(entries):
            raise ValueError("expected each model on patches once")
        return entries

    @model_validator(mode="after")
    def _options_fit(self) -> Settings:
        for name, options in self.options.items():
            part(MODELS, name).Settings.model_validate(options)
        return self

    def of(self, model: str) -> StageSettings:
        """The settings of one model."""
        settings: StageSettings = part(MODELS, model).Settings.model_validate(self.options.get(model, {}))
        return settings
