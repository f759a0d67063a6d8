"""The stage ``patch_model``: a model that looks at patches, of one fold or of all, with scores to compete by.

It belongs on a GPU, where a network trains. The competition itself is a matter of the stage ``train``.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from storage.artifacts import ArtifactStore
from storage.case import Case
from storage.mlflow_curve import Experiment
from tasks.discover import MODELS
from tasks.task import Stage, StageTask, Work, stage_task
from tasks.train.followed_task import followed
from tasks.train.patch_model_settings import PatchModelSettings
from tasks.train.patch_network_settings import PatchNetworkSettings

if TYPE_CHECKING:
    from tasks.leakage import Gate
    from tasks.train.patch_models import FittedOnPatches, PatchCase
    from tasks.train.record import EpochRecord

STAGE = Stage(
    "patch_model",
    libraries=("numba", "numpy", "pandas", "safetensors", "scikit-image", "scipy", "SimpleITK", "torch", "zarr"),
    places=("tasks.train.patch_model_task",),
)


def plan(
    cases: Sequence[Case],
    settings: PatchModelSettings,
    *,
    patches: Mapping[str, str],
    gate: Gate,
    subject: str,
    experiment: Experiment | None = None,
) -> Work:
    """Training on these cases, all that the model will ever see.

    Parameters
    ----------
    patches
        Key of the stage ``patches`` by case.
    gate
        As in `tasks.train.task.plan`.
    experiment
        Of the study on the site's MLflow server; ``None``: it has none.
    """
    gate.check()
    members = [
        {
            "patient": gate.groups.get(case.id, case.patient),
            "digest": case.digest,
            "patches": patches[case.id],
            **{stage: case.keys[stage] for stage in ("normalize", "sample")},
        }
        for case in sorted(cases, key=lambda case: case.digest)
    ]
    stage = STAGE.standing_on([f"{MODELS}.{settings.model}"])
    about: dict[str, Any] = {"subject": f"{settings.model} {subject}", "inputs": {"cases": members}}
    return stage.plan(settings, **about, carried=experiment, devices=settings.devices)


def fit_patch_model(work: Work, store: ArtifactStore, folder: Path) -> None:
    """Train on all cases, and inside them for scores by models that did not know the patient.

    Of a network, whoever follows it sees the training on all cases.
    """
    from tasks.threads import thread_budget
    from tasks.train.patch_model_files import FITTED, write_held_out
    from tasks.train.patch_models import Means, fit_on_patches

    settings = cast(PatchModelSettings, work.settings)
    means = Means(thread_budget(), _device(settings), store.workshop(work.stage, work.key))
    cases = [_case(member, store) for member in work.inputs["cases"]]
    with _followed(work, settings, folder) as tell:
        fitted = fit_on_patches(cases, settings, means, on_epoch=tell)
    (folder / FITTED).mkdir()
    _save(folder / FITTED, fitted)
    write_held_out(folder, fitted.held_out)


train_patch_network = stage_task("patch_model", gpu=True)(fit_patch_model)
train_patch_learner = stage_task("patch_model")(fit_patch_model)


def task_of(settings: PatchModelSettings) -> StageTask:
    """The task that trains this model: a network belongs on a GPU."""
    return train_patch_network if isinstance(settings, PatchNetworkSettings) else train_patch_learner


def _device(settings: PatchModelSettings) -> str:
    if not isinstance(settings, PatchNetworkSettings):
        return "cpu"
    from tasks.deep.device import best_device

    return best_device()


def _followed(
    work: Work, settings: PatchModelSettings, folder: Path
) -> AbstractContextManager[Callable[[EpochRecord], None] | None]:
    if isinstance(settings, PatchNetworkSettings):
        return followed(work, settings, folder, epochs=settings.engine.epochs)
    return nullcontext()


def _case(member: Mapping[str, Any], store: ArtifactStore) -> PatchCase:
    from dataclasses import replace

    from storage.ome_zarr import read_volume
    from tasks.imaging.candidate_files import read_candidates
    from tasks.imaging.patch_files import read_patches
    from tasks.train.patch_models import PatchCase

    patches = read_patches(store.open("patches", member["patches"]))
    return PatchCase(
        patient=member["patient"],
        digest=member["digest"],
        patches=replace(patches, table=patches.table.assign(patient=member["patient"])),
        candidates=read_candidates(store.open("sample", member["sample"])),
        image=partial(read_volume, store.open("normalize", member["normalize"]) / "image.zarr"),
    )


def _save(folder: Path, fitted: FittedOnPatches) -> None:
    from storage.deep import save_network
    from storage.patch_model import MODEL, PatchModelCard, save_patch_card
    from tasks.deep.patch_network import FittedPatchNetwork
    from tasks.discover import MODELS, part

    model = fitted.model
    about = {
        "model": model.model,
        "form": model.shape.form,
        "size": model.shape.size,
        "spacing_mm": model.spacing_mm,
        "shows_candidate": model.shows_candidate,
        **{name: getattr(fitted, name) for name in ("patients", "patches", "lesions", "told")},
    }
    if isinstance(model, FittedPatchNetwork):
        numbers = {"options": model.options, "mean": model.mean, "std": model.std}
        save_network(folder, model.state, PatchModelCard.model_validate(about | numbers))
        return
    part(MODELS, model.model).save(folder / MODEL, model.fitted)
    save_patch_card(folder, PatchModelCard.model_validate(about | {"options": {}}))
