"""What a report says, as plain frozen values: everything that the page shows, and nothing that changes between runs.

No value here holds a time, a host or a run id, so the same content gives the same bytes. ``None`` and NaN mean
undefined.
"""

from __future__ import annotations

from collections.abc import Mapping

from pydantic import model_validator

from tasks.report.drawn import DrawnCase, Part
from tasks.report.harmonized import CaseScanner, Harmonization
from tasks.report.picture_content import PicturePart
from tasks.report.quality import CohortQuality
from tasks.report.searched import Searched
from tasks.report.segmentation_content import SegmentationPart
from tasks.report.selected import FoldSelection, SelectedFeatures
from tasks.report.synthesis_content import SynthesisPart
from tasks.report.told import Told
from tasks.report.trust import FeatureTrust


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
        return tuple(
            f"{name}: {whole}, but the parts add up to {parts}"
            for name, (whole, parts) in sums.items()
            if whole != parts
        )


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
    """The study minus one baseline on the same patients."""

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

    @model_validator(mode="after")
    def _paired(self) -> Curve:
        if len(self.fp_per_scan) != len(self.sensitivity):
            raise ValueError(
                f"curve {self.name!r}: expected as many sensitivities as false positive rates; "
                f"got {len(self.sensitivity)} and {len(self.fp_per_scan)}"
            )
        return self


class Fold(Part):
    """One trained model: a fold's, or the refit on everyone.

    Attributes
    ----------
    name
        ``"1"`` … or ``"refit"``.
    model
        The kind chosen, e.g. ``"random_forest"``.
    score, score_name
        Out-of-fold score and what it is, e.g. ``"average precision"``; ``None`` for the refit, which is
        never scored here.
    operating_point
        Confidence from which a candidate becomes a finding.
    training_patients, training_candidates
        What it was fitted on.
    top_features
        Name and importance, most important first.
    scores
        Of every model that competed: by its name, out-of-fold scores by theirs.
    selection
        Which features it was given.
    harmonization
        What it does about scanners; ``None`` where it does nothing.
    searched
        What was tried in search of the settings of each model; empty without a search.
    told
        What it says of itself: its graph, its clusters.
    """

    name: str
    model: str
    score: float | None = None
    score_name: str = ""
    operating_point: float | None = None
    training_patients: int = 0
    training_candidates: int = 0
    top_features: tuple[tuple[str, float], ...] = ()
    scores: Mapping[str, Mapping[str, float]] = {}
    selection: FoldSelection = FoldSelection()
    harmonization: Harmonization | None = None
    searched: tuple[Searched, ...] = ()
    told: Told = Told()


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
    baseline_rules
        What each baseline does, in words.
    interval_percent
        Confidence of all intervals.
    curves
        Free-response curves; the first is this study's.
    folds
        Models.
    cases
        Analysed cases, in the order of the cohort.
    quality
        How good their images are.
    selected
        The features that the models were given.
    scanners
        Of the cases, where their models harmonize.
    trust
        How far the features can be trusted.
    settings_text
        Resolved settings, as TOML or JSON.
    versions, keys
        Of libraries by name; of artifacts by what they hold.
    notes
        Sentences for the top of the page, e.g. why nothing was trained.
    pictures, segmentation
        What a study of pictures, or of segmentation, shows in place of cases; ``None`` for any other.
    """

    study: str
    subtitle: str = ""
    accounting: Accounting = Accounting()
    headline: str = "hits_iou_0.3"
    metrics: Mapping[str, Metric] = {}
    baselines: Mapping[str, Mapping[str, Estimate]] = {}
    differences: tuple[Difference, ...] = ()
    baseline_rules: Mapping[str, str] = {}
    interval_percent: float = 95
    curves: tuple[Curve, ...] = ()
    folds: tuple[Fold, ...] = ()
    cases: tuple[DrawnCase, ...] = ()
    quality: CohortQuality = CohortQuality()
    selected: SelectedFeatures = SelectedFeatures()
    scanners: tuple[CaseScanner, ...] = ()
    trust: FeatureTrust = FeatureTrust()
    settings_text: str = ""
    versions: Mapping[str, str] = {}
    keys: Mapping[str, str] = {}
    notes: tuple[str, ...] = ()
    pictures: PicturePart | None = None
    synthesis: SynthesisPart | None = None
    segmentation: SegmentationPart | None = None
