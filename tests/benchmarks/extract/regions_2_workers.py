"""Two hundred regions shared out among two processes beside one process: the same work, ours on both sides."""

from __future__ import annotations

import multiprocessing
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from functools import partial

import numpy as np

from tests.benchmarks import radiomics
from tests.benchmarks.extract.subject import Subject
from tests.benchmarks.row import OURSELVES, Array, Prepare, Row

REGIONS, PART = 200, 10


def described(subject: Subject, first: int) -> Array:
    """All features of ``PART`` regions; there are fewer patches than regions, and they come round again."""
    patches, families = subject.patches(), radiomics.our_families()
    whole, names = np.ones(patches.shape[1:], dtype=bool), list(radiomics.EQUIVALENT.values())
    chosen = (patches[number % len(patches)] for number in range(first, first + PART))
    return np.array([list(radiomics.describe(patch, whole, families, names).values()) for patch in chosen])


def with_workers(count: int) -> Prepare:
    """So many processes, which are there already and have compiled what they need."""

    def prepare(subject: Subject) -> Callable[[], Array]:
        pool = ProcessPoolExecutor(count, multiprocessing.get_context("spawn"))
        return lambda: np.concatenate(list(pool.map(partial(described, subject), range(0, REGIONS, PART))))

    return prepare


ROW = Row(
    work="regions_2_workers",
    peer=OURSELVES,
    ours=with_workers(2),
    theirs=with_workers(1),
    tolerance=0.0,
    says=f"all classes of tumour_44k on {REGIONS} regions of 32³ voxels by two processes, beside one process",
    wanted=1.8,
)
