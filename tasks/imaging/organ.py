"""Organs and fields: where in an image to look, found by means that can be explained, and how far to trust the mask.

An organ is one file of ``tasks/imaging/organs`` with a class ``Settings(Organ)`` that gives it a name. It uses
thresholds, morphology, watersheds and the like, and says of each mask what speaks against it.

Words:

- *parts*: what the labels 1, 2, … of a mask stand for, e.g. the right and the left lung.
- *remark*: something that speaks against a mask. *Doubtful*: it may be right, somebody should look. *Refused*: it must
  not be used.
- *verdict*: the worst of the remarks; ``accepted`` where there are none.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cache
from typing import Any, ClassVar, Literal, NamedTuple

import numpy as np
import numpy.typing as npt

from storage.errors import CaseError
from storage.volume import Volume
from tasks.discover import settings_by_name
from tasks.imaging.morphology import BoolArray
from tasks.imaging.step import Array, Kind, View, kind_of
from tasks.settings import StageSettings

FOLDER = "tasks.imaging.organs"
Labels = npt.NDArray[np.uint8]
Verdict = Literal["accepted", "doubtful", "refused"]
VERDICTS: tuple[Verdict, ...] = ("accepted", "doubtful", "refused")
"""From good to bad."""


class Remark(NamedTuple):
    """What speaks against a mask, as it would follow "lungs: "."""

    verdict: Verdict
    reason: str


@dataclass(frozen=True, eq=False)
class OrganMask:
    """An organ as it was found.

    Attributes
    ----------
    organ
        Its name.
    labels
        uint8, shape of the image's spatial axes; 0 outside, and the numbers of `parts`.
    parts
        Names of the labels 1, 2, ….
    remarks
        What speaks against it.
    figures
        What was measured of it: ``volume_l`` of a volume, ``share`` of a picture, and each part's.
    """

    organ: str
    labels: Labels
    parts: tuple[str, ...]
    remarks: tuple[Remark, ...] = ()
    figures: Mapping[str, float] = field(default_factory=dict)

    @property
    def mask(self) -> BoolArray:
        """All parts together."""
        return np.asarray(self.labels > 0)

    @property
    def verdict(self) -> Verdict:
        """The worst of the remarks."""
        return max((remark.verdict for remark in self.remarks), key=VERDICTS.index, default="accepted")

    def usable(self) -> BoolArray:
        """The mask; ``CaseError`` with the reasons where it was refused."""
        if self.verdict == "refused":
            raise CaseError("; ".join(remark.reason for remark in self.remarks if remark.verdict == "refused"))
        return self.mask

    def quality(self) -> dict[str, Any]:
        """Verdict, reasons and figures, for JSON."""
        return {
            "organ": self.organ,
            "parts": list(self.parts),
            "verdict": self.verdict,
            "reasons": [remark.reason for remark in self.remarks],
            "figures": {name: round(value, 4) for name, value in self.figures.items()},
        }


class Organ(StageSettings, ABC):
    """One organ: its options, and how it is found. A subclass is called ``Settings`` and gives ``name`` as default.

    Attributes
    ----------
    kinds
        Images that it is looked for on.
    units
        Units of intensity that it is looked for in; ``None``: any.
    parts
        Names of the labels of its masks; empty: one label, which bears the organ's name.
    """

    kinds: ClassVar[frozenset[Kind]]
    units: ClassVar[frozenset[str] | None] = None
    parts: ClassVar[tuple[str, ...]] = ()

    name: str = ""

    @abstractmethod
    def segment(self, array: Array, view: View, body: BoolArray | None) -> npt.NDArray[Any]:
        """Its labels; ``CaseError`` where there is none to be found. Parameters as of :meth:`find`."""

    def examine(self, labels: Labels, array: Array, view: View) -> Iterable[Remark]:
        """What speaks against labels that it found, some of which are not 0."""
        del labels, array, view
        return ()

    def find(self, array: Array, view: View, *, body: BoolArray | None = None) -> OrganMask:
        """Look for the organ. Where there is none, or the image is none of its kind, the mask is empty and refused.

        Parameters
        ----------
        array
            ``(z, y, x)``, ``(y, x)`` or ``(y, x, 3)``, finite.
        view
            Spacing, unit and direction of the whole image, see :class:`~tasks.imaging.step.View`.
        body
            The patient's mask where it is known; ``None``: organs that need it look for it.
        """
        parts = self.parts or (self.name,)
        try:
            self._refuse_other_images(array, view)
            labels = self.segment(array, view, body).astype(np.uint8, copy=False)
            if not labels.any():
                raise CaseError(f"no {self.name} found")
        except CaseError as error:
            nothing = np.zeros(view.shape, dtype=np.uint8)
            return OrganMask(self.name, nothing, parts, (Remark("refused", str(error)),))
        remarks = tuple(self.examine(labels, array, view))
        return OrganMask(self.name, labels, parts, remarks, figures_of(labels, parts, view))

    def find_in(self, image: Volume, *, body: BoolArray | None = None) -> OrganMask:
        """Look for the organ in a volume; see :meth:`find`."""
        array = np.asarray(image.array)
        view = View.of(array, image.spacing_mm, unit=image.unit, direction=image.direction)
        return self.find(array, view, body=body)

    def _refuse_other_images(self, array: Array, view: View) -> None:
        kind = kind_of(array, view.spacing_mm)
        if kind not in self.kinds:
            raise CaseError(f"{self.name} is looked for on {' and '.join(sorted(self.kinds))} images; got a {kind} one")
        if self.units is not None and view.unit not in self.units:
            raise CaseError(f"{self.name} is looked for in {' or '.join(sorted(self.units))}; got {view.unit!r}")


def figures_of(labels: Labels, parts: tuple[str, ...], view: View) -> dict[str, float]:
    """Litres of a volume's mask, share of a picture's area; of the parts too where there are several."""
    counts = np.bincount(labels.ravel(), minlength=len(parts) + 1)[1:]
    of_volume = len(view.shape) == 3
    scale = float(np.prod(view.spacing_mm)) / 1e6 if of_volume else 1.0 / float(np.prod(view.shape))
    name = "volume_l" if of_volume else "share"
    several = {f"{name} {part}": float(n) * scale for part, n in zip(parts, counts, strict=False)}
    return {name: float(counts.sum()) * scale} | (several if len(parts) > 1 else {})


def beyond(
    what: str, value: float, unit: str, *, usual: tuple[float, float], possible: tuple[float, float] | None = None
) -> list[Remark]:
    """A remark where a figure is beyond what is usual (doubtful), or beyond what is possible (refused).

    >>> beyond("volume", 0.4, "l", usual=(1.0, 9.0))
    [Remark(verdict='doubtful', reason='volume 0.4 l below 1 l')]
    """
    limits: list[tuple[Verdict, tuple[float, float]]] = [("doubtful", usual)]
    if possible is not None:
        limits.insert(0, ("refused", possible))
    for verdict, (low, high) in limits:
        if value < low:
            return [Remark(verdict, f"{what} {value:.3g} {unit} below {low:g} {unit}".replace("  ", " "))]
        if value > high:
            return [Remark(verdict, f"{what} {value:.3g} {unit} above {high:g} {unit}".replace("  ", " "))]
    return []


@cache
def organs() -> dict[str, type[Organ]]:
    """Every organ by name. ``TypeError`` when a file has no ``Settings(Organ)`` that bears its name."""
    found: dict[str, type[Organ]] = settings_by_name(FOLDER, Organ)
    return found
