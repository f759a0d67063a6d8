"""The stage ``extract``: one feature table per case, with its data dictionary and the feature maps asked for."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from storage.artifacts import ArtifactStore
from storage.case import Case
from tasks.extract.registry import load_family
from tasks.extract.settings import Settings
from tasks.settings import NoSettings
from tasks.task import Stage, Work, stage_task

STAGE = Stage(
    "extract",
    libraries=("numba", "numpy", "pandas", "PyWavelets", "scipy", "scikit-image", "SimpleITK", "zarr"),
    places=("tasks.extract.task",),
)
GATHER = Stage("features", libraries=STAGE.libraries, places=STAGE.places)


def plan(case: Case, settings: Settings) -> Work:
    """Features of the candidates of a case."""
    families = [load_family(name) for name in settings.families]
    filters = [type(one).__module__ for one in settings.filters]
    more = (library for family in families for library in family.libraries)
    stage = replace(STAGE, libraries=(*STAGE.libraries, *more))
    stage = stage.standing_on((*(family.module for family in families), *filters))
    inputs = {"normalize": case.keys["normalize"], "sample": case.keys["sample"]}
    return stage.plan(settings, subject=case.id, inputs=inputs)


def plan_gather(cases: Sequence[Case]) -> Work:
    """The features of a cohort, cases in the order of their digests."""
    ordered = sorted(cases, key=lambda case: case.digest)
    return GATHER.plan(
        NoSettings(), subject="cohort", inputs={"cases": [[case.id, case.keys["extract"]] for case in ordered]}
    )


@stage_task("extract")
def extract_case(work: Work, store: ArtifactStore, folder: Path) -> None:
    """Compute the feature families of the study for every candidate of the case."""
    from storage.ome_zarr import read_volume, write_volume
    from tasks.extract.describe import asks_for_surroundings
    from tasks.extract.maps import maps_of_case
    from tasks.extract.stability import perturbed_features
    from tasks.extract.table import data_dictionary, extract_features
    from tasks.imaging.candidate_files import read_candidates

    settings = Settings.model_validate(work.settings)
    image = read_volume(store.open("normalize", work.inputs["normalize"]) / "image.zarr")
    sample = store.open("sample", work.inputs["sample"])
    candidates = read_candidates(sample)
    names = ("organ", "body") if asks_for_surroundings(settings) else ()
    masks = {name: read_volume(sample / f"{name}.zarr").array > 0 for name in names}
    features = extract_features(image, candidates, settings, **masks)
    features.to_parquet(folder / "features.parquet", index=False)
    perturbed_features(image, candidates, settings).to_parquet(folder / "variants.parquet", index=False)
    data_dictionary(settings, unit=image.unit).to_parquet(folder / "dictionary.parquet", index=False)
    for name, values in maps_of_case(image, candidates, settings):
        write_volume(folder / "maps" / f"{name}.zarr", values, name=name)


@stage_task("features")
def gather_cohort(work: Work, store: ArtifactStore, folder: Path) -> None:
    """Join the tables of all cases, and say of each feature how far it can be trusted."""
    import pandas as pd

    from tasks.extract.stability import evidence_of

    folders = {case: store.open("extract", key) for case, key in work.inputs["cases"]}
    tables = [pd.read_parquet(found / "features.parquet").assign(case=case) for case, found in folders.items()]
    features = pd.concat(tables, ignore_index=True)
    features.insert(0, "case", features.pop("case"))
    features.to_parquet(folder / "features.parquet", index=False)
    evidence = evidence_of([pd.read_parquet(found / "variants.parquet") for found in folders.values()])
    dictionary = pd.read_parquet(next(iter(folders.values())) / "dictionary.parquet")
    dictionary.merge(evidence, on="name", how="left", validate="1:1").to_parquet(
        folder / "dictionary.parquet", index=False
    )
