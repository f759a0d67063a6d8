"""Settings of one classical model of pictures, and of several models that answer together."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field

from tasks.classical.selectors import AnySelector
from tasks.settings import StageSettings


class PipelineSettings(StageSettings):
    """One classical model: what it is built from and what it sees; see `PictureTrainSettings`."""

    model: str
    options: dict[str, Any] = Field(default_factory=dict)
    families: tuple[str, ...] = ()
    selection: tuple[AnySelector, ...] = ()
    seed: int = 0


class CombinationSettings(StageSettings):
    """How several models answer together; see `PictureTrainSettings`."""

    combine: Literal["mean", "best"]
    together: tuple[str, ...]
