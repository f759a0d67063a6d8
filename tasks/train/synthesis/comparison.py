"""What synthetic images of a rare class are worth: held-out performance with and without them, in the same folds.

In each fold the generator learns from the training images alone, makes images of the rare class, and a classifier
learns three times: from the *real* training images, from these and *repeated* ones of the rare class, and from these
and *synthetic* ones, as many. All three are asked about the held-out fold, which holds real images only. Repeating
costs nothing: synthetic images that do no better have added no knowledge, only weight. No gain is a finding.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from storage.errors import CaseError
from tasks.imaging.synthetic_mark import refuse_synthetic
from tasks.metrics.intervals import PairedDifference
from tasks.metrics.paired import (
    Weighted,
    paired_group_difference,
    weighted_accuracy,
    weighted_auc,
    weighted_sensitivity,
    weighted_specificity,
)
from tasks.train.synthesis.cohort import Cohort, Images, IntArray, images_wanted
from tasks.train.synthesis.fit import FittedGenerator, fit_generator, synthesize
from tasks.train.synthesis.judgement import FoldFound, judge
from tasks.train.synthesis.settings import SynthesisSettings

FloatArray = npt.NDArray[np.float64]

Arm = Literal["real", "repeated", "synthetic"]
ARMS: tuple[Arm, ...] = ("real", "repeated", "synthetic")
Learner = Callable[[Images, IntArray, int], Callable[[Images], FloatArray]]
"""From images, labels and a seed to what gives probabilities ``(n, classes)`` of images; the same each time."""


@dataclass(frozen=True, eq=False)
class Comparison:
    """Figures of each arm, and of the synthetic arm the differences to the others, paired by group."""

    rare: int
    folds: tuple[FoldFound, ...]
    figures: Mapping[Arm, Mapping[str, float]]
    differences: Mapping[Arm, Mapping[str, PairedDifference]]

    def facts(self) -> dict[str, Any]:
        """Ready for JSON, without images and tensors."""
        folds = [
            {
                "fold": one.fold,
                "made": len(one.synthetic),
                "memorization": {**asdict(one.memorization), "copies": one.memorization.copies},
                "copies_missed": one.copies_missed,
                "fidelity": asdict(one.fidelity),
                "real_fidelity": asdict(one.real_fidelity),
                "history": one.generator.facts()["history"],
            }
            for one in self.folds
        ]
        differences = {
            arm: {name: {**found._asdict(), "interval": list(found.interval)} for name, found in several.items()}
            for arm, several in self.differences.items()
        }
        figures = {arm: dict(several) for arm, several in self.figures.items()}
        return {"synthetic": True, "rare": self.rare, "folds": folds, "figures": figures, "differences": differences}


def fit_in_fold(
    cohort: Cohort,
    fold: int | None,
    settings: SynthesisSettings,
    *,
    threads: int = 1,
    device: str = "cpu",
    checkpoint: Path | None = None,
) -> FittedGenerator:
    """The generator of a fold: it sees the images outside it (``None``: all of them), and no synthetic one.

    Raises
    ------
    ValueError
        Also when an image bears the mark of a synthetic one.
    """
    refuse_synthetic({str(row): image for row, image in enumerate(cohort.images)}, where="a generator's training")
    taught = cohort if fold is None else cohort.part(np.flatnonzero(cohort.folds != fold))
    return fit_generator(
        taught.images,
        taught.labels,
        settings,
        classes=cohort.classes,
        seed=settings.seed,
        threads=threads,
        device=device,
        checkpoint=checkpoint,
    )


def compare(
    cohort: Cohort,
    settings: SynthesisSettings,
    *,
    rare: int,
    learner: Learner,
    generator_of: Callable[[int], FittedGenerator] | None = None,
    threads: int = 1,
    device: str = "cpu",
    draws: int = 2000,
    on_fold: Callable[[FoldFound], None] | None = None,
) -> Comparison:
    """Run the comparison over all folds.

    Parameters
    ----------
    rare
        The class whose images are made.
    generator_of
        The generator of a fold, which must not have seen it; ``None``: `fit_in_fold` makes it.
    on_fold
        Called with what each fold gave as soon as there is something.

    Raises
    ------
    CaseError
        With too few images of the rare class to judge by, in any fold.
    """
    _enough(cohort, rare)
    said: dict[Arm, FloatArray] = {arm: np.zeros((len(cohort.labels), cohort.classes)) for arm in ARMS}
    found = []
    for fold in np.unique(cohort.folds).tolist():
        if generator_of is None:
            generator = fit_in_fold(cohort, fold, settings, threads=threads, device=device)
        else:
            generator = generator_of(fold)
        outside, held_out = cohort.folds != fold, cohort.folds == fold
        count = settings.images or images_wanted(cohort.labels[outside], rare)
        synthetic = synthesize(generator, [rare] * count, seed=settings.seed, threads=threads, device=device)
        for arm in ARMS:
            images, labels = _taught(cohort, outside, rare, synthetic, arm, settings.seed)
            answers = learner(images, labels, settings.seed)(cohort.images[held_out])
            said[arm][held_out, : answers.shape[1]] = answers
        found.append(judge(cohort, fold, generator, synthetic, rare=rare))
        if on_fold is not None:
            on_fold(found[-1])
    truth = cohort.labels == rare
    return Comparison(
        rare=rare,
        folds=tuple(found),
        figures={arm: _figures(said[arm], truth, rare) for arm in ARMS},
        differences={
            arm: _differences(said["synthetic"], said[arm], truth, cohort.groups, rare, draws, settings.seed)
            for arm in ("real", "repeated")
        },
    )


def _enough(cohort: Cohort, rare: int) -> None:
    held_out = [int(np.sum((cohort.folds == fold) & (cohort.labels == rare))) for fold in np.unique(cohort.folds)]
    if len(held_out) < 2 or min(held_out) < 2:
        raise CaseError(
            f"synthetic images need at least 2 folds with 2 real ones of the rare class each; found {held_out}"
        )


def _taught(
    cohort: Cohort, outside: npt.NDArray[np.bool_], rare: int, synthetic: Images, arm: Arm, seed: int
) -> tuple[Images, IntArray]:
    images, labels = cohort.images[outside], cohort.labels[outside]
    if arm == "real":
        return images, labels
    if arm == "repeated":
        again = np.random.default_rng(seed).choice(np.flatnonzero(labels == rare), size=len(synthetic))
        return np.concatenate([images, images[again]]), np.append(labels, labels[again])
    return np.concatenate([images, synthetic]), np.append(labels, np.full(len(synthetic), rare))


def _cases(said: FloatArray, rare: int) -> dict[str, tuple[Weighted, FloatArray]]:
    """Each figure with the values that it is reckoned from."""
    chosen = (said.argmax(axis=1) == rare).astype(float)
    return {
        "auc": (weighted_auc, said[:, rare]),
        "balanced_accuracy": (weighted_accuracy, chosen),
        "sensitivity": (weighted_sensitivity, chosen),
        "specificity": (weighted_specificity, chosen),
    }


def _figures(said: FloatArray, truth: npt.NDArray[np.bool_], rare: int) -> dict[str, float]:
    once = np.ones((1, len(truth)))
    return {name: float(figure(values, truth, once)[0]) for name, (figure, values) in _cases(said, rare).items()}


def _differences(
    ours: FloatArray,
    theirs: FloatArray,
    truth: npt.NDArray[np.bool_],
    groups: npt.NDArray[Any],
    rare: int,
    draws: int,
    seed: int,
) -> dict[str, PairedDifference]:
    other = _cases(theirs, rare)
    return {
        name: paired_group_difference(figure, values, other[name][1], truth, groups, draws=draws, seed=seed)
        for name, (figure, values) in _cases(ours, rare).items()
    }
