"""Training a segmenter on annotated volumes, a part of whose patients is kept out and examined on the way."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from storage.errors import CaseError
from tasks.deep.segmenter import FittedSegmenter
from tasks.discover import MODELS, part
from tasks.train.segmentation_lesson import SegmentationLesson
from tasks.train.segmentation_settings import SegmentationSettings
from tasks.train.segmentation_volumes import LabelledVolume, has_structure, intensities, usual_spacing_mm

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tasks.train.record import EpochRecord

MINIMUM_LEFT = 2
"""Patients that are left to learn from, whatever is held out."""


@dataclass(frozen=True, eq=False)
class TrainedSegmenter:
    """A fitted segmenter and how it came to be.

    Attributes
    ----------
    patients, cases, held_out
        Patients and cases that it learned from; cases kept out.
    history
        One record per epoch, ready for JSON, without the times.
    best
        Number of the epoch whose weights were kept; ``None``: the last.
    note
        One sentence.
    """

    fitted: FittedSegmenter
    patients: int
    cases: int
    held_out: int
    history: tuple[dict[str, Any], ...]
    best: int | None
    note: str


def fit_segmenter(
    cases: Sequence[LabelledVolume],
    structures: Mapping[str, int],
    settings: SegmentationSettings,
    *,
    threads: int = 1,
    device: str = "cpu",
    checkpoint: Path | None = None,
    on_epoch: Callable[[EpochRecord], None] | None = None,
) -> TrainedSegmenter:
    """Train on annotated cases; nothing outside them is known to the network.

    The network's kernels are planned from the spacing that most of the cases have. On the CPU the same cases, settings
    and number of threads give the same network, bit for bit.

    Parameters
    ----------
    cases
        In any order.
    structures
        Value by name, in the order of the values.
    checkpoint, on_epoch
        As of `tasks.train.engine.train`.

    Raises
    ------
    CaseError
        Without any voxel of a structure in the cases to learn from, or where training shall stop early and the patients
        are too few to hold any of them out.
    FloatingPointError
        When the loss is no longer a number.
    """
    from tasks.deep.device import torch_threads
    from tasks.train.engine import train

    _refuse_too_few(cases, settings)
    learn, held_out = part_held_out(cases, settings.held_out, seed=settings.seed)
    if not any(map(has_structure, learn)):
        raise CaseError("there is nothing to learn: no case to learn from has a voxel of any structure")
    module = part(MODELS, settings.model)
    options = module.planned(settings.of_model(), spacing_mm=usual_spacing_mm(learn), shape=settings.window)
    # A plan may ask for windows that its poolings divide: never for smaller ones than the study does.
    settings = settings.model_copy(update={"window": options.plan.padded(settings.window)})
    mean, std = intensities(learn)
    with torch_threads(threads):
        built = module.build_segmenter(options, classes=len(structures) + 1, channels=1, seed=settings.seed)
        lesson = SegmentationLesson(
            learn, held_out, settings, structures=len(structures), mean=mean, std=std, device=device
        )
        trained = train(
            built.network,
            lesson,
            settings.engine,
            seed=settings.seed,
            device=device,
            checkpoint=checkpoint,
            on_epoch=on_epoch,
        )
    state = {name: value.detach().float().cpu().contiguous() for name, value in built.network.state_dict().items()}
    fitted = FittedSegmenter(
        state, settings.model, options.model_dump(mode="json"), dict(structures), settings.window, mean, std
    )
    return TrainedSegmenter(
        fitted,
        patients=len({case.patient for case in learn}),
        cases=len(learn),
        held_out=len(held_out),
        history=tuple(_without_times(record) for record in trained.history),
        best=trained.best,
        note=f"{built.note}; {trained.precision}",
    )


def _refuse_too_few(cases: Sequence[LabelledVolume], settings: SegmentationSettings) -> None:
    """``CaseError`` where early stopping would have nobody to examine."""
    patients, share = len({case.patient for case in cases}), settings.held_out
    if settings.engine.patience is not None and not _patients_held_out(patients, share):
        needed = max(MINIMUM_LEFT + 1, int(0.5 / share) + 1)
        raise CaseError(
            f"stopping early (patience) needs patients to examine, and of {patients} none can be held out: expected at "
            f"least {needed} with held_out = {share:g}"
        )


def _patients_held_out(patients: int, share: float) -> int:
    return min(round(share * patients), max(0, patients - MINIMUM_LEFT))


def part_held_out(
    cases: Sequence[LabelledVolume], share: float, *, seed: int
) -> tuple[list[LabelledVolume], list[LabelledVolume]]:
    """Cases to learn from, and cases of about this share of the patients, all by digest.

    Whose images come first is drawn by the seed from the digests alone; two patients at least are left to learn from,
    and one who has a structure.
    """
    ordered = sorted(cases, key=lambda case: case.digest)
    patients = list(dict.fromkeys(case.patient for case in ordered))
    count = _patients_held_out(len(patients), share)
    taught = {case.patient for case in ordered if has_structure(case)}
    kept: set[str] = set()
    for place in np.random.default_rng(seed).permutation(len(patients)):
        if len(kept) < count and taught - kept != {patients[place]}:
            kept.add(patients[place])
    return [case for case in ordered if case.patient not in kept], [case for case in ordered if case.patient in kept]


def _without_times(record: EpochRecord) -> dict[str, Any]:
    return {name: value for name, value in asdict(record).items() if name not in ("seconds", "waiting")}
