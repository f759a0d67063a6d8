"""Settings of models that look at the patch around each candidate, and compete with those on features.

Each ``[[train.on_patches]]`` of a study is one such model, a file of ``tasks/models``: a network (it has
``build_patch_network``; what it may be told is in `tasks.train.patch_network_settings`), or one that learns by itself.
The latter has ``Settings``, ``learn_on_patches(sets, settings, *, seed)``, ``score_patches(fitted, patches)`` with
shares of 0 to 1, ``save(path, fitted)``, ``load(path)``, and where it cannot take all forms of patches ``FORMS``.
"""

from __future__ import annotations

from typing import Self

from pydantic import Field, field_validator, model_validator

from tasks.discover import MODELS, part
from tasks.model_kinds import PATCH_LEARNERS
from tasks.train.model_settings import ModelSettings
from tasks.train.patch_settings import PatchSettings


class PatchModelSettings(ModelSettings):
    """What all of them have: patches that they learn from, and folds of patients that they are compared on."""

    patches: PatchSettings = PatchSettings()
    inner_folds: int = Field(
        default=3, ge=2, description="Patient folds inside the training patients: each is one more training."
    )

    @property
    def devices(self) -> int:
        """GPUs that learn it together."""
        return 1


class PatchLearnerSettings(PatchModelSettings):
    """A model that is no network: the boosted cascade of Haar-like features, say."""

    @field_validator("model")
    @classmethod
    def _learns_from_patches(cls, name: str) -> str:
        if name not in PATCH_LEARNERS:
            raise ValueError(f"no model '{name}' on patches; choose from: {', '.join(PATCH_LEARNERS)}")
        return name

    @model_validator(mode="after")
    def _takes_the_form(self) -> Self:
        forms, form = getattr(part(MODELS, self.model), "FORMS", None), self.patches.patch.form
        if forms is not None and form not in forms:
            raise ValueError(f"{self.model} takes patches of the form {', '.join(forms)}; got {form}")
        if self.patches.show_candidate:
            raise ValueError(f"{self.model} looks at the image alone; set show_candidate = false")
        return self
