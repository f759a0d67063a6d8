"""What the page says about label maps: how well each case was segmented, how the networks learned, and pictures."""

from __future__ import annotations

from collections.abc import Mapping

from tasks.report.drawn import DrawnPlane, Part
from tasks.report.picture_content import Learning


class SegmentedCase(Part):
    """One case in the table.

    Attributes
    ----------
    case, patient
        Pseudonyms.
    volumes_ml, annotated_ml
        Segmented and annotated volume of each structure; ``None`` where nobody annotated the case.
    measures
        Metrics by structure; empty without an annotation.
    """

    case: str
    patient: str
    volumes_ml: Mapping[str, float]
    annotated_ml: Mapping[str, float] | None = None
    measures: Mapping[str, Mapping[str, float | None]] = {}

    def measure(self, structure: str, metric: str) -> float | None:
        """A metric of a structure; ``None`` where it is not defined."""
        return self.measures.get(structure, {}).get(metric)


class ShownCase(Part):
    """Pictures of a case, axial, coronal and sagittal, with outlines of what was segmented and what was annotated."""

    case: str
    caption: str
    dice: float | None
    planes: tuple[DrawnPlane, ...]


class SegmentationPart(Part):
    """What a study of segmentation adds to the page.

    Attributes
    ----------
    structures
        Value in label maps, which stands beside the outlines, by name.
    columns
        Names of the structures that were compared, all together first.
    cases
        Best first.
    """

    structures: Mapping[str, int] = {}
    columns: tuple[str, ...] = ()
    cases: tuple[SegmentedCase, ...] = ()
    learning: tuple[Learning, ...] = ()
    shown: tuple[ShownCase, ...] = ()
