"""All classes of pyradiomics on a tumour of 44 thousand voxels."""

from __future__ import annotations

from collections.abc import Callable

from tests.benchmarks import radiomics
from tests.benchmarks.extract.subject import TUMOUR, Subject
from tests.benchmarks.row import Row


def ours(subject: Subject) -> Callable[[], dict[str, float]]:
    return radiomics.ours(*subject.region("tumour"))


def theirs(subject: Subject) -> Callable[[], dict[str, float]]:
    return radiomics.pyradiomics(*subject.region("tumour"))


ROW = Row(
    work="tumour_44k",
    peer="pyradiomics",
    ours=ours,
    theirs=theirs,
    tolerance=1e-6,
    says=f"{TUMOUR}, configuration D, 32 levels, all classes: first order, shape, GLCM, GLRLM, GLSZM, GLDM (our NGLDM) "
    f"and NGTDM; {radiomics.ALIKE}",
    wanted=10.0,
    scale="relative",
)
