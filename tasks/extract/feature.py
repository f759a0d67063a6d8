"""What is known about a feature besides its value: its line of the data dictionary."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class FeatureInfo:
    """One feature.

    Attributes
    ----------
    ibsi_code
        Code of the Image Biomarker Standardisation Initiative (doi:10.1148/radiol.2020191145, manual arXiv:1612.07003),
        e.g. ``"Q4LE"``; ``None`` where the standard has none.
    unit
        ``"mm"``, ``"mm2"``, ``"mm3"``, ``"1/mm"``, ``"1"`` (dimensionless), or ``"intensity"``, ``"intensity2"`` with
        products such as ``"intensity mm3"``, where *intensity* stands for the image's unit.
    description
        One sentence.
    tag
        Name in the tables of reference values of the standard, e.g. ``"cm_joint_max_3D_comb"``.
    nan_when
        When its value is not defined, as it would follow "not defined: ", e.g. ``"one voxel"``; empty: it is for every
        region that is not empty.
    """

    ibsi_code: str | None
    unit: str
    description: str
    tag: str | None = None
    nan_when: str = ""
