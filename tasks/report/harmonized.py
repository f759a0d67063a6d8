"""Which scanners the models of a study harmonize, and which cases were left as they are."""

from __future__ import annotations

from tasks.report.drawn import Part

STRONG = 0.5
"""Cramér's V from which scanner and lesion go together too strongly for ComBat (Cohen 1988: a large effect)."""


class Scanner(Part):
    """A scanner of the training patients; ``features``: how many are corrected on it."""

    name: str
    patients: int
    features: int


class Harmonization(Part):
    """What one model does about scanners; see ``Harmonization`` of ``tasks.train.harmonized``."""

    by: str
    scanners: tuple[Scanner, ...]
    reference: str | None = None
    unnamed: int = 0
    goes_with_lesions: float | None = None
    goes_with_candidates: float | None = None

    @property
    def corrected(self) -> tuple[Scanner, ...]:
        """The scanners whose features are changed."""
        return tuple(one for one in self.scanners if one.features)

    @property
    def left(self) -> tuple[Scanner, ...]:
        """Those with too few training patients, and the one that all others are brought to."""
        return tuple(one for one in self.scanners if not one.features)

    @property
    def doubtful(self) -> bool:
        """Whether it may have taken away what a lesion is."""
        return max(self.goes_with_lesions or 0.0, self.goes_with_candidates or 0.0) >= STRONG


class CaseScanner(Part):
    """The scanner of one case, as the model that scored it knows it; ``name`` is ``None`` where no header tells."""

    case: str
    name: str | None
    harmonized: bool
