"""All classes of pyradiomics on a batch of patches of 32×32×32 voxels, each a region as a whole."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from tests.benchmarks import radiomics
from tests.benchmarks.extract.subject import PATCHES, Subject
from tests.benchmarks.row import Array, Row


def ours(subject: Subject) -> Callable[[], Array]:
    patches, families, compared = subject.patches(), radiomics.our_families(), list(radiomics.EQUIVALENT.values())
    whole = np.ones(patches.shape[1:], dtype=bool)
    return lambda: np.array([list(radiomics.describe(p, whole, families, compared).values()) for p in patches])


def theirs(subject: Subject) -> Callable[[], Array]:
    """With a frame around each patch, since a mask of ones alone is refused."""
    framed = np.pad(subject.patches(), [(0, 0), (1, 1), (1, 1), (1, 1)])
    whole = np.pad(np.ones([n - 2 for n in framed.shape[1:]], dtype=bool), 1)
    each = [radiomics.pyradiomics(patch, whole) for patch in framed]
    return lambda: np.array([list(describe().values()) for describe in each])


ROW = Row(
    work="patches_32",
    peer="pyradiomics",
    ours=ours,
    theirs=theirs,
    tolerance=1e-6,
    says=f"{PATCHES} generated patches of 32³ voxels, 32 levels, the same classes and features as tumour_44k",
    wanted=10.0,
    scale="relative",
)
