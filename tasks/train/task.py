"""The stage ``train``: the model of one fold, or the refit on everyone."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from shutil import copytree
from statistics import median
from typing import TYPE_CHECKING, Any

from storage.artifacts import ArtifactStore
from storage.case import Case
from tasks.classical.harmonization import By, scanner_of
from tasks.classical.selectors import SELECTORS
from tasks.model_kinds import PIPELINES
from tasks.task import Stage, Work, stage_task
from tasks.train.settings import Settings

if TYPE_CHECKING:
    from tasks.classical.scoring import Calibration
    from tasks.imaging.step import Facts
    from tasks.leakage import Gate
    from tasks.train.case_table import CaseTable, FloatArray
    from tasks.train.harmonized import Harmonization
    from tasks.train.selection import Selection

STAGE = Stage(
    "train",
    libraries=("numpy", "optuna", "pandas", "pgmpy", "scikit-learn", "scipy", "SimpleITK", "skops", "zarr"),
    places=("tasks.train.task", *PIPELINES, *SELECTORS),
)


@dataclass(frozen=True)
class Card:
    """What a model says of itself; ``model.skops`` beside it is the pipeline, or ``on_patches/`` what looks at patches.

    ``usual_lesion_ml``: median volume of the lesions that it learned from.
    """

    model: str
    columns: tuple[str, ...]
    calibration: Calibration
    threshold: float
    scores: dict[str, dict[str, float]]
    importance: dict[str, float]
    selection: Selection
    options: dict[str, Any]
    trials: dict[str, list[dict[str, Any]]]
    facts: dict[str, Any]
    patients: int
    candidates: int
    positives: int
    harmonization: Harmonization | None
    usual_lesion_ml: float | None


def plan(
    cases: Sequence[Case],
    settings: Settings,
    *,
    gate: Gate,
    subject: str,
    most: int | None,
    fitted: Facts | None = None,
    on_patches: Mapping[str, str] | None = None,
    image: str | None = None,
) -> Work:
    """Training on these cases, all that the model will ever see.

    ``gate``: lets it pass only if it will not be tested on what it has seen, also where the store has the model, since
    a near-duplicate may have come since; else raises ``LeakageError``. ``most``: findings per case that detect
    keeps. ``fitted``: what a step of normalize has learnt from the same patients; whoever applies the model has to
    prepare images with it. ``on_patches``: keys of the models that look at patches, fitted on these very cases, by
    name. ``image``: name of the image whose scanner counts, where the settings harmonize.
    """
    gate.check()
    read = ("sample", "extract", "annotate", *(("ingest",) if settings.harmonization else ()))
    ordered = sorted(cases, key=lambda case: case.digest)
    members = [
        {
            # Who shows nearly the same counts as one patient, for the inner folds too.
            "patient": gate.groups.get(case.id, case.patient),
            "digest": case.digest,
            **{stage: case.keys[stage] for stage in read},
        }
        for case in ordered
    ]
    inputs: dict[str, Any] = {
        "cases": members,
        "most": most,
        "fitted": fitted,
        "on_patches": dict(on_patches or {}),
    }
    if settings.harmonization:
        inputs["image"] = image
    return STAGE.plan(settings, subject=subject, inputs=inputs)


def fitted_of(store: ArtifactStore, model: str) -> Facts | None:
    """What a step of normalize had learnt when this model was trained; ``None`` where none learns."""
    found = store.find("train", model)
    return found.commit.inputs.get("fitted") if found else None


@stage_task("train")
def train_model(work: Work, store: ArtifactStore, folder: Path) -> None:
    """Label the candidates of the training cases, let the models compete, keep the winner."""
    from storage.classical import save_model
    from storage.verify import open_model
    from tasks.train.fit import fit
    from tasks.train.patch_model_files import FITTED, read_held_out

    on_patches = {name: open_model(store, key, stage="patch_model") for name, key in work.inputs["on_patches"].items()}
    held_out = {name: read_held_out(made) for name, made in on_patches.items()}
    settings = Settings.model_validate(work.settings)
    tables = [_table(member, store, held_out) for member in work.inputs["cases"]]
    if settings.harmonization:
        by, image = settings.harmonization.by, work.inputs["image"]
        scanners = [_scanner(member, store, image=image, by=by) for member in work.inputs["cases"]]
        tables = [replace(table, scanner=scanner) for table, scanner in zip(tables, scanners, strict=True)]
    workshop = store.workshop(work.stage, work.key) if settings.search.trials else None
    fitted = fit(tables, settings, most=work.inputs["most"], workshop=workshop)
    if fitted.pipeline is None:
        copytree(on_patches[fitted.model] / FITTED, folder / "on_patches")
    else:
        save_model(folder / "model.skops", fitted.pipeline)
    card = {name: value for name, value in vars(fitted).items() if name != "pipeline"}
    volumes = [ml for member in work.inputs["cases"] for ml in _facts(member, store)["volumes_ml"] if ml > 0]
    usual = round(median(volumes), 6) if volumes else None
    (folder / "card.json").write_text(json.dumps(asdict(Card(**card, usual_lesion_ml=usual)), indent=1))


def _facts(member: dict[str, Any], store: ArtifactStore) -> dict[str, Any]:
    facts: dict[str, Any] = store.read_json("annotate", member["annotate"], "facts.json")
    return facts


def _scanner(member: dict[str, Any], store: ArtifactStore, *, image: str, by: By) -> str | None:
    facts = store.read_json("ingest", member["ingest"], "facts.json")
    return scanner_of(facts[image]["header"], by)


def _table(member: dict[str, Any], store: ArtifactStore, held_out: Mapping[str, Mapping[str, FloatArray]]) -> CaseTable:
    import numpy as np
    import pandas as pd

    from storage.ome_zarr import read_volume
    from tasks.imaging.candidate_files import read_candidates, read_overlaps
    from tasks.imaging.resample import resample_onto
    from tasks.train.case_table import CaseTable
    from tasks.train.label import label_candidates

    sample = store.open("sample", member["sample"])
    annotation = store.open("annotate", member["annotate"])
    features = pd.read_parquet(store.open("extract", member["extract"]) / "features.parquet").drop(columns="number")
    candidates = read_candidates(sample)
    lesions = resample_onto(read_volume(annotation / "lesions.zarr"), read_volume(sample / "body.zarr"))
    peaks = candidates.table[["peak_z", "peak_y", "peak_x"]].to_numpy()
    return CaseTable(
        patient=member["patient"],
        digest=member["digest"],
        features=features,
        labels=label_candidates(
            candidates.masks(), peaks, np.asarray(lesions.array), count=int(_facts(member, store)["lesions"])
        ),
        volume_ml=candidates.table["volume_ml"].to_numpy(dtype=float),
        dice=read_overlaps(sample),
        on_patches={name: scores[member["digest"]] for name, scores in held_out.items()},
    )
