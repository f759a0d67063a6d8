"""The stage ``detect``: the findings of one case, by a model that never saw its patient."""

from __future__ import annotations

import json
from pathlib import Path

from storage.artifacts import ArtifactStore
from storage.case import Case
from tasks.detect.settings import Settings
from tasks.task import Stage, Work, stage_task

STAGE = Stage("detect", libraries=("numpy", "pandas", "scikit-learn", "scipy", "SimpleITK", "skops", "zarr"))


def plan(case: Case, settings: Settings, *, image: str, model: str) -> Work:
    """Detection in one case with the model of this key."""
    inputs = {"case": case.id, "patient": case.patient, "image": image, "model": model}
    return STAGE.plan(
        settings, subject=case.id, inputs=inputs | {s: case.keys[s] for s in ("ingest", "sample", "extract")}
    )


@stage_task("detect")
def detect_case(work: Work, store: ArtifactStore, folder: Path) -> None:
    """Score, rank and describe the candidates of a case."""
    import pandas as pd

    from storage.classical import load_model
    from storage.ome_zarr import read_volume, write_volume
    from storage.verify import open_model
    from tasks.classical.scoring import Calibration, probability
    from tasks.detect.findings import Source, findings, rank
    from tasks.imaging.candidate_files import read_candidates, read_overlaps

    settings, inputs = Settings.model_validate(work.settings), work.inputs
    model, sample, ingest = (
        open_model(store, inputs["model"]),
        store.open("sample", inputs["sample"]),
        store.open("ingest", inputs["ingest"]),
    )
    card = json.loads((model / "card.json").read_text())
    features = pd.read_parquet(store.open("extract", inputs["extract"]) / "features.parquet")
    candidates = read_candidates(sample)
    ranked = rank(
        Calibration(**card["calibration"])(probability(load_model(model / "model.skops"), features[card["columns"]])),
        read_overlaps(sample),
        list(candidates.masks()),
        read_volume(sample / "body.zarr"),
        threshold=card["threshold"],
        most=settings.max_findings,
        most_ranked=settings.max_ranked,
    )
    facts = json.loads((ingest / "facts.json").read_text())[inputs["image"]]
    source = Source(
        case=inputs["case"],
        patient=inputs["patient"],
        image=inputs["image"],
        model=inputs["model"],
        label=settings.label,
        instances=facts["instances"],
        crop_start_zyx=tuple(facts["crop_start_zyx"]),
        mask_key=work.key,
    )
    peaks = candidates.table[["peak_z", "peak_y", "peak_x"]].to_numpy()
    found = findings(ranked, peaks, read_volume(ingest / f"{inputs['image']}.zarr"), source)
    write_volume(folder / "ranked.zarr", ranked.labels, name="ranked candidates")
    table = candidates.table.iloc[ranked.index][["number", "peak_z", "peak_y", "peak_x"]]
    table.assign(confidence=ranked.scores, accepted=ranked.accepted).to_parquet(folder / "ranked.parquet", index=False)
    (folder / "findings.json").write_text(json.dumps([finding.model_dump(mode="json") for finding in found], indent=1))
