"""All classes of pyradiomics on a region of 905 thousand voxels."""

from __future__ import annotations

from collections.abc import Callable

from tests.benchmarks import radiomics
from tests.benchmarks.extract.subject import Subject
from tests.benchmarks.row import Row


def ours(subject: Subject) -> Callable[[], dict[str, float]]:
    return radiomics.ours(*subject.region("large"))


def theirs(subject: Subject) -> Callable[[], dict[str, float]]:
    return radiomics.pyradiomics(*subject.region("large"))


ROW = Row(
    work="region_905k",
    peer="pyradiomics",
    ours=ours,
    theirs=theirs,
    tolerance=1e-6,
    says="a generated ellipsoid of 905,008 voxels of 2 mm, 32 levels, the same classes and features as tumour_44k",
    wanted=10.0,
    scale="relative",
)
