"""Training a network that takes away false positives, from patches of annotated cases.

A part of the patients is kept out and examined on the way, for the loss curve.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from storage.errors import CaseError
from tasks.deep.patch_network import FittedPatchNetwork, seen_axes
from tasks.discover import MODELS, part
from tasks.imaging.patch_files import PatchFacts, PatchSet
from tasks.train.patch_lesson import CLASSES, PatchLesson, taught_rows
from tasks.train.patch_network_settings import PatchNetworkSettings
from tasks.train.record import EpochRecord, Trained

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True, eq=False)
class TrainedPatchNetwork:
    """A fitted network and how it came to be.

    Attributes
    ----------
    patients, patches, lesions
        Patients and patches that it learned from, and how many of these lie on a lesion.
    held_out
        Patches that were kept out.
    """

    fitted: FittedPatchNetwork
    patients: int
    patches: int
    lesions: int
    held_out: int
    training: Trained
    note: str


def fit_patch_network(
    sets: Sequence[PatchSet],
    settings: PatchNetworkSettings,
    *,
    threads: int = 1,
    device: str = "cpu",
    checkpoint: Path | None = None,
    on_epoch: Callable[[EpochRecord], None] | None = None,
) -> TrainedPatchNetwork:
    """Train on the patches of annotated cases; nothing outside them is known to the network.

    On the CPU the same patches, settings and number of threads give the same network, bit for bit, in whatever order
    the cases come.

    Parameters
    ----------
    sets
        One for each case, cut as the stage ``patches`` does.
    checkpoint, on_epoch
        As of `tasks.train.engine.train`.

    Raises
    ------
    CaseError
        When the patients to learn from have no patch on a lesion, or none away from all.
    ValueError
        When there are no patches, or they differ in shape, spacing or unit.
    """
    from tasks.deep.device import torch_threads
    from tasks.train.engine import train

    facts = common_facts(sets)
    rows = taught_rows(sets)
    held_out = held_out_rows(rows, settings.held_out, seed=settings.seed)
    answers = rows["answer"].to_numpy()[~held_out]
    if len(np.unique(answers)) < CLASSES:
        raise CaseError(
            f"{int(answers.sum())} of {len(answers)} patches to learn from lie on a lesion; expected some, and not all"
        )
    module = part(MODELS, settings.model)
    shows_candidate = sets[0].candidates is not None
    channels, spacing_mm, shape = seen_axes(facts.shape, facts.spacing_mm, shows_candidate=shows_candidate)
    options = module.planned(settings.of_model(), spacing_mm=spacing_mm, shape=shape)
    with torch_threads(threads):
        built = module.build_patch_network(options, classes=CLASSES, channels=channels, seed=settings.seed)
        lesson = PatchLesson(sets, rows, held_out, settings, device=device)
        training = train(
            built.network,
            lesson,
            settings.engine,
            seed=settings.seed,
            device=device,
            checkpoint=checkpoint,
            on_epoch=on_epoch,
        )
    state = {name: value.detach().cpu().contiguous() for name, value in built.network.state_dict().items()}
    told = options.model_dump(mode="json")
    fitted = FittedPatchNetwork(
        state, settings.model, told, facts.shape, facts.spacing_mm, lesson.mean, lesson.std, shows_candidate
    )
    return TrainedPatchNetwork(
        fitted,
        patients=rows["patient"][~held_out].nunique(),
        patches=len(answers),
        lesions=int(answers.sum()),
        held_out=int(held_out.sum()),
        training=training,
        note=f"{built.note}; {training.precision}",
    )


def held_out_rows(rows: pd.DataFrame, share: float, *, seed: int) -> npt.NDArray[np.bool_]:
    """Rows of about this share of the patients, those with lesions and the others alike; ``(n,)``.

    Who is kept out is drawn from the order of the rows, never from the pseudonyms. Two patients at least stay to learn
    from, and one of those with lesions.
    """
    lesions = rows.groupby("patient", sort=False)["answer"].max()
    rng = np.random.default_rng(seed)
    kept: set[str] = set()
    for answer in (1, 0):
        patients = lesions.index[lesions == answer].to_numpy()
        count = min(round(share * len(patients)), max(0, len(patients) - 1))
        kept.update(rng.permutation(patients)[: max(0, min(count, len(lesions) - 2 - len(kept)))])
    return np.asarray(rows["patient"].isin(kept).to_numpy(), dtype=bool)


def common_facts(sets: Sequence[PatchSet]) -> PatchFacts:
    """What all patches have in common. ``ValueError`` where they differ, or there are none."""
    facts = {(one.facts.shape, one.facts.spacing_mm, one.facts.unit, one.candidates is None) for one in sets}
    if len(facts) != 1:
        raise ValueError(
            f"expected patches of one shape, spacing and unit; got {len(facts)} of these: images on one grid have them "
            "(normalize.spacing_mm)"
        )
    return sets[0].facts
