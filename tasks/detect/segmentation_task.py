"""The stage ``detect`` for segmentation: the label map of one case, by a network that never saw it."""

from __future__ import annotations

import json
from pathlib import Path

from storage.artifacts import ArtifactStore
from storage.case import Case
from tasks.detect.segmentation_settings import SegmentationSettings
from tasks.model_kinds import SEGMENTERS
from tasks.task import Stage, Work, stage_task

STAGE = Stage(
    "detect",
    libraries=("monai", "numpy", "safetensors", "scipy", "SimpleITK", "torch", "zarr"),
    places=("tasks.detect.segmentation_task", *SEGMENTERS),
)


def plan(case: Case, settings: SegmentationSettings, *, model: str, image: str) -> Work:
    """Segmentation of a normalized case by a model; the label map lies on the grid of the image as it was ingested."""
    inputs = {"ingest": case.keys["ingest"], "image": image, "normalize": case.keys["normalize"], "model": model}
    return STAGE.plan(settings, subject=case.id, inputs=inputs)


@stage_task("detect", gpu=True)
def segment_case(work: Work, store: ArtifactStore, folder: Path) -> None:
    """Write the label map, in the study's own values, and where each structure lies."""
    from storage.deep import load_saved
    from storage.ome_zarr import open_volume, write_volume
    from storage.segmenter import SegmenterCard
    from storage.verify import open_model
    from tasks.deep.device import best_device
    from tasks.deep.segmenter import FittedSegmenter, segment
    from tasks.detect.segmentation import label_map, measured
    from tasks.threads import thread_budget

    settings, inputs = SegmentationSettings.model_validate(work.settings), work.inputs
    state, card = load_saved(open_model(store, inputs["model"]), SegmenterCard)
    fitted = FittedSegmenter(state, card.model, card.options, card.structures, card.window, card.mean, card.std)
    image = open_volume(store.open("normalize", inputs["normalize"]) / "image.zarr")
    grid = open_volume(store.open("ingest", inputs["ingest"]) / f"{inputs['image']}.zarr").grid
    probabilities = segment(
        fitted, image.array, overlap=settings.overlap, threads=thread_budget(), device=best_device()
    )
    found = label_map(probabilities, image.grid, grid, card.structures, largest_component=settings.largest_component)
    write_volume(folder / "labels.zarr", found, name="labels")
    facts = {"model": inputs["model"], "structures": measured(found, card.structures)}
    (folder / "facts.json").write_text(json.dumps(facts, indent=1))
