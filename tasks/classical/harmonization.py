"""Whether and how features are harmonized between scanners: the settings, and what a scanner is called.

See :mod:`tasks.classical.combat` for the method. **Where not to use it**: where scanner and label go together, the
difference between scanners *is* the difference between labels, and ComBat takes both away. Nobody can tell them apart
then, without ComBat either: the model learns the scanner. So a model's card and the report say how strongly the two go
together among the training patients. What else is asked for (Orlhac et al. 2022, doi:10.2967/jnumed.121.262464): the
same kind of patients and lesions on all scanners, and enough of them. A scanner that comes later stays as it is.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal

from pydantic import Field

from tasks.settings import StageSettings

if TYPE_CHECKING:
    from tasks.classical.scanner_harmonizer import ScannerHarmonizer

By = Literal["manufacturer", "scanner", "reconstruction"]

ELEMENTS: dict[By, tuple[str, ...]] = {
    "manufacturer": ("manufacturer",),
    "scanner": ("manufacturer", "model"),
    "reconstruction": ("manufacturer", "model", "reconstruction", "kernel"),
}
"""What makes a scanner's name, as ingest calls it. Station name and serial number would name a hospital."""


class HarmonizationSettings(StageSettings):
    """ComBat between scanners: ``[train.harmonization]``. It is fitted on training patients alone."""

    by: By = Field(
        default="scanner",
        description="What tells images apart: Manufacturer; with Manufacturer's Model Name; or with Reconstruction "
        "Method and Convolution Kernel too.",
    )
    fewest: int = Field(
        default=5, ge=2, description="Training patients that a scanner needs; with fewer its values stay as they are."
    )
    reference: str | None = Field(
        default=None, description="Scanner that all others are brought to, as the report names it; none: to the mean."
    )
    preserve: tuple[str, ...] = Field(
        default=(), description="Features whose effect on the others is kept, and which are left as they are."
    )
    parametric: bool = Field(
        default=True, description="Shrink towards normal and inverse gamma priors, else towards what features show."
    )
    mean_only: bool = Field(default=False, description="Correct the shift of each feature alone, not its scale.")

    def build(self, scanners: Sequence[str], columns: Sequence[str]) -> ScannerHarmonizer:
        """An unfitted step for training rows of these scanners, and a table of these columns.

        Raises
        ------
        ValueError
            A feature to preserve is no column.
        """
        from tasks.classical.scanner_harmonizer import ScannerHarmonizer

        if missing := [name for name in self.preserve if name not in columns]:
            raise ValueError(f"train.harmonization.preserve: no feature '{missing[0]}' in the table")
        return ScannerHarmonizer(
            tuple(scanners),
            preserve=tuple(list(columns).index(name) for name in self.preserve),
            **self.model_dump(exclude={"by", "preserve"}),
        )


def scanner_of(header: Mapping[str, Any], by: By) -> str | None:
    """The name of the scanner of an image, from what ingest keeps of its header; ``None`` where it says nothing.

    Upper case and single spaces, since the same maker writes its name in several ways.
    """
    told = [" ".join(str(header[name]).upper().split()) for name in ELEMENTS[by] if header.get(name)]
    return " ".join(told) or None
