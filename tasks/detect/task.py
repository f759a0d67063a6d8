"""The stage ``detect``: the findings of one case, by a model that never saw its patient.

A model asks for the features of the candidates, or it looks at the patch of the normalized image around each of them.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from storage.artifacts import ArtifactStore
from storage.case import Case
from tasks.detect.settings import Settings
from tasks.task import Stage, StageTask, Work, stage_task

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    from tasks.detect.scanner import SeenScanner
    from tasks.imaging.candidate_set import CandidateSet
    from tasks.patch_model import PatchModel

STAGE = Stage(
    "detect",
    libraries=("numpy", "pandas", "safetensors", "scikit-learn", "scipy", "SimpleITK", "skops", "torch", "zarr"),
)
ON_PATCHES = "on_patches"
"""Folder of a model that looks at patches, below that of its fold."""


def plan(case: Case, settings: Settings, *, image: str, model: str) -> Work:
    """Detection in one case with the model of this key."""
    inputs = {"case": case.id, "patient": case.patient, "image": image, "model": model}
    seen = {stage: case.keys[stage] for stage in ("ingest", "normalize", "sample", "extract")}
    return STAGE.plan(settings, subject=case.id, inputs=inputs | seen)


def task_of(store: ArtifactStore, models: Iterable[str]) -> StageTask:
    """The task that detects with these models: on a GPU where one of them is a network."""
    from storage.deep import WEIGHTS

    networks = (store.folder("train", model) / ON_PATCHES / WEIGHTS for model in models)
    return detect_case_by_network if any(file.is_file() for file in networks) else detect_case


def find_lesions(work: Work, store: ArtifactStore, folder: Path) -> None:
    """Score, rank and describe the candidates of a case."""
    from storage.ome_zarr import read_volume, write_volume
    from storage.verify import open_model
    from tasks.classical.scoring import Calibration
    from tasks.detect.findings import Source, findings, rank
    from tasks.detect.scanner import seen_scanner
    from tasks.imaging.candidate_files import read_candidates, read_overlaps

    settings, inputs = Settings.model_validate(work.settings), work.inputs
    model, sample, ingest = (
        open_model(store, inputs["model"]),
        store.open("sample", inputs["sample"]),
        store.open("ingest", inputs["ingest"]),
    )
    card = json.loads((model / "card.json").read_text())
    facts = json.loads((ingest / "facts.json").read_text())[inputs["image"]]
    scanner = seen_scanner(card.get("harmonization"), facts.get("header", {}))
    candidates = read_candidates(sample)
    ranked = rank(
        Calibration(**card["calibration"])(_scores(model, card, candidates, inputs, store, scanner)),
        read_overlaps(sample),
        list(candidates.masks()),
        read_volume(sample / "body.zarr"),
        threshold=card["threshold"],
        most=settings.max_findings,
        most_ranked=settings.max_ranked,
    )
    source = Source(
        case=inputs["case"],
        patient=inputs["patient"],
        image=inputs["image"],
        model=inputs["model"],
        label=settings.label,
        instances=facts["instances"],
        crop_start_zyx=tuple(facts["crop_start_zyx"]),
        mask_key=work.key,
        flags=scanner.flags if scanner else (),
    )
    peaks = candidates.table[["peak_z", "peak_y", "peak_x"]].to_numpy()
    found = findings(ranked, peaks, read_volume(ingest / f"{inputs['image']}.zarr"), source)
    write_volume(folder / "ranked.zarr", ranked.labels, name="ranked candidates")
    table = candidates.table.iloc[ranked.index][["number", "peak_z", "peak_y", "peak_x"]]
    table.assign(confidence=ranked.scores, accepted=ranked.accepted).to_parquet(folder / "ranked.parquet", index=False)
    (folder / "findings.json").write_text(json.dumps([finding.model_dump(mode="json") for finding in found], indent=1))
    if scanner:
        (folder / "scanner.json").write_text(json.dumps({"case": inputs["case"], **asdict(scanner)}))


detect_case = stage_task("detect")(find_lesions)
detect_case_by_network = stage_task("detect", gpu=True)(find_lesions)


def _scores(
    model: Path,
    card: dict[str, Any],
    candidates: CandidateSet,
    inputs: dict[str, Any],
    store: ArtifactStore,
    scanner: SeenScanner | None,
) -> npt.NDArray[np.float64]:
    """What the model says of each candidate, before calibration."""
    if not (model / ON_PATCHES).is_dir():
        import pandas as pd

        from storage.classical import load_model
        from tasks.classical.scoring import probability

        features = pd.read_parquet(store.open("extract", inputs["extract"]) / "features.parquet")
        name = scanner.name if scanner else None
        return probability(load_model(model / "model.skops"), features[card["columns"]], scanner=name)
    from storage.ome_zarr import read_volume
    from tasks.patch_model import candidate_scores
    from tasks.threads import thread_budget

    image = read_volume(store.open("normalize", inputs["normalize"]) / "image.zarr")
    looking, device = _patch_model(model / ON_PATCHES)
    return candidate_scores(looking, image, candidates, threads=thread_budget(), device=device)


def _patch_model(folder: Path) -> tuple[PatchModel, str]:
    """The model that looks at patches, and the device for it.

    Raises ``StoreError`` when a file of it is absent, damaged or something else.
    """
    from storage.deep import WEIGHTS, load_saved
    from storage.patch_model import MODEL, PatchModelCard, load_patch_card
    from tasks.discover import MODELS, part
    from tasks.imaging.patches import PatchShape
    from tasks.patch_model import PatchDetector

    if (folder / WEIGHTS).is_file():
        from tasks.deep.device import best_device
        from tasks.deep.patch_network import FittedPatchNetwork

        state, card = load_saved(folder, PatchModelCard)
        shape = PatchShape.model_validate(card.shape)
        network = FittedPatchNetwork(
            state, card.model, card.options, shape, card.spacing_mm, card.mean, card.std, card.shows_candidate
        )
        return network, best_device()
    card = load_patch_card(folder)
    fitted = part(MODELS, card.model).load(folder / MODEL)
    return PatchDetector(card.model, fitted, PatchShape.model_validate(card.shape), card.spacing_mm), "cpu"
