"""Settings of the patches that an image is searched by."""

from __future__ import annotations

from tasks.imaging.patches import GridSettings, PatchShape
from tasks.settings import StageSettings


class PatchSettings(StageSettings):
    """Form and size of the patches, and how they lie side by side."""

    patch: PatchShape = PatchShape()
    grid: GridSettings = GridSettings()
