"""Fitting a model that looks at patches on one set of patients, and scoring each of them by one that did not know him.

The *inner* folds give the candidates of each training patient a score by a model that never saw him; from these scores
the model is compared with those on features, calibrated, and given its operating point (`tasks.train.fit`). The model
that is kept learns from all patients given. Nothing here knows a patient outside them.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from storage.errors import CaseError
from storage.volume import Volume
from tasks.deep.patch_network import FittedPatchNetwork
from tasks.discover import MODELS, part
from tasks.imaging.candidate_set import CandidateSet
from tasks.imaging.patch_files import PatchSet
from tasks.patch_model import PatchDetector, candidate_scores
from tasks.train.inner_folds import deal_inner_folds
from tasks.train.patch_fit import common_facts, fit_patch_network
from tasks.train.patch_lesson import taught_rows
from tasks.train.patch_model_settings import PatchModelSettings
from tasks.train.patch_network_settings import PatchNetworkSettings
from tasks.train.record import EpochRecord

FloatArray = npt.NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class PatchCase:
    """One training case.

    Attributes
    ----------
    patient
        Whose it is; whoever shows nearly the same counts as one.
    image
        Reads the image that the candidates were found in: one is in memory at a time.
    """

    patient: str
    digest: str
    patches: PatchSet
    candidates: CandidateSet
    image: Callable[[], Volume]


@dataclass(frozen=True, eq=False)
class FittedOnPatches:
    """A model fitted on all patients given.

    Attributes
    ----------
    held_out
        By the digest of a case: scores of its candidates by the model of an inner fold that did not know its patient.
    patients, patches, lesions
        What it learned from, and how many of the patches lie on a lesion.
    told
        What the model says of itself, ready for JSON.
    """

    model: FittedPatchNetwork | PatchDetector
    held_out: dict[str, FloatArray]
    patients: int
    patches: int
    lesions: int
    told: dict[str, Any]


@dataclass(frozen=True)
class Means:
    """What a training computes with, and where it keeps what a killed process may go on with; ``None``: nowhere."""

    threads: int = 1
    device: str = "cpu"
    workshop: Path | None = None


def fit_on_patches(
    cases: Sequence[PatchCase],
    settings: PatchModelSettings,
    means: Means | None = None,
    *,
    on_epoch: Callable[[EpochRecord], None] | None = None,
) -> FittedOnPatches:
    """Fit on all cases, and score each case's candidates by a model of the other patients.

    On the CPU the same cases, settings and number of threads give the same, in whatever order the cases come.

    Parameters
    ----------
    on_epoch
        As of `tasks.train.engine.train`, for the network that learns from all cases.

    Raises
    ------
    CaseError
        When these patches teach nothing: none lies on a lesion, say.
    ValueError
        When the patches differ in shape, spacing or unit.
    """
    means = means or Means()
    cases = sorted(cases, key=lambda case: case.digest)
    held_out = _out_of_fold(cases, settings, means)
    model, told = _learn(cases, settings, "all", means, on_epoch)
    rows = taught_rows([case.patches for case in cases])
    patients = len({case.patient for case in cases})
    return FittedOnPatches(model, held_out, patients, len(rows), int(rows["answer"].sum()), told)


def _out_of_fold(cases: Sequence[PatchCase], settings: PatchModelSettings, means: Means) -> dict[str, FloatArray]:
    """Scores of every candidate; 0 by a model whose patients taught it nothing."""
    fold_of = deal_inner_folds(
        [case.patient for case in cases],
        [case.digest for case in cases],
        [bool((case.patches.table["kind"] == "lesion").any()) for case in cases],
        count=settings.inner_folds,
        seed=settings.seed,
    )
    scores: dict[str, FloatArray] = {}
    for fold in sorted(set(fold_of)):
        known = [case for case, other in zip(cases, fold_of, strict=True) if other != fold]
        unknown = [case for case, other in zip(cases, fold_of, strict=True) if other == fold]
        try:
            model, _ = _learn(known, settings, f"inner {fold + 1}", means)
        except CaseError:  # as a classical model of a single class: nothing can be told apart
            scores |= {case.digest: np.zeros(len(case.candidates)) for case in unknown}
            continue
        for case in unknown:
            scores[case.digest] = candidate_scores(
                model, case.image(), case.candidates, threads=means.threads, device=means.device
            )
    return scores


def _learn(
    cases: Sequence[PatchCase],
    settings: PatchModelSettings,
    name: str,
    means: Means,
    on_epoch: Callable[[EpochRecord], None] | None = None,
) -> tuple[FittedPatchNetwork | PatchDetector, dict[str, Any]]:
    """The model of some cases, and what it says of itself."""
    sets = [case.patches for case in cases]
    if isinstance(settings, PatchNetworkSettings):
        trained = fit_patch_network(
            sets,
            settings,
            threads=means.threads,
            device=means.device,
            checkpoint=means.workshop and means.workshop / f"{name}.pt",
            on_epoch=on_epoch,
        )
        history = [_without_times(record) for record in trained.training.history]
        return trained.fitted, {"history": history, "examined": trained.held_out, "note": trained.note}
    facts = common_facts(sets)
    fitted = part(MODELS, settings.model).learn_on_patches(sets, settings.of_model(), seed=settings.seed)
    return PatchDetector(settings.model, fitted, facts.shape, facts.spacing_mm), {}


def _without_times(record: EpochRecord) -> dict[str, Any]:
    return {name: value for name, value in asdict(record).items() if name not in ("seconds", "waiting")}
