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
from tasks.metrics.synthesis import Fidelity, Memorization, fidelity, memorization
from tasks.train.synthesis.fit import FittedGenerator, fit_generator, synthesize
from tasks.train.synthesis.settings import SynthesisSettings
from tasks.train.synthesis.space import fit_space

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]
Images = npt.NDArray[Any]

Arm = Literal["real", "repeated", "synthetic"]
ARMS: tuple[Arm, ...] = ("real", "repeated", "synthetic")
Learner = Callable[[Images, IntArray, int], Callable[[Images], FloatArray]]
"""From images, labels and a seed to what gives probabilities ``(n, classes)`` of images; the same each time."""

NEIGHBOURS = 5


@dataclass(frozen=True, eq=False)
class Cohort:
    """Labelled images in an order that their content determines.

    ``images``: ``(n, channels, [z,] y, x)``; ``labels``, ``groups`` and ``folds``: ``(n,)``. A group lies in one fold.
    """

    images: Images
    labels: IntArray
    groups: npt.NDArray[Any]
    folds: IntArray
    classes: int

    def __post_init__(self) -> None:
        sizes = {len(self.images), len(self.labels), len(self.groups), len(self.folds)}
        if len(sizes) != 1:
            raise ValueError(f"expected a label, a group and a fold for each image; got {sorted(sizes)}")
        torn = [group for group in np.unique(self.groups) if np.ptp(self.folds[self.groups == group])]
        if torn:
            raise ValueError(f"{len(torn)} groups lie in several folds")

    def part(self, rows: IntArray) -> Cohort:
        """These rows alone."""
        return Cohort(self.images[rows], self.labels[rows], self.groups[rows], self.folds[rows], self.classes)


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


def images_wanted(labels: IntArray, rare: int) -> int:
    """How many images of a class make it as frequent as the next more frequent one; at least 2, to be judged."""
    counts = np.bincount(labels, minlength=rare + 1)
    more = counts[counts > counts[rare]]
    return max(2, int(more.min() - counts[rare]) if more.size else 0)


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


def plain_learner(images: Images, labels: IntArray, seed: int) -> Callable[[Images], FloatArray]:
    """Logistic regression with balanced classes on the features of `tasks.train.synthesis.space` of these images.

    It stands for any classifier: quick, the same each time, and not hurt by imbalance more than a network would be.
    """
    from sklearn.linear_model import LogisticRegression

    space = fit_space(images)
    model = LogisticRegression(C=0.1, class_weight="balanced", max_iter=2000, random_state=seed)
    model.fit(space.place(images), labels)

    def say(shown: Images) -> FloatArray:
        answers = np.zeros((len(shown), int(model.classes_.max()) + 1))  # a class may be in no training picture
        answers[:, model.classes_] = model.predict_proba(space.place(shown))
        return answers

    return say
