"""What to look at in a case: findings, missed lesions, or the middle of an image that has neither."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np

from storage.finding import Finding
from storage.volume import Volume
from tasks.report.drawn import Outcome
from tasks.report.overlay import BoolArray, IntArray
from tasks.report.wording import significant


@dataclass(frozen=True, eq=False)
class CasePanel:
    """One case with its arrays.

    Attributes
    ----------
    case, patient, image_name
        Pseudonyms, and the image's name in the study file.
    volume
        The image, in its physical unit.
    finding_labels, lesion_labels
        Label images on the volume's grid: ``Finding.number``, and 1 … for annotated lesions; ``None`` without any.
    findings
        Most confident first.
    outcome
        ``None`` where the case has no annotation.
    flags
        Quality flags of the case.
    """

    case: str
    patient: str
    image_name: str
    volume: Volume
    finding_labels: IntArray | None = None
    lesion_labels: IntArray | None = None
    findings: tuple[Finding, ...] = ()
    outcome: Outcome | None = None
    flags: tuple[str, ...] = ()


@dataclass(frozen=True)
class Target:
    """A place to look at: position in DICOM LPS, rough diameter, and measures in words."""

    kind: Literal["finding", "missed", "middle"]
    number: int
    position_mm: tuple[float, float, float]
    extent_mm: float
    caption: str


def list_targets(panel: CasePanel) -> list[Target]:
    """Findings, then missed lesions."""
    verdicts = panel.outcome.verdicts if panel.outcome else {}
    found = [_finding_target(finding, verdicts.get(finding.number)) for finding in panel.findings]
    missed = panel.outcome.missed if panel.outcome else ()
    if panel.lesion_labels is None:
        return found
    targets = (_lesion_target(panel.volume, panel.lesion_labels == label, label) for label in missed)
    return found + [target for target in targets if target is not None]


def choose(targets: list[Target], maximum: int) -> list[Target]:
    """At most ``maximum`` of them, in order; missed lesions get what findings leave, and up to half of the room."""
    found = [target for target in targets if target.kind == "finding"]
    missed = [target for target in targets if target.kind == "missed"]
    for_missed = min(len(missed), max(maximum - len(found), maximum // 2))
    return found[: maximum - for_missed] + missed[:for_missed]


def _finding_target(finding: Finding, verdict: str | None) -> Target:
    words = [f"confidence {finding.confidence:.2f}", f"{finding.long_axis_mm:.0f} × {finding.short_axis_mm:.0f} mm"]
    words.append(f"{significant(finding.volume_ml)} ml")
    if verdict:
        words.append({"near": "counted neither as hit nor as false positive"}.get(verdict, verdict))
    return Target("finding", finding.number, finding.position_mm, finding.long_axis_mm, " · ".join(words))


def _lesion_target(volume: Volume, mask: BoolArray, label: int) -> Target | None:
    """The voxel of a lesion nearest to its centre of mass: the centre itself can lie outside."""
    index = np.argwhere(mask)
    if index.size == 0:
        return None
    world = volume.to_world_mm(index)
    nearest = world[int(np.argmin(np.square(world - world.mean(axis=0)).sum(axis=1)))]
    extent = float(np.max(np.ptp(world, axis=0)))
    x, y, z = (float(value) for value in nearest)
    caption = f"annotated, not found · {significant(len(index) * volume.voxel_ml)} ml · {extent:.0f} mm"
    return Target("missed", label, (x, y, z), extent, caption)


def middle(volume: Volume) -> Target:
    """The middle of an image."""
    x, y, z = volume.to_world_mm([(n - 1) // 2 for n in volume.shape]).tolist()
    return Target("middle", 0, (x, y, z), 0.0, "middle of the image")
