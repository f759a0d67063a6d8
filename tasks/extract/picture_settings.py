"""Settings of the stage *extract* of pictures: which families, and one block for each.

The blocks are made from the families' own files, so that a new family is one new file: ``[extract.hog]`` in the study
file is checked by ``Settings`` of ``tasks/extract/picture_families/hog.py``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from pydantic import create_model, field_validator

from tasks.extract.picture_registry import load_picture_family, picture_family_names
from tasks.settings import StageSettings

OF_THE_PLAIN_RULES = ("size_and_border", "first_order", "wavelet", "hog")
"""What every model is compared with looks at these: they are always computed."""


class PictureFamilyChoice(StageSettings):
    """What does not depend on which families exist.

    Attributes
    ----------
    families
        Names of the families to compute beside those of the plain rules.
    """

    families: tuple[str, ...] = ("colour",)

    @field_validator("families")
    @classmethod
    def _known_once(cls, names: tuple[str, ...]) -> tuple[str, ...]:
        for name in names:
            load_picture_family(name)
        if len(set(names)) != len(names):
            raise ValueError(f"expected each family once; got {', '.join(names)}")
        return names

    @property
    def computed(self) -> tuple[str, ...]:
        """All families that are computed, in the order of the table's columns."""
        return tuple(dict.fromkeys((*OF_THE_PLAIN_RULES, *self.families)))

    def block(self, name: str) -> StageSettings:
        """Settings of one family. Raises ``ValueError`` when there is none of that name."""
        load_picture_family(name)
        block: StageSettings = getattr(self, name)
        return block


if TYPE_CHECKING:

    class PictureSettings(PictureFamilyChoice):
        """One block ``[extract]`` of a study of pictures, with one block per family inside."""

else:
    _blocks = {
        name: (load_picture_family(name).settings, load_picture_family(name).settings())
        for name in picture_family_names()
    }
    PictureSettings = create_model("PictureSettings", __base__=PictureFamilyChoice, __module__=__name__, **_blocks)
