"""Settings of the stage *sample*: where candidates are searched, how they are found, how many are kept.

There is one block for each finder and each organ, made from their own files, so that a new one is one new file:
``[sample.dog]`` in the study file is checked by ``Settings`` of ``tasks/imaging/candidates/dog.py``, and
``[sample.lungs]`` by those of ``tasks/imaging/organs/lungs.py``.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from pydantic import Field, create_model, field_validator

from storage.case import Case
from tasks.imaging.finder import Finder, finders
from tasks.imaging.organ import Organ, organs
from tasks.settings import StageSettings

ORGANS = {name: kind for name, kind in organs().items() if "3-D" in kind.kinds}
"""Organs of volumes: this stage sees no pictures."""


class ImportedMask(StageSettings):
    """A mask that another tool made, one file a case: ``search_in = {mask = "masks/{case}.nii.gz", labels = [5]}``.

    Attributes
    ----------
    mask
        Path of the file, from the working directory; ``{case}`` and ``{patient}`` stand for the pseudonyms.
    labels
        By number or name, see :func:`tasks.imaging.imported_mask.read_mask`; empty: all that is not 0.
    """

    mask: str = Field(min_length=1)
    labels: tuple[int | str, ...] = ()

    @field_validator("mask")
    @classmethod
    def _fillable(cls, mask: str) -> str:
        try:
            mask.format(case="C", patient="P")
        except (KeyError, IndexError, ValueError):
            raise ValueError("expected no other braces than {case} and {patient} in the path of the mask") from None
        return mask


class SearchSettings(StageSettings):
    """What does not depend on which finders exist.

    Attributes
    ----------
    search_in
        Name of an organ of volumes (``"body"``, ``"lungs"``, ``"liver"``, ``"brain"``), or an `ImportedMask`; ``None``:
        the lungs for CT (HU), else the body. A CT without lungs asked for lungs is a fault of the case, never silently
        searched elsewhere.
    finders
        Names of the finders that search, in the order of the candidates.
    duplicate_iou
        Of two candidates whose masks agree by more than this (intersection over union), the first is kept: that of the
        finder named first, lower thresholds before higher, stronger blobs before weaker.
    max_candidates
        Those with the highest contrast are kept.
    """

    search_in: str | ImportedMask | None = None
    finders: tuple[str, ...] = ("components", "blobs")
    duplicate_iou: float = Field(0.9, gt=0, le=1)
    max_candidates: int = Field(300, ge=1)

    @field_validator("search_in")
    @classmethod
    def _known(cls, place: str | ImportedMask | None) -> str | ImportedMask | None:
        if isinstance(place, str) and place not in ORGANS:
            raise ValueError(f"no organ '{place}' of volumes; choose from: {', '.join(ORGANS)}")
        return place

    @field_validator("finders")
    @classmethod
    def _known_once(cls, names: tuple[str, ...]) -> tuple[str, ...]:
        for name in names:
            if name not in finders():
                raise ValueError(f"no finder '{name}'; choose from: {', '.join(finders())}")
        if not names or len(set(names)) != len(names):
            raise ValueError(f"expected each finder once and at least one; got {', '.join(names) or 'none'}")
        return names

    def chosen(self) -> tuple[Finder, ...]:
        """The finders that search, with their settings, in their order."""
        return tuple(getattr(self, name) for name in self.finders)

    def mask_file(self, case: Case) -> Path | None:
        """File of a case's imported mask, which may not be there; ``None`` where none is searched."""
        if not isinstance(self.search_in, ImportedMask):
            return None
        return Path(self.search_in.mask.format(case=case.id, patient=case.patient))

    def organ(self, name: str) -> Organ:
        """The organ of this name, with its settings."""
        found: Organ = getattr(self, name)
        return found


if TYPE_CHECKING:

    class Settings(SearchSettings):
        """One block ``[sample]`` of the study file, with one block per finder and organ inside."""

else:
    _blocks = {name: (kind, kind()) for name, kind in (*finders().items(), *ORGANS.items())}
    Settings = create_model("Settings", __base__=SearchSettings, __module__=__name__, **_blocks)
