"""The stages ``synthesize`` and ``judge_synthesis`` of a study of pictures.

``synthesize`` trains the generator of one fold on the pictures outside it, and makes pictures of the rare class with
it. ``judge_synthesis`` holds those of all folds against the held-out pictures, and compares classifiers with and
without them. Only the second ever looks at a held-out picture, and nothing that it finds goes back into a generator.

In the store synthetic pictures are kept as real ones are (`tasks.imaging.picture_files`), so that a training can read
both alike, and are marked as `tasks.imaging.synthetic_mark` says: in every pixel, as an attribute of the array, in
``provenance.parquet``. Their patient is ``synthetic``.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from storage.artifacts import ArtifactStore
from storage.case import Batch
from tasks.task import Stage, Work, stage_task
from tasks.train.synthesis.settings import SynthesisSettings

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    from tasks.train.synthesis.comparison import Cohort
    from tasks.train.synthesis.fit import FittedGenerator

LIBRARIES = ("numpy", "pandas", "pillow", "safetensors", "scikit-image", "scikit-learn", "scipy", "torch", "zarr")
STAGE = Stage("synthesize", libraries=LIBRARIES, places=("tasks.train.synthesis_task",))
JUDGE = Stage("judge_synthesis", libraries=LIBRARIES, places=("tasks.train.synthesis_task",))
PATIENT = "synthetic"
SHOWN = 16
"""Pictures on each sheet for the report."""


def plan(batches: Sequence[Batch], settings: SynthesisSettings, *, folds: str, fold: int) -> Work:
    """The generator of a fold, and its pictures. ``folds``: key of the split."""
    return STAGE.plan(settings, subject=f"fold {fold + 1}", inputs={**_inputs(batches, folds), "fold": fold})


def plan_judge(
    batches: Sequence[Batch], settings: SynthesisSettings, *, folds: str, generators: Mapping[int, str]
) -> Work:
    """The judgement on the generators of all folds, given by their keys."""
    named = {str(fold): key for fold, key in sorted(generators.items())}
    return JUDGE.plan(settings, subject="cohort", inputs={**_inputs(batches, folds), "generators": named})


@stage_task("synthesize", gpu=True)
def synthesize_fold(work: Work, store: ArtifactStore, folder: Path) -> None:
    """Train a generator on the pictures outside a fold, and make pictures with it."""
    from storage.deep import save_network
    from storage.generator import GeneratorCard
    from tasks.deep.networks import best_device
    from tasks.threads import thread_budget
    from tasks.train.synthesis.comparison import fit_in_fold, images_wanted
    from tasks.train.synthesis.fit import synthesize

    settings = SynthesisSettings.model_validate(work.settings)
    cohort, classes, rare = _cohort(work, store, settings, without=work.inputs["fold"])
    computing: dict[str, Any] = {"threads": thread_budget(), "device": best_device()}
    checkpoint = store.workshop(work.stage, work.key) / "checkpoint.pt"
    fitted = fit_in_fold(cohort, work.inputs["fold"], settings, checkpoint=checkpoint, **computing)
    count = settings.images or images_wanted(cohort.labels, rare)
    images = synthesize(fitted, [rare] * count, seed=settings.seed, **computing)
    save_network(folder, fitted.state, GeneratorCard(**fitted.facts(), class_names=tuple(classes)))
    write_synthetic(folder, images, model=work.key, seed=settings.seed, label=classes[rare])


@stage_task("judge_synthesis")
def judge_folds(work: Work, store: ArtifactStore, folder: Path) -> None:
    """Ask whether they are copies, whether they are real enough, and whether a classifier is any better with them."""
    from tasks.threads import thread_budget
    from tasks.train.synthesis.comparison import compare, plain_learner

    settings = SynthesisSettings.model_validate(work.settings)
    cohort, classes, rare = _cohort(work, store, settings)
    found = compare(
        cohort,
        settings,
        rare=rare,
        learner=plain_learner,
        generator_of=lambda fold: read_generator(store.open("synthesize", work.inputs["generators"][str(fold)])),
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


def write_synthetic(folder: Path, images: npt.NDArray[np.uint8], *, model: str, seed: int, label: str) -> None:
    """Write pictures ``(n, channels, y, x)`` as a bucket of pictures, with all marks and their table of provenance."""
    import zarr

    from storage.keys import digest
    from tasks.imaging.picture_files import StoredPicture, write_pictures
    from tasks.imaging.synthetic_mark import TEXT, Origin, provenance

    origins = [Origin(model, seed, number, label) for number in range(len(images))]
    named = sorted((digest([model, seed, one.number]), one) for one in origins)
    write_pictures(
        folder,
        (StoredPicture(name, f"S-{name[:12]}", PATIENT, _colours(images[one.number])) for name, one in named),
    )
    mark: dict[str, Any] = {"synthetic": True, "model": model, "seed": seed, "label": label}
    zarr.open_array(folder / "pictures.zarr", mode="r+").update_attributes({TEXT: mark})
    table = provenance(one for _, one in named)
    table.insert(0, "digest", [name for name, _ in named])
    table.to_parquet(folder / "provenance.parquet")


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


def _cohort(
    work: Work, store: ArtifactStore, settings: SynthesisSettings, *, without: int | None = None
) -> tuple[Cohort, list[str], int]:
    """The study's pictures, square and small, by digest, its classes, and the rare one.

    The pictures of the fold ``without`` are not even read.
    """
    import numpy as np

    from tasks.deep.networks import planes_of
    from tasks.imaging.luminance import LUMA
    from tasks.imaging.picture_files import read_pictures
    from tasks.train.synthesis.comparison import Cohort

    split = json.loads((store.open("split", work.inputs["split"]) / "folds.json").read_text())
    wanted = {case for case in work.inputs["cases"] if case in split["folds"] and split["folds"][case] != without}
    found, labels = [], []
    for bucket in work.inputs["buckets"]:
        named = json.loads((store.open("annotate", bucket["annotate"]) / "classes.json").read_text())
        labels += [named[case] for case in work.inputs["cases"] if case in named and case in split["folds"]]
        for one in read_pictures(store.open("normalize", bucket["normalize"]), cases=wanted):
            planes = planes_of(one.pixels[None], settings.size_px).numpy()[0]
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
    return cohort, split["classes"], rare_class(labels, split["classes"], settings)


def _colours(image: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
    """One picture ``(1 or 3, y, x)`` as RGB ``(y, x, 3)``."""
    import numpy as np

    return np.ascontiguousarray(np.moveaxis(np.broadcast_to(image, (3, *image.shape[1:])), 0, -1))


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

    drawn = [_colours(image) for image in images]
    columns = -(-len(drawn) // 2)
    drawn += [np.zeros_like(drawn[0])] * (2 * columns - len(drawn))
    return np.concatenate([np.concatenate(drawn[row * columns : (row + 1) * columns], axis=1) for row in range(2)])
