"""What a report says, as plain frozen values: everything that the page shows, and nothing that changes between runs.

No value here holds a time, a host or a run id, so the same content gives the same bytes. ``None`` and NaN mean undefined.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

from pydantic import BaseModel, ConfigDict

from storage.finding import Finding


class Part(BaseModel):
    """A piece of the report: frozen, and unknown keys refused."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class LeftOut(Part):
    """A series that no case uses: set aside by the selector, or quarantined as damaged.

    Attributes
    ----------
    series
        Pseudonymous name of the series.
    modality
        DICOM modality, empty where unknown.
    reason
        One sentence.
    """

    series: str
    modality: str = ""
    reason: str


class Excluded(Part):
    """A case that was received and could not be analysed."""

    case: str
    stage: str
    reason: str


class Accounting(Part):
    """Where everything that was seen has gone.

    Attributes
    ----------
    series_seen, used
        Series found in the inbox, and those that became images or annotations of cases.
    set_aside, quarantined
        Series not wanted by the study, and series that are damaged.
    waiting
        Series younger than the quiet period, left for the next run.
    received, analysed
        Cases.
    excluded
        Cases that were received and not analysed.
    """

    series_seen: int = 0
    used: int = 0
    set_aside: tuple[LeftOut, ...] = ()
    quarantined: tuple[LeftOut, ...] = ()
    waiting: int = 0
    received: int = 0
    analysed: int = 0
    excluded: tuple[Excluded, ...] = ()

    @property
    def faults(self) -> tuple[str, ...]:
        """Sums that do not come out; the page shows them in red."""
        sums = {
            "series seen": (self.series_seen, self.used + len(self.set_aside) + len(self.quarantined) + self.waiting),
            "cases received": (self.received, self.analysed + len(self.excluded)),
        }
        return tuple(f"{name}: {whole}, but the parts add up to {parts}" for name, (whole, parts) in sums.items() if whole != parts)


class Estimate(Part):
    """A number with its confidence interval and what it was counted over."""

    value: float | None = None
    low: float | None = None
    high: float | None = None
    n: int | None = None


class Metric(Estimate):
    """A metric over the received cases, where an excluded case counts as missed.

    Attributes
    ----------
    rule
        How it is computed, in words.
    analysed
        The same over the analysed cases.
    """

    rule: str = ""
    analysed: Estimate | None = None


class Difference(Part):
    """This study minus one baseline on the same patients."""

    baseline: str
    metric: str
    difference: float | None = None
    low: float | None = None
    high: float | None = None
    p: float | None = None
    n: int | None = None
    rule: str = ""


class Curve(Part):
    """A free-response curve; a rule without a confidence is one point.

    Attributes
    ----------
    name
        What the legend says.
    fp_per_scan, sensitivity
        Of equal length, along rising false positives per scan.
    operating_point
        ``(fp_per_scan, sensitivity)`` at the frozen threshold.
    """

    name: str
    fp_per_scan: tuple[float, ...]
    sensitivity: tuple[float, ...]
    operating_point: tuple[float, float] | None = None


class Fold(Part):
    """One trained model: a fold's, or the refit on everyone.

    Attributes
    ----------
    name
        ``"1"`` … or ``"refit"``.
    model
        The kind chosen, e.g. ``"random_forest"``.
    score, score_name
        Out-of-fold score and what it is, e.g. ``"average precision"``; ``None`` for the refit, which is never scored here.
    operating_point
        Confidence from which a candidate becomes a finding.
    training_patients, training_candidates
        What it was fitted on.
    top_features
        Name and importance, most important first.
    """

    name: str
    model: str
    score: float | None = None
    score_name: str = ""
    operating_point: float | None = None
    training_patients: int = 0
    training_candidates: int = 0
    top_features: tuple[tuple[str, float], ...] = ()


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


class ReportInput(Part):
    """Everything that the page says.

    Attributes
    ----------
    study, subtitle
        Name of the study, and one line about it.
    accounting
        Series and cases.
    headline
        Name of the metric shown at the top.
    metrics, baselines, differences
        As in the run summary; baselines by rule, then metric.
    curves
        Free-response curves; the first is this study's.
    folds
        Models.
    cases
        Analysed cases, in the order of the cohort.
    settings_text
        Resolved settings, as TOML or JSON.
    versions, keys
        Of libraries by name; of artifacts by what they hold.
    notes
        Sentences for the top of the page, e.g. why nothing was trained.
    """

    study: str
    subtitle: str = ""
    accounting: Accounting = Accounting()
    headline: str = "hits_iou_0.3"
    metrics: Mapping[str, Metric] = {}
    baselines: Mapping[str, Mapping[str, Estimate]] = {}
    differences: tuple[Difference, ...] = ()
    curves: tuple[Curve, ...] = ()
    folds: tuple[Fold, ...] = ()
    cases: tuple[DrawnCase, ...] = ()
    settings_text: str = ""
    versions: Mapping[str, str] = {}
    keys: Mapping[str, str] = {}
    notes: tuple[str, ...] = ()
