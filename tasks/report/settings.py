"""Settings of the report: how grey values are shown, how many pictures a case gets, and how large they are."""

from __future__ import annotations

from pydantic import Field, model_validator

from tasks.settings import StageSettings


class Window(StageSettings):
    """A grey scale: intensities at or below ``low`` are black and at or above ``high`` white, or the reverse.

    Attributes
    ----------
    name
        What the button says, e.g. ``"Lung"``.
    low, high
        In the unit of the image; with ``percentile`` in per cent of the volume's voxels.
    inverted
        Low is white, as PET is usually read.
    percentile
        ``low`` and ``high`` are percentiles, for images without an absolute unit.
    """

    name: str
    low: float
    high: float
    inverted: bool = False
    percentile: bool = False

    @model_validator(mode="after")
    def _ordered(self) -> Window:
        if not self.low < self.high:
            raise ValueError(f"window {self.name!r}: low must be below high; got {self.low} and {self.high}")
        if self.percentile and not 0 <= self.low < self.high <= 100:
            raise ValueError(f"window {self.name!r}: percentiles lie in 0..100; got {self.low} and {self.high}")
        return self


class Settings(StageSettings):
    """The ``[report]`` block of the study file.

    Attributes
    ----------
    windows_hu, windows_suv, windows_other
        Presets for CT, for PET in SUV, and for images without an absolute unit (MR). The first is shown first.
    maximum_overlays_per_case
        Most findings and missed lesions of one case that get pictures; every finding stays in the tables.
    maximum_pixels
        A picture has at most this many rows and columns; larger sections are averaged down.
    close_up_mm
        Side of the enlarged square around a finding; grows with a finding that does not fit in.
    case_kilobytes
        What the pictures of one case may weigh. JPEG quality and size step down until they fit.
    headline
        The metric shown at the top, by its name in the run summary.
    """

    windows_hu: tuple[Window, ...] = Field(
        default=(
            Window(name="Lung", low=-1350, high=150),
            Window(name="Soft tissue", low=-160, high=240),
            Window(name="Bone", low=-500, high=1300),
        ),
        min_length=1,
    )
    windows_suv: tuple[Window, ...] = Field(
        default=(
            Window(name="SUV 0–10", low=0, high=10, inverted=True),
            Window(name="SUV 0–5", low=0, high=5, inverted=True),
        ),
        min_length=1,
    )
    windows_other: tuple[Window, ...] = Field(
        default=(
            Window(name="1–99 %", low=1, high=99, percentile=True),
            Window(name="0.1–99.9 %", low=0.1, high=99.9, percentile=True),
        ),
        min_length=1,
    )
    maximum_overlays_per_case: int = Field(default=4, ge=1)
    maximum_pixels: int = Field(default=384, ge=64)
    close_up_mm: float = Field(default=80.0, gt=0)
    case_kilobytes: int = Field(default=380, ge=20)
    headline: str = "hits_iou_0.3"

    def windows(self, unit: str) -> tuple[Window, ...]:
        """Presets for images in ``unit``: HU, SUV, or anything else."""
        return {"HU": self.windows_hu, "SUV": self.windows_suv}.get(unit, self.windows_other)
