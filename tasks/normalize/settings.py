"""Settings of normalize: the steps in their order, or the study's grid and what an expert would do."""

from __future__ import annotations

from collections import Counter
from typing import Annotated

from pydantic import Field, field_validator, model_validator

from tasks.imaging.catalog import AnyStep, refuse_unfit
from tasks.settings import StageSettings

Positive = Annotated[float, Field(gt=0)]
Steps = tuple[AnyStep, ...]


class Settings(StageSettings):
    """One block ``[normalize]`` of the study file, with its ``[[normalize.steps]]``.

    Attributes
    ----------
    spacing_mm
        Declared grid along (z, y, x) in mm, for the usual steps; none keeps each image's own. Whoever lists steps
        lists ``resample`` among them.
    steps
        What is done, in this order. None: the usual steps for the image's unit, see ``tasks.normalize.usual``.
    levels
        Coarser levels of the Gaussian pyramid that are stored with the volume. None: down to 64 voxels along each axis,
        which takes a seventh more room.
    """

    spacing_mm: tuple[Positive, Positive, Positive] | None = None
    steps: Steps | None = None
    levels: int | None = Field(default=None, ge=0, le=12)

    @field_validator("steps")
    @classmethod
    def _for_patients(cls, steps: Steps | None) -> Steps | None:
        if steps == ():
            raise ValueError("expected one step at least; leave steps out for the usual ones")
        counted = Counter(step.name for step in steps or () if step.learns())
        if counted.total() > 1:
            raise ValueError(f"expected one step that learns from other images; got {', '.join(counted.elements())}")
        for step in steps or ():
            refuse_unfit(step, "3-D")
        return steps

    @model_validator(mode="after")
    def _one_grid(self) -> Settings:
        if self.steps is not None and self.spacing_mm is not None:
            raise ValueError("spacing_mm is for the usual steps; list the step 'resample' with its own spacing_mm")
        return self

    @property
    def learner(self) -> AnyStep | None:
        """The step that learns from the images of training patients, where there is one."""
        return next((step for step in self.steps or () if step.learns()), None)
