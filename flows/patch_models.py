"""Models that look at patches: for each fold and the refit, one of each that the study names; the others come after.

Patches are cut once for each case and form; the models of all folds take those of their training patients. Which model
wins is decided where the models on features are trained, on scores of patients that none of them knew.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from flows.dispatch import Dispatch, StageFailedError
from storage.case import Case
from storage.mlflow_curve import Experiment
from tasks.leakage import Gate
from tasks.train import patch_model_task, patch_task
from tasks.train.patch_settings import PatchSettings
from tasks.train.settings import Settings


def train_on_patches(
    do: Dispatch,
    members: Mapping[str, Sequence[Case]],
    gates: Mapping[str, Gate],
    settings: Settings,
    experiment: Experiment | None,
) -> dict[str, dict[str, str]] | str:
    """Keys of the models by ``"fold 1"`` … ``"refit"`` and their names; why nothing is trained, where one cannot be.

    Raises
    ------
    StageFailedError
        When a training failed, or the patches of a case.
    """
    keys: dict[str, dict[str, str]] = {subject: {} for subject in members}
    for entry in settings.on_patches:
        patches = cut_patches(do, members, entry.patches)
        works = [
            patch_model_task.plan(
                chosen,
                entry,
                patches=patches[subject],
                gate=gates[subject],
                subject=subject,
                experiment=experiment,
            )
            for subject, chosen in members.items()
        ]
        for subject, outcome in zip(members, do.all(patch_model_task.task_of(entry), works), strict=True):
            if outcome.failure:
                raise StageFailedError(f"train {entry.model} {subject}: {outcome.failure}")
            if outcome.verdict:
                return f"nothing is trained: {entry.model} {subject}: {outcome.verdict}"
            keys[subject][entry.model] = outcome.key
    return keys


def cut_patches(
    do: Dispatch, members: Mapping[str, Sequence[Case]], settings: PatchSettings
) -> dict[str, dict[str, str]]:
    """Keys of the patches by the model that learns from them and by case. Models mostly see the same images."""
    works = {
        subject: {case.id: patch_task.plan(case, settings) for case in chosen} for subject, chosen in members.items()
    }
    once = {work.key: work for planned in works.values() for work in planned.values()}
    for outcome in do.all(patch_task.cut_patches, list(once.values())):
        if outcome.failure or outcome.verdict:
            raise StageFailedError(f"patches {outcome.subject}: {outcome.failure or outcome.verdict}")
    return {subject: {case: work.key for case, work in planned.items()} for subject, planned in works.items()}
