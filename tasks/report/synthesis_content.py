"""What the page says about synthetic pictures: how the generators learned, what they made, and what that is worth."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

from tasks.report.drawn import Part


class SynthesisCurves(Part):
    """The training of one generator: points at ``steps``, and values by what they are."""

    name: str
    steps: tuple[int, ...]
    values: Mapping[str, tuple[float, ...]]


class SynthesisFold(Part):
    """The generator of one fold.

    Attributes
    ----------
    name
        ``"fold 1"``.
    real, synthetic
        ``data:`` URIs of sheets: pictures that it learned from, and pictures that it made.
    made
        How many it made in all.
    copies, nearest_training, expected, p
        The permutation test of `tasks.metrics.synthesis.memorization`.
    copies_missed
        Whether that test overlooks the training pictures themselves, so that it says nothing here.
    precision, recall, density, coverage, real_precision, real_recall
        Of synthetic pictures, and of real training pictures for comparison, against held-out ones.
    """

    name: str
    real: str
    synthetic: str
    made: int
    copies: bool
    nearest_training: float
    expected: float
    p: float
    copies_missed: bool
    precision: float
    recall: float
    density: float
    coverage: float
    real_precision: float
    real_recall: float

    @property
    def verdict(self) -> Literal["copies", "no copies found", "cannot be told"]:
        """In words."""
        if self.copies:
            return "copies"
        return "cannot be told" if self.copies_missed else "no copies found"


class SynthesisGain(Part):
    """A figure of the classifier with synthetic pictures, of another one, and the paired difference."""

    metric: str
    other: Literal["real", "repeated"]
    value: float
    other_value: float
    difference: float
    low: float
    high: float
    p: float
    n: int

    @property
    def proven(self) -> bool:
        """Whether the interval leaves out no difference at all."""
        return self.low > 0 or self.high < 0


class SynthesisPart(Part):
    """What a study with ``[train.synthesis]`` adds to the page.

    ``learned_from``: how many synthetic pictures a model of the study learned from, the one of most.
    """

    method: str
    class_name: str
    learned_from: int = 0
    folds: tuple[SynthesisFold, ...]
    curves: tuple[SynthesisCurves, ...]
    gains: tuple[SynthesisGain, ...]
