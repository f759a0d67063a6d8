"""The stage ``normalize``: one OME-Zarr volume on the study's grid per case, and how good the image is.

Where one of the steps learns from other images, two more tasks precede it: ``measure`` takes from each image what the
step learns from, and ``fit`` learns it from the training patients of one fold. What was learnt is a few numbers; they
travel in the inputs of ``normalize``, and so in its key.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from itertools import count
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

from storage.artifacts import ArtifactStore
from storage.case import Case
from tasks.imaging.catalog import modules_of
from tasks.normalize.settings import Settings
from tasks.task import Stage, Work, stage_task

if TYPE_CHECKING:
    from storage.volume import Volume
    from tasks.imaging.step import Facts
    from tasks.normalize.chain import Ready

LIBRARIES = ("dask", "numba", "numpy", "PyWavelets", "scikit-image", "scipy", "SimpleITK", "zarr")
PLACES = ("tasks.normalize.task",)
STAGE = Stage("normalize", LIBRARIES)
MEASURE = Stage("measure", LIBRARIES, PLACES)
FIT = Stage("fit", LIBRARIES, PLACES)


def plan(case: Case, settings: Settings, *, image: str, fitted: Facts | None = None) -> Work:
    """Normalization of one image of an ingested case; ``fitted`` where a step has learnt something."""
    inputs: dict[str, Any] = {"ingest": case.keys["ingest"], "image": image}
    if fitted is not None:
        inputs["fitted"] = fitted
    return STAGE.standing_on(_listed(settings)).plan(settings, subject=case.id, inputs=inputs)


def plan_measure(case: Case, settings: Settings, *, image: str) -> Work:
    """Taking from one image what the step that learns will learn from."""
    inputs = {"ingest": case.keys["ingest"], "image": image}
    return MEASURE.standing_on(_listed(settings)).plan(settings, subject=case.id, inputs=inputs)


def plan_fit(cases: Sequence[Case], settings: Settings, *, subject: str) -> Work:
    """Learning from the images of these cases, all that the step will ever see."""
    ordered = [case.keys["measure"] for case in sorted(cases, key=lambda case: case.digest)]
    return FIT.standing_on(_listed(settings)).plan(settings, subject=subject, inputs={"measured": ordered})


def read_fit(folder: Path) -> Facts:
    """What was learnt, from the artifact of the stage ``fit``."""
    facts: Facts = json.loads((folder / "fitted.json").read_text())
    return facts


@stage_task("measure")
def measure_case(work: Work, store: ArtifactStore, folder: Path) -> None:
    """Do the steps before the one that learns, and measure for it."""
    from tasks.normalize.learning import measured_for

    with _opened(work, store, folder) as (volume, ready):
        measured = measured_for(volume, Settings.model_validate(work.settings), ready=ready)
    (folder / "measured.json").write_text(json.dumps(measured))


@stage_task("fit")
def fit_cohort(work: Work, store: ArtifactStore, folder: Path) -> None:
    """Learn from what was measured on the training patients' images."""
    step = Settings.model_validate(work.settings).learner
    if step is None:
        raise ValueError("none of the steps learns from other images")
    measured = [store.read_json("measure", k, "measured.json") for k in work.inputs["measured"]]
    (folder / "fitted.json").write_text(json.dumps(step.fit(measured)))


@stage_task("normalize")
def normalize_case(work: Work, store: ArtifactStore, folder: Path) -> None:
    """Normalize the image ``inputs["image"]`` of the ingest artifact ``inputs["ingest"]``."""
    from storage.ome_zarr import write_volume
    from tasks.normalize.chain import check_finite, each_step
    from tasks.normalize.quality import quality, seen_in
    from tasks.normalize.slabs import is_large
    from tasks.normalize.usual import steps_of

    settings = Settings.model_validate(work.settings)
    with _opened(work, store, folder) as (source, ready):
        steps = steps_of(settings, source.unit)
        result, seen = source, dict[str, float | None]()
        for done in each_step(source, steps, work.inputs.get("fitted"), ready=ready):
            result = done.after
            seen |= seen_in(done)
        write_volume(folder / "image.zarr", result.with_array(result.array.astype("float32", copy=False)))
        if is_large(result.shape):  # what is in memory was looked at after each step
            check_finite(_volume(folder / "image.zarr"))
        _write_levels(folder / "image.zarr", settings.levels)
        figures = quality(source, _volume(folder / "image.zarr"), seen)
    (folder / "quality.json").write_text(json.dumps(figures, indent=1))


def _write_levels(path: Path, levels: int | None) -> None:
    """The coarser levels of a stored volume's Gaussian pyramid, slab by slab."""
    from storage.ome_zarr import SHARD, create_level, open_volume
    from tasks.imaging.pyramid.formula import grids
    from tasks.imaging.pyramid.gaussian import reduced_slabs

    finest = open_volume(path)
    for number, grid in enumerate(grids(finest.shape, finest.spacing_mm, levels=levels)[1:]):
        source = open_volume(path, number).array
        (z, y, x), (dz, dy, dx) = grid.shape, grid.spacing_mm
        target = create_level(path, shape=(z, y, x), spacing_mm=(dz, dy, dx), origin_mm=finest.origin_mm)
        for slices, level in reduced_slabs(source, target.shape, depth=SHARD):
            target[slices] = level


@contextmanager
def _opened(work: Work, store: ArtifactStore, folder: Path) -> Iterator[tuple[Volume, Ready]]:
    """The image to be normalized, in memory or in blocks, and how it is made ready for each step."""
    import dask

    from storage.ome_zarr import write_volume
    from tasks.normalize.slabs import Slabs, is_large

    source = _volume(store.open("ingest", work.inputs["ingest"]) / f"{work.inputs['image']}.zarr")
    if not is_large(source.shape):
        yield source, lambda volume, _step: volume
        return
    with TemporaryDirectory(dir=folder) as scratch, dask.config.set(scheduler="synchronous"):
        paths = (Path(scratch) / f"{n}.zarr" for n in count())

        def put_down(volume: Volume) -> Volume:
            write_volume(path := next(paths), volume)
            return _volume(path)

        yield source, Slabs(put_down).ready


def _volume(path: Path) -> Volume:
    """A stored volume in memory, or in blocks where it is large."""
    from storage.ome_zarr import open_volume
    from tasks.normalize.slabs import is_large

    stored = open_volume(path)
    return stored.in_blocks() if is_large(stored.shape) else stored.read()


def _listed(settings: Settings) -> tuple[str, ...]:
    """Files of the steps that the study lists: the key covers them. The usual ones are imported by name."""
    return modules_of(settings.steps or ())
