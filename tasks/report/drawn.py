"""One case as the page shows it: findings, the verdict on them, and pictures that are small enough to be kept.

Drawn cases are plain frozen values. Each is made without the other cases and goes through JSON unchanged.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

from pydantic import BaseModel, ConfigDict

from storage.finding import Finding


class Part(BaseModel):
    """A piece of the report: frozen, and unknown keys refused."""

    model_config = ConfigDict(frozen=True, extra="forbid")


Verdict = Literal["hit", "false positive", "near"]
"""``near``: neither a hit nor a false positive by the matching rule, e.g. a fragment or a finding under 0.5 ml."""


class Outcome(Part):
    """What evaluate says about one case.

    Attributes
    ----------
    lesions
        Annotated lesions.
    missed
        Labels of those without a hit, in the case's lesion label image.
    verdicts
        By the number of a finding.
    """

    lesions: int = 0
    missed: tuple[int, ...] = ()
    verdicts: Mapping[int, Verdict] = {}

    @property
    def false_positives(self) -> int:
        """Findings judged false positive."""
        return sum(verdict == "false positive" for verdict in self.verdicts.values())


class Layer(Part):
    """One grey scale of one plane: a ``data:`` URI."""

    window: str
    uri: str


class Outline(Part):
    """Outlines of one label: an SVG path, and where its number stands, in picture coordinates (mm)."""

    number: int
    path: str
    at: tuple[float, float]
    focus: bool = False


class DrawnPlane(Part):
    """A plane ready to be shown; lengths in mm, letters at its edges, ``mark`` in picture coordinates."""

    title: str
    description: str
    width: float
    height: float
    layers: tuple[Layer, ...]
    findings: tuple[Outline, ...]
    lesions: tuple[Outline, ...]
    mark: tuple[float, float] | None
    letters: tuple[str, str, str, str]
    scale_bar: float


class View(Part):
    """The planes through one place of a case.

    Attributes
    ----------
    kind
        Why it is shown: a finding, a missed lesion, or the middle of an image without either.
    number
        Of the finding, or label of the lesion.
    caption
        Measures, in words.
    position_mm
        DICOM LPS.
    outside
        The position does not lie in this image; the nearest sections are shown.
    planes
        Axial, coronal, sagittal, and a close-up of the axial plane.
    """

    kind: Literal["finding", "missed", "middle"]
    number: int = 0
    caption: str = ""
    position_mm: tuple[float, float, float]
    outside: bool = False
    planes: tuple[DrawnPlane, ...]


class DrawnCase(Part):
    """One case as the page shows it: small enough to be kept, and made without the other cases.

    Attributes
    ----------
    case, patient, image
        Pseudonyms, and the image's name in the study file.
    image_summary
        Size, spacing and unit in words.
    windows
        Names of the grey scales; the first is shown first.
    findings
        All findings, most confident first.
    outcome
        ``None`` without annotation.
    flags
        Quality flags of the case.
    views
        At most as many as the settings allow; ``undrawn`` findings and missed lesions have none.
    overview
        Projection of the whole image (PET only).
    """

    case: str
    patient: str
    image: str
    image_summary: str
    windows: tuple[str, ...]
    findings: tuple[Finding, ...] = ()
    outcome: Outcome | None = None
    flags: tuple[str, ...] = ()
    views: tuple[View, ...] = ()
    overview: DrawnPlane | None = None
    undrawn: int = 0
