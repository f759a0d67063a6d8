"""Settings of train for pictures: which models, what each may learn from, and how they answer together."""

from __future__ import annotations

from typing import Any, Literal, Self

from pydantic import Field, field_validator, model_validator

from tasks.classical.selectors import AnySelector
from tasks.discover import MODELS, part, part_names
from tasks.settings import StageSettings
from tasks.train.network_settings import NetworkSettings
from tasks.train.pipeline_settings import CombinationSettings, PipelineSettings
from tasks.train.synthesis.settings import SynthesisSettings

OF_THE_FRAME = "size_and_border"
"""How a picture was saved: no model may learn from it, only the plain rule of that name."""


class PictureTrainSettings(StageSettings):
    """Models that learn the classes of pictures, each on the same folds.

    Attributes
    ----------
    models
        Networks, classical models on features, or both.
    options
        Settings of each model, by its name.
    learning
        How each network learns, by its name: the fields of ``NetworkSettings``.
    families
        Families of features that classical models see.
    selection
        Selectors before a classical model, in their order.
    combine
        How several models answer together: ``"mean"`` of their calibrated probabilities, or the one that was ``"best"``
        on training pictures that it had not seen, by cross-entropy after calibration. A network has such pictures with
        ``held_out`` above 0 alone.
    together
        Those of the models that answer together; the others stand beside them in the tables, to compare with. ``None``:
        all of them.
    synthesis
        How synthetic pictures of a rare class are made in each fold, and judged; ``None``: none are.
    """

    models: tuple[str, ...] = Field(default=("alexnet",), min_length=1)
    options: dict[str, dict[str, Any]] = Field(default_factory=dict)
    learning: dict[str, dict[str, Any]] = Field(default_factory=dict)
    families: tuple[str, ...] = Field(default=("first_order", "hog"), min_length=1)
    selection: tuple[AnySelector, ...] = ()
    combine: Literal["mean", "best"] = "mean"
    together: tuple[str, ...] | None = Field(default=None, min_length=1)
    synthesis: SynthesisSettings | None = None
    seed: int = Field(default=0, ge=0)

    @field_validator("models")
    @classmethod
    def _known_once(cls, names: tuple[str, ...]) -> tuple[str, ...]:
        choices = (*network_names(), *classical_names())
        for name in names:
            if name not in choices:
                raise ValueError(f"no model '{name}' for pictures; choose from: {', '.join(sorted(choices))}")
        if len(set(names)) != len(names):
            raise ValueError(f"expected each model once; got {', '.join(names)}")
        return names

    @field_validator("families")
    @classmethod
    def _of_the_content(cls, names: tuple[str, ...]) -> tuple[str, ...]:
        if OF_THE_FRAME in names:
            raise ValueError(f"{OF_THE_FRAME} says how a picture was saved, not what it shows: no model may learn it")
        return names

    @model_validator(mode="after")
    def _fit_together(self) -> Self:
        if strangers := sorted(set(self.together or ()) - set(self.models)):
            raise ValueError(f"together with {', '.join(strangers)}, which is none of: {', '.join(self.models)}")
        for block, known in (("options", self.models), ("learning", [n for n in self.models if self.is_network(n)])):
            if strangers := sorted(set(getattr(self, block)) - set(known)):
                raise ValueError(f"{block} of {', '.join(strangers)}, which is none of: {', '.join(known) or 'none'}")
        for name in self.models:
            self.network(name) if self.is_network(name) else self.pipeline(name)
        chosen = self.combination().together if self.combine == "best" else ()
        if silent := [name for name in chosen if self.is_network(name) and not self.network(name).held_out]:
            raise ValueError(
                f"combine = 'best' needs held_out > 0 for {', '.join(silent)}: there is nothing to compare"
            )
        return self

    @property
    def asks_for_features(self) -> bool:
        """Whether one of the models learns from hand-made features."""
        return any(self.pipeline(name).families for name in self.models if not self.is_network(name))

    def is_network(self, name: str) -> bool:
        """Whether a model is a network, and belongs on a GPU."""
        return name in network_names()

    def network(self, name: str) -> NetworkSettings:
        """Everything that the training of one network depends on."""
        own = {"model": name, "options": self.options.get(name, {}), "seed": self.seed}
        return NetworkSettings.model_validate({**self.learning.get(name, {}), **own})

    def combination(self) -> CombinationSettings:
        """Everything that putting models together depends on."""
        together = self.models if self.together is None else self.together
        return CombinationSettings(combine=self.combine, together=together)

    def pipeline(self, name: str) -> PipelineSettings:
        """Everything that the training of one classical model depends on."""
        options = part(MODELS, name).Settings.model_validate(self.options.get(name, {})).model_dump(mode="json")
        if name in part_names(MODELS, with_function="build_on_pictures"):
            return PipelineSettings(model=name, options=options, seed=self.seed)
        return PipelineSettings(
            model=name, options=options, families=self.families, selection=self.selection, seed=self.seed
        )


def network_names() -> tuple[str, ...]:
    """Models that are networks on pictures."""
    return part_names(MODELS, with_function="build_network")


def classical_names() -> tuple[str, ...]:
    """Models on features, and those that look at the pictures by themselves."""
    return (*part_names(MODELS, with_function="build"), *part_names(MODELS, with_function="build_on_pictures"))
