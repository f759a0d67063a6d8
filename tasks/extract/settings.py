"""Settings of the stage *extract*: which families, and one block for each.

The blocks are made from the families' own files, so that a new family is one new file: ``[extract.haar_wavelet]`` in
the study file is checked by ``Settings`` of ``tasks/extract/families/haar_wavelet.py``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from pydantic import create_model, field_validator

from tasks.extract.registry import family_names, load_family
from tasks.settings import StageSettings


class FamilyChoice(StageSettings):
    """What does not depend on which families exist.

    Attributes
    ----------
    families
        Names of the families to compute, in the order of the table's columns.
    """

    families: tuple[str, ...] = ("first_order", "shape", "haar_wavelet")

    @field_validator("families")
    @classmethod
    def _known_once(cls, names: tuple[str, ...]) -> tuple[str, ...]:
        for name in names:
            load_family(name)
        if not names or len(set(names)) != len(names):
            raise ValueError(f"expected each family once and at least one; got {', '.join(names) or 'none'}")
        return names

    def block(self, name: str) -> StageSettings:
        """Settings of one family."""
        block = getattr(self, name)
        if not isinstance(block, StageSettings):
            raise ValueError(f"{name!r} is no feature family; choices: {', '.join(family_names())}")
        return block


if TYPE_CHECKING:

    class Settings(FamilyChoice):
        """One block ``[extract]`` of the study file, with one block per family inside."""

else:
    _blocks = {name: (load_family(name).settings, load_family(name).settings()) for name in family_names()}
    Settings = create_model("Settings", __base__=FamilyChoice, __module__=__name__, **_blocks)
