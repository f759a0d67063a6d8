"""The stages ``synthesize`` and ``judge_synthesis`` of a study of pictures.

``synthesize`` trains the generator of one fold on the pictures outside it, and makes pictures of the rare class with
it (`tasks.train.synthesis.stored`). ``judge_synthesis`` holds those of all folds against the held-out pictures, and
compares classifiers with and without them. Only the second ever looks at a held-out picture, and nothing that it finds
goes back into a generator.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from storage.artifacts import ArtifactStore
from storage.case import Batch
from tasks.leakage import check_apart
from tasks.task import Stage, Work, stage_task
from tasks.train.synthesis.settings import SynthesisSettings

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    from tasks.train.synthesis.cohort import Cohort
    from tasks.train.synthesis.fit import FittedGenerator

LIBRARIES = ("numpy", "pandas", "pillow", "safetensors", "scikit-image", "scikit-learn", "scipy", "torch", "zarr")
STAGE = Stage("synthesize", libraries=LIBRARIES, places=("tasks.train.synthesis_task",))
JUDGE = Stage("judge_synthesis", libraries=LIBRARIES, places=("tasks.train.synthesis_task",))
SHOWN = 16
"""Pictures on each sheet for the report."""


def plan(batches: Sequence[Batch], settings: SynthesisSettings, *, folds: str, fold: int | None) -> Work:
    """The generator of a fold, or of the refit (``None``), and its pictures. ``folds``: key of the split."""
    subject = "refit" if fold is None else f"fold {fold + 1}"
    return STAGE.plan(settings, subject=subject, inputs={**_inputs(batches, folds), "fold": fold})


def plan_judge(
    batches: Sequence[Batch], settings: SynthesisSettings, *, folds: str, generators: Mapping[int, str]
) -> Work:
    """The judgement on the generators of all folds, given by their keys."""
    named = {str(fold): key for fold, key in sorted(generators.items())}
    return JUDGE.plan(settings, subject="cohort", inputs={**_inputs(batches, folds), "generators": named})


@stage_task("synthesize", gpu=True)
def synthesize_fold(work: Work, store: ArtifactStore, folder: Path) -> None:
    """Train a generator on the pictures outside a fold, and make pictures with it.

    Where classifiers will learn from these, it leaves a part of its pictures for their calibration.
    """
    from storage.deep import save_network
    from storage.generator import GeneratorCard
    from tasks.deep.device import best_device
    from tasks.threads import thread_budget
    from tasks.train.hold_out import hold_out
    from tasks.train.synthesis.cohort import images_wanted
    from tasks.train.synthesis.comparison import fit_in_fold
    from tasks.train.synthesis.fit import synthesize
    from tasks.train.synthesis.stored import as_pictures, write_about, write_synthetic

    settings = SynthesisSettings.model_validate(work.settings)
    fold, split = work.inputs["fold"], work.inputs["split"]
    cohort, cases, classes, rare, shape = _found(work, store, settings, without=fold)
    shown, unseen = hold_out(cohort.labels, cohort.groups, settings.kept_out, seed=settings.seed)
    computing: dict[str, Any] = {"threads": thread_budget(), "device": best_device()}
    checkpoint = store.workshop(work.stage, work.key) / "checkpoint.pt"
    fitted = fit_in_fold(cohort.part(shown), fold, settings, checkpoint=checkpoint, **computing)
    count = settings.images or images_wanted(cohort.labels, rare)
    images = synthesize(fitted, [rare] * count, seed=settings.seed, **computing)
    save_network(folder, fitted.state, GeneratorCard(**fitted.facts(), class_names=tuple(classes)))
    pictures = as_pictures(images, shape)
    write_synthetic(folder, pictures, model=work.key, seed=settings.seed, label=classes[rare])
    write_about(folder, split=split, fold=fold, unseen=[cases[row] for row in unseen])


@stage_task("judge_synthesis")
def judge_folds(work: Work, store: ArtifactStore, folder: Path) -> None:
    """Ask whether they are copies, whether they are real enough, and whether a classifier is any better with them."""
    from storage.verify import open_model
    from tasks.threads import thread_budget
    from tasks.train.synthesis.comparison import compare
    from tasks.train.synthesis.plain_learner import plain_learner

    settings, generators = SynthesisSettings.model_validate(work.settings), work.inputs["generators"]
    cohort, _, classes, rare, _ = _found(work, store, settings)
    found = compare(
        cohort,
        settings,
        rare=rare,
        learner=plain_learner,
        generator_of=lambda fold: read_generator(open_model(store, generators[str(fold)], stage="synthesize")),
        threads=thread_budget(),
    )
    facts = {**found.facts(), "method": settings.method, "class_name": classes[rare]}
    (folder / "judgement.json").write_text(json.dumps(facts, indent=1))
    for one in found.folds:
        taught = cohort.images[(cohort.folds != one.fold) & (cohort.labels == rare)]
        _write_sheets(folder, one.fold, taught, one.synthetic, model=work.key, label=classes[rare])


def rare_class(labels: Sequence[str], classes: Sequence[str], settings: SynthesisSettings) -> int:
    """Number of the class whose pictures are made; of the study as a whole, so that it is the same in every fold.

    Raises
    ------
    ValueError
        When the settings name another one.
    """
    if settings.rare is None:
        return min(range(len(classes)), key=lambda number: labels.count(classes[number]))
    if settings.rare not in classes:
        raise ValueError(f"train.synthesis.rare names no class '{settings.rare}'; choose from: {', '.join(classes)}")
    return list(classes).index(settings.rare)


def read_generator(folder: Path) -> FittedGenerator:
    """The generator of an artifact of ``synthesize``."""
    from storage.deep import load_saved
    from storage.generator import GeneratorCard
    from tasks.train.synthesis.fit import FittedGenerator

    state, card = load_saved(folder, GeneratorCard)
    return FittedGenerator.from_facts(state, card.facts())


def _inputs(batches: Sequence[Batch], folds: str) -> dict[str, Any]:
    return {
        "buckets": [{name: batch.keys[name] for name in ("normalize", "annotate")} for batch in batches],
        "cases": sorted(case.id for batch in batches for case in batch.members),
        "split": folds,
    }


class _Found(NamedTuple):
    """A study's pictures, square and small, by digest; their cases; its classes, and the rare one; their shape."""

    cohort: Cohort
    cases: list[str]
    classes: list[str]
    rare: int
    shape: tuple[int, int]


def _found(work: Work, store: ArtifactStore, settings: SynthesisSettings, *, without: int | None = None) -> _Found:
    """The pictures of a study; those of the fold ``without`` are not even read."""
    import numpy as np

    from tasks.deep.networks import planes_of
    from tasks.imaging.luminance import LUMA
    from tasks.imaging.picture_files import read_pictures
    from tasks.train.synthesis.cohort import Cohort

    split = store.read_json("split", work.inputs["split"], "folds.json")
    known = {case for case in work.inputs["cases"] if case in split["folds"]}
    wanted = {case for case in known if split["folds"][case] != without}
    check_apart(wanted, known - wanted, split["groups"])
    found, labels, shape = [], [], (0, 0)
    for bucket in work.inputs["buckets"]:
        named = store.read_json("annotate", bucket["annotate"], "classes.json")
        labels += [named[case] for case in sorted(known & set(named))]
        for one in read_pictures(store.open("normalize", bucket["normalize"]), cases=wanted):
            planes, shape = planes_of(one.pixels[None], settings.size_px).numpy()[0], one.pixels.shape[:2]
            found.append((one.digest, one.case, split["classes"].index(named[one.case]), planes))
    found.sort(key=lambda one: one[0])
    images = np.stack([planes for *_, planes in found])
    if not settings.colour:
        images = np.rint(np.tensordot(images, LUMA, axes=(1, 0)))[:, None].astype(np.uint8)
    cohort = Cohort(
        images=np.ascontiguousarray(images),
        labels=np.array([label for _, _, label, _ in found]),
        groups=np.array([split["groups"][case] for _, case, _, _ in found]),
        folds=np.array([split["folds"][case] for _, case, _, _ in found]),
        classes=len(split["classes"]),
    )
    cases = [case for _, case, *_ in found]
    return _Found(cohort, cases, split["classes"], rare_class(labels, split["classes"], settings), shape)


def _write_sheets(
    folder: Path,
    fold: int,
    real: npt.NDArray[np.uint8],
    synthetic: npt.NDArray[np.uint8],
    *,
    model: str,
    label: str,
) -> None:
    from PIL import Image

    from tasks.imaging.synthetic_mark import Origin, write_synthetic_png

    Image.fromarray(_sheet(real[:SHOWN])).save(folder / f"real_{fold}.png")
    write_synthetic_png(folder / f"synthetic_{fold}.png", _sheet(synthetic[:SHOWN]), Origin(model, 0, fold, label))


def _sheet(images: Iterable[npt.NDArray[np.uint8]]) -> npt.NDArray[np.uint8]:
    """Pictures beside each other in two rows, RGB."""
    import numpy as np

    from tasks.train.synthesis.stored import colours

    drawn = [colours(image) for image in images]
    columns = -(-len(drawn) // 2)
    drawn += [np.zeros_like(drawn[0])] * (2 * columns - len(drawn))
    return np.concatenate([np.concatenate(drawn[row * columns : (row + 1) * columns], axis=1) for row in range(2)])
