"""The synthetic images of one fold held against the real ones: whether they are copies, and how like they are."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from tasks.metrics.synthesis import Fidelity, Memorization, fidelity, memorization
from tasks.train.synthesis.cohort import Cohort, Images
from tasks.train.synthesis.fit import FittedGenerator
from tasks.train.synthesis.space import fit_space

NEIGHBOURS = 5


@dataclass(frozen=True, eq=False)
class FoldFound:
    """What one fold gave; ``memorization`` and ``fidelity`` are of the rare class, in the space of its training images.

    ``copies_missed``: the same test on training images handed in as synthetic ones. It must find them, or the test says
    nothing here.
    """

    fold: int
    generator: FittedGenerator
    synthetic: Images
    memorization: Memorization
    copies_missed: bool
    fidelity: Fidelity
    real_fidelity: Fidelity


def judge(cohort: Cohort, fold: int, generator: FittedGenerator, synthetic: Images, *, rare: int) -> FoldFound:
    """Hold the synthetic images of a fold against the real ones of the same class, training and held out."""
    outside = cohort.folds != fold
    mine = cohort.labels == rare
    space = fit_space(cohort.images[outside])
    training, held_out = space.place(cohort.images[outside & mine]), space.place(cohort.images[~outside & mine])
    groups = np.concatenate([cohort.groups[outside & mine], cohort.groups[~outside & mine]])
    made = space.place(synthetic)
    neighbours = max(1, min(NEIGHBOURS, *(len(some) - 1 for some in (held_out, made, training))))
    return FoldFound(
        fold=fold,
        generator=generator,
        synthetic=synthetic,
        memorization=memorization(training, held_out, made, groups=groups, seed=generator.seed),
        copies_missed=not memorization(training, held_out, training, groups=groups, seed=generator.seed).copies,
        fidelity=fidelity(held_out, made, neighbours=neighbours),
        real_fidelity=fidelity(held_out, training, neighbours=neighbours),
    )
